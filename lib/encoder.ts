/**
 * Messages as bytes and back. JSON with exactly Dramatiq's seven keys, so that Python reads and writes the same bodies.
 * Decoding trusts nobody: a size gate, a depth scan over the bytes, then every field is looked at by name.
 */
import { isPlainRecord } from './plain.ts'
import { checkData, DEEPEST } from './data.ts'
import { GreenroomError } from './errors.ts'
import type { Message } from './message.ts'
import { parsePythonJson } from './python-json.ts'
import { camelCase, snakeCase } from './wire-names.ts'

/** A larger body is refused when it is sent. Larger inputs belong into a file or a bucket: a queue slows down when its messages are large. */
export const MAX_BODY_BYTES = 1_048_576
/** A larger body, from whoever wrote it, is not decoded, unless this app itself may send as much. */
export const MAX_DECODED_BYTES = 4 * MAX_BODY_BYTES
/** Arrays and objects in one body. */
export const MAX_NODES = 100_000

export interface Encoder {
  /** @throws {GreenroomError} `NOT_DATA`, `BODY_TOO_LARGE` */
  encode(message: Message): Uint8Array
  /** What the body says, whatever the envelope says. @throws {GreenroomError} `BODY_UNDECODABLE` with the reason */
  decode(body: Uint8Array): Message
  /** Looks whether it keeps a value as it is. @throws {GreenroomError} `NOT_DATA` */
  check(value: unknown, root: string, actor: string): void
}

const NO_OPTIONS_MIDDLE = ',"kwargs":{},"options":{},"message_id":'

export function jsonEncoder({ maxBytes = MAX_BODY_BYTES }: { readonly maxBytes?: number } = {}): Encoder {
  const maxDecodedBytes = Math.max(MAX_DECODED_BYTES, maxBytes)
  let last = { queue: '', actor: '', head: '' } // a sender mostly sends one actor many times
  const headOf = ({ queue, actor }: Message): string => {
    if (queue !== last.queue || actor !== last.actor)
      last = { queue, actor, head: `{"queue_name":"${queue}","actor_name":"${actor}","args":` }
    return last.head
  }
  return {
    check: checkData,
    encode(message) {
      checkData(message.args, 'args', message.actor)
      const options = wireOptions(message)
      if (options) checkData(options, 'options', message.actor)
      const middle = options ? `,"kwargs":{},"options":${JSON.stringify(options)},"message_id":` : NO_OPTIONS_MIDDLE
      const text = `${headOf(message)}${JSON.stringify(message.args)}${middle}${JSON.stringify(message.id)},"message_timestamp":${message.timestamp}}`
      const body = Buffer.from(text)
      if (body.length > maxBytes) throw tooLarge(message, body.length, maxBytes)
      const crowded = body.length > 2 * MAX_NODES ? hazard(body) : undefined // a smaller one cannot hold too many
      if (crowded !== undefined) throw tooMany(message, crowded)
      return body
    },
    decode(body) {
      if (body.length > maxDecodedBytes) throw undecodable(`${body.length} bytes are more than ${maxDecodedBytes}`)
      const reason = hazard(body)
      if (reason !== undefined) throw undecodable(reason)
      return fields(parse((Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength)).toString()))
    },
  }
}

/** Options under the names that they have on the wire; undefined when there are none. */
export function wireOptions({ options }: Message): Record<string, unknown> | undefined {
  let wire: Record<string, unknown> | undefined
  for (const name in options) {
    if (options[name] === undefined) continue
    if (FORBIDDEN.has(name)) throw forbidden(name)
    wire ??= {}
    wire[snakeCase(name)] = options[name]
  }
  return wire
}

export const tooLarge = (message: Message, bytes: number, maxBytes: number) =>
  new GreenroomError('BODY_TOO_LARGE', `The message for ${message.actor} has ${bytes} bytes; the limit is ${maxBytes}`, {
    help: 'Store the data elsewhere and send where it is, or raise maxBytes',
    details: { bytes, maxBytes },
  })

export const tooMany = ({ actor }: Message, what: string) =>
  new GreenroomError('NOT_DATA', `The message for ${actor} has ${what}, and no worker would decode it`, {
    help: 'Send fewer, larger values, or store the data elsewhere and send where it is',
    details: { path: 'args' },
  })

const forbidden = (name: string) =>
  new GreenroomError('OPTION_INVALID', `An option cannot be called ${name}`, {
    help: 'It could reach a prototype; call it otherwise',
  })

export const undecodable = (reason: string, cause?: unknown) =>
  new GreenroomError('BODY_UNDECODABLE', `Not a message: ${reason}`, {
    help: 'It is kept as a dead letter with its bytes; look at what else writes to this queue',
    ...(cause === undefined ? {} : { cause }),
    details: { reason },
  })

/** The arguments and options of a message are one level down in its body, in every encoding. */
export const DEEPEST_BODY = DEEPEST + 1

/**
 * What is wrong with the shape of a body; undefined when nothing is. Counts depth and nodes on the raw bytes: JSON.parse
 * accepts 200,000 nested arrays, and whoever walks the value then overflows.
 */
function hazard(body: Uint8Array): string | undefined {
  let depth = 0,
    nodes = 0,
    i = 0
  const end = body.length
  while (i < end) {
    const byte = body[i]!
    if (byte === 0x22) {
      // a string: on to its closing quote
      for (i++; i < end && body[i] !== 0x22; i++) if (body[i] === 0x5c) i++
    } else if ((byte | 0x20) === 0x7b) {
      // [ or {
      if (++depth > DEEPEST_BODY) return `nested more than ${DEEPEST} deep`
      if (++nodes > MAX_NODES) return `more than ${MAX_NODES} arrays and objects`
    } else if ((byte | 0x20) === 0x7d) depth-- // ] or }
    i++
  }
  return undefined
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    try {
      return parsePythonJson(text)
    } catch {
      throw undecodable('not JSON', error)
    }
  }
}

const KEYS = new Set(['queue_name', 'actor_name', 'args', 'kwargs', 'options', 'message_id', 'message_timestamp'])
/** Keys that could reach a prototype. They are refused beside the fields and inside `options`; arguments keep theirs, as own properties. */
const FORBIDDEN = new Set(['__proto__', 'constructor', 'prototype'])

/** The seven fields of a body, each looked at. @throws {GreenroomError} `BODY_UNDECODABLE` */
export function fields(value: unknown): Message {
  if (!isPlainRecord(value)) throw undecodable('not an object')
  for (const key in value) if (!KEYS.has(key)) throw undecodable(`unknown field ${JSON.stringify(key.slice(0, 64))}`)
  const { queue_name: queue, actor_name: actor, args, kwargs, options, message_id: id, message_timestamp: timestamp } = value
  if (typeof queue !== 'string' || queue.length > 256) throw undecodable('queue_name is not a short text')
  if (typeof actor !== 'string' || actor.length > 256) throw undecodable('actor_name is not a short text')
  if (!Array.isArray(args)) throw undecodable('args is not an array')
  if (kwargs !== undefined && !isPlainRecord(kwargs)) throw undecodable('kwargs is not an object')
  if (!isPlainRecord(options)) throw undecodable('options is not an object')
  if (typeof id !== 'string' || id.length > 256) throw undecodable('message_id is not a short text')
  if (typeof timestamp !== 'number' || !Number.isFinite(timestamp)) throw undecodable('message_timestamp is not a number')
  const named = kwargs !== undefined && Object.keys(kwargs).length > 0 // Python's keyword arguments arrive as one last object
  return { id, queue, actor, args: named ? [...args, kwargs] : args, options: codeOptions(options), timestamp }
}

const NO_OPTIONS: Readonly<Record<string, unknown>> = Object.freeze(Object.create(null) as Record<string, unknown>)

function codeOptions(wire: Record<string, unknown>): Readonly<Record<string, unknown>> {
  let options: Record<string, unknown> | undefined
  for (const key in wire) {
    if (FORBIDDEN.has(key)) throw undecodable(`an option called ${key}`)
    options ??= Object.create(null) as Record<string, unknown>
    options[camelCase(key)] = wire[key]
  }
  return options ?? NO_OPTIONS
}
