/** Bodies that cannot be read, each with the reason that its dead letter gives. */
import { BAD_MSGPACK } from './msgpack-bodies.ts'
import { wireBody } from './raw.ts'

export const wire = JSON.parse(wireBody()) as Record<string, unknown>
export const without = (key: string) => JSON.stringify(Object.fromEntries(Object.entries(wire).filter(([name]) => name !== key)))
/** A body with the text `"@"` replaced, for what JSON.stringify would not write. */
export const patched = (fields: Record<string, unknown>, by: string) => wireBody(fields).replace('"@"', by)

export const BAD: readonly (readonly [what: string, body: string | Uint8Array, reason: RegExp])[] = [
  ['no bytes', '', /undecodable: not JSON/],
  ['no JSON', 'hello', /undecodable: not JSON/],
  ['half a body', wireBody().slice(0, -10), /undecodable: not JSON/],
  ['no UTF-8', Buffer.from([0xff, 0xfe, 0x00]), /undecodable: not JSON/],
  ['a msgpack map', Buffer.from([0x81, 0xa1, 0x61, 0x01]), /undecodable: not JSON/],
  ['a list of eight', Buffer.from('98c0c0c0c0c0c0c0c0', 'hex'), /undecodable: not JSON/],
  ['a list', '[]', /not an object/],
  ['no fields', '{}', /queue_name/],
  ...Object.keys(wire).flatMap(key => (key === 'kwargs' ? [] : [[`no ${key}`, without(key), new RegExp(key)] as const])),
  ...Object.keys(wire).map(
    key => [`${key} is of another type`, wireBody({ [key]: key === 'args' ? {} : [5] }), new RegExp(key)] as const,
  ),
  ...Object.keys(wire).map(key => [`${key} is null`, wireBody({ [key]: null }), new RegExp(key)] as const),
  ['an id of a million characters', wireBody({ message_id: 'x'.repeat(1_000_000) }), /message_id/],
  ['a field that nobody knows', wireBody({ extra: 1 }), /unknown field "extra"/],
  ['a field called __proto__', wireBody().replace('{', '{"__proto__":{"isAdmin":true},'), /unknown field "__proto__"/],
  ['an option called __proto__', patched({ options: '@' }, '{"__proto__":{"max_retries":0}}'), /an option called __proto__/],
  ['an option called constructor', wireBody({ options: { constructor: { prototype: {} } } }), /an option called constructor/],
  ['an endless time', patched({ message_timestamp: '@' }, '1e999'), /message_timestamp/],
  ["Python's NaN as a time", patched({ message_timestamp: '@' }, 'NaN'), /message_timestamp/],
  ['nesting without an end', patched({ args: '@' }, '['.repeat(200_000)), /nested more than 64 deep/],
  ['nesting 200,000 deep', patched({ args: '@' }, '['.repeat(200_000) + ']'.repeat(200_000)), /nested more than 64 deep/],
  ['5 MiB', wireBody({ args: ['x'.repeat(5 * 1_048_576)] }), /bytes are more than 4194304/],
  ['maxRetries of the wrong type', wireBody({ options: { max_retries: 'x' } }), /invalid options: maxRetries cannot be "x"/],
  ['maxRetries of 1e308', wireBody({ options: { max_retries: 1e308 } }), /invalid options: maxRetries cannot be 1e\+308/],
  ['a time limit that is no duration', wireBody({ options: { time_limit: 'soon' } }), /invalid options: timeLimit/],
  ['a negative age', wireBody({ options: { max_age: -1 } }), /invalid options: maxAge/],
  ...BAD_MSGPACK,
]
