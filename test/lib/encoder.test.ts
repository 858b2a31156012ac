import { execFileSync } from 'node:child_process'
import * as fc from 'fast-check'
import t from 'tap'
import { DEEPEST } from '../../lib/data.ts'
import { jsonEncoder, MAX_DECODED_BYTES } from '../../lib/encoder.ts'
import type { Message } from '../../lib/message.ts'
import { parsePythonJson } from '../../lib/python-json.ts'

const { encode, decode } = jsonEncoder()
const message: Message = {
  id: 'i-1',
  queue: 'mail',
  actor: 'send_mail',
  args: [1, 'a', { b: null }],
  options: {},
  timestamp: 1_700_000_000_000,
}
const wire = { queue_name: 'q', actor_name: 'a', args: [], kwargs: {}, options: {}, message_id: '1', message_timestamp: 1 }
const bytes = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
const nested = (levels: number): unknown[] => (levels === 1 ? [] : [nested(levels - 1)])

t.test("a body has Dramatiq's seven keys in their order", async t => {
  const body = encode({ ...message, options: { maxRetries: 3, tag: 'x' } })
  t.equal(
    body.toString(),
    '{"queue_name":"mail","actor_name":"send_mail","args":[1,"a",{"b":null}],"kwargs":{},"options":{"max_retries":3,"tag":"x"},"message_id":"i-1","message_timestamp":1700000000000}',
  )
})

t.test("Python's encoder writes the same bytes for ASCII data", async t => {
  const python = [
    'python3',
    '-c',
    'import json,sys\nfor line in sys.stdin: print(json.dumps(json.loads(line), separators=(",", ":")))',
  ] as const
  const messages = fc.sample(fc.record({ args: fc.array(fc.jsonValue({ maxDepth: 3 })), n: fc.nat() }), { numRuns: 600, seed: 7 })
  const ascii = (value: unknown): boolean =>
    /^[\x20-\x7e]*$/.test(JSON.stringify(value)) && !/\d[eE.]/.test(JSON.stringify(value)) && !/-0\b/.test(JSON.stringify(value))
  const bodies = messages
    .filter(({ args }) => ascii(args))
    .flatMap(({ args, n }) => {
      try {
        return [encode({ ...message, args, options: { retries: n } }).toString()]
      } catch {
        return []
      } // -0
    })
  let answer: string
  try {
    answer = execFileSync(python[0], python.slice(1), { input: bodies.join('\n'), encoding: 'utf8' })
  } catch {
    return t.pass('no python3 here')
  }
  t.strictSame(answer.trim().split('\n'), bodies)
  t.ok(bodies.length > 50, `${bodies.length} bodies compared`)
})

t.test('what is decoded is what was encoded', async () => {
  const data = fc.jsonValue({ maxDepth: 4, stringUnit: 'binary' })
  fc.assert(
    fc.property(
      fc.array(data),
      fc.dictionary(fc.stringMatching(/^[a-z][A-Za-z0-9]{0,6}$/), data),
      fc.integer(),
      (args, options, timestamp) => {
        const sent: Message = { ...message, args, options, timestamp }
        let body: Uint8Array
        try {
          body = encode(sent)
        } catch (error) {
          return (error as { code?: string }).code === 'NOT_DATA'
        } // -0
        return JSON.stringify(decode(body)) === JSON.stringify(sent)
      },
    ),
    { numRuns: 500 },
  )
})

t.test('options that are undefined do not travel', async t => {
  t.match(encode({ ...message, options: { maxRetries: undefined } }).toString(), '"options":{},')
})

t.test('everything that can be sent can be decoded', async t => {
  const most = jsonEncoder({ maxBytes: 8 * 1_048_576 })
  for (const [what, args] of [
    ['the deepest arguments', nested(DEEPEST)],
    ['five million bytes, where that is allowed', ['x'.repeat(5_000_000)]],
  ] as const)
    t.strictSame(most.decode(most.encode({ ...message, args })).args, args, what)
  t.strictSame(
    decode(encode({ ...message, options: { deep: nested(DEEPEST - 1) } })).options['deep'],
    nested(DEEPEST - 1),
    'the deepest option',
  )
  const many = Array.from({ length: 100_001 }, () => [])
  t.throws(
    () => encode({ ...message, args: many }),
    { code: 'NOT_DATA', message: /100000 arrays and objects/ },
    'more arrays than a worker decodes',
  )
})

t.test('a body over the limit is not sent', async t => {
  const { encode } = jsonEncoder({ maxBytes: 1_000 })
  const empty = encode({ ...message, args: [''] }).length
  t.equal(encode({ ...message, args: ['x'.repeat(1_000 - empty)] }).length, 1_000, 'the limit itself is sent')
  t.throws(() => encode({ ...message, args: ['x'.repeat(1_001 - empty)] }), {
    code: 'BODY_TOO_LARGE',
    message: /1001 bytes; the limit is 1000/,
    details: { bytes: 1_001, maxBytes: 1_000 },
  })
  t.throws(() => encode({ ...message, args: ['ä'.repeat(500)] }), { code: 'BODY_TOO_LARGE' }, 'bytes count, not characters')
})

t.test('what is not a message says why', async t => {
  for (const [body, reason] of [
    ['', 'not JSON'],
    ['nonsense', 'not JSON'],
    ['\u0000\u0001', 'not JSON'],
    [Buffer.from([0xff, 0xfe]), 'not JSON'],
    [Buffer.from([0x97, 0xa1, 0x71]), 'not JSON'],
    ['null', 'not an object'],
    ['5', 'not an object'],
    ['[]', 'not an object'],
    ['{}', 'queue_name is not a short text'],
    [{ ...wire, queue_name: 5 }, 'queue_name is not a short text'],
    [{ ...wire, queue_name: 'x'.repeat(257) }, 'queue_name is not a short text'],
    [{ ...wire, actor_name: null }, 'actor_name is not a short text'],
    [{ ...wire, args: 5 }, 'args is not an array'],
    [{ ...wire, args: { length: 1 } }, 'args is not an array'],
    [{ ...wire, kwargs: [] }, 'kwargs is not an object'],
    [{ ...wire, options: null }, 'options is not an object'],
    [{ ...wire, options: 'x' }, 'options is not an object'],
    [{ ...wire, message_id: 5 }, 'message_id is not a short text'],
    [{ ...wire, message_id: 'x'.repeat(1_000_000) }, 'message_id is not a short text'],
    [{ ...wire, message_timestamp: '1' }, 'message_timestamp is not a number'],
    [JSON.stringify(wire).replace(':1}', ':1e999}'), 'message_timestamp is not a number'],
    [{ ...wire, extra: 1 }, 'unknown field "extra"'],
    [JSON.stringify(wire).replace('{', '{"__proto__":{"isAdmin":true},'), 'unknown field "__proto__"'],
    [JSON.stringify(wire).replace('"options":{', '"options":{"__proto__":{"max_retries":5}'), 'an option called __proto__'],
    [{ ...wire, options: { constructor: 1 } }, 'an option called constructor'],
    ['['.repeat(200_000), 'nested more than'],
    [`{"args":${'['.repeat(200_000)}${']'.repeat(200_000)}}`, 'nested more than'],
    ['[' + '[],'.repeat(100_001) + '[]]', 'more than 100000 arrays and objects'],
    ['x'.repeat(MAX_DECODED_BYTES + 1), 'bytes are more than'],
  ] as const) {
    const raw = body instanceof Uint8Array ? body : bytes(body)
    t.throws(() => decode(raw), { code: 'BODY_UNDECODABLE', message: new RegExp(reason) }, `${raw.subarray(0, 30)}: ${reason}`)
  }
})

t.test('brackets in texts are not nesting', async t => {
  t.strictSame(decode(bytes({ ...wire, args: ['['.repeat(500), '\\"[[', '\\'] })).args, ['['.repeat(500), '\\"[[', '\\'])
})

t.test('keys that could reach a prototype stay inert, own keys of arguments', async t => {
  const text = JSON.stringify({ ...wire, args: [0] }).replace(
    '[0]',
    '[{"__proto__":{"isAdmin":true},"constructor":{"prototype":{"isAdmin":true}}}]',
  )
  const [first] = decode(bytes(text)).args as [Record<string, unknown>]
  t.strictSame(Object.keys(first), ['__proto__', 'constructor'])
  t.equal(Object.getPrototypeOf(first), Object.prototype)
  t.equal(({} as { isAdmin?: unknown }).isAdmin, undefined)
  t.equal(
    encode({ ...message, args: [first] })
      .toString()
      .match(/__proto__/g)?.length,
    1,
    'and travel on',
  )
})

t.test('an option that would reach a prototype cannot be sent either', async t => {
  for (const key of ['__proto__', 'constructor', 'prototype'])
    t.throws(
      () => encode({ ...message, options: Object.fromEntries([[key, { maxRetries: 1 }]]) }),
      { code: /NOT_DATA|OPTION_INVALID/ },
      key,
    )
})

t.test('keyword arguments of Python arrive as one last object', async t => {
  t.strictSame(decode(bytes({ ...wire, args: [1], kwargs: { b: 2 } })).args, [1, { b: 2 }])
  t.strictSame(decode(bytes({ ...wire, args: [1], kwargs: {} })).args, [1])
  const { kwargs: _, ...without } = wire
  t.strictSame(decode(bytes(without)).args, [])
})

t.test("Python's NaN, Infinity and long integers are read", async t => {
  const text = JSON.stringify({ ...wire, args: ['@'] }).replace(
    '"@"',
    'NaN,-Infinity,Infinity,[NaN],"NaN \\" Infinity",12345678901234567890123,{"Infinity":-Infinity}',
  )
  t.strictSame(decode(bytes(text)).args, [
    NaN,
    -Infinity,
    Infinity,
    [NaN],
    'NaN " Infinity',
    Number('12345678901234567890123'),
    { Infinity: -Infinity },
  ])
  t.strictSame(decode(bytes({ ...wire, args: [2 ** 53] })).args, [2 ** 53])
})

t.test("Python's words are no way around JSON", async t => {
  for (const text of [
    'NaNx',
    '[NaN',
    '{"a":nan}',
    '[Infinity Infinity]',
    '[--Infinity]',
    '[-NaN]',
    '{NaN:1}',
    '[1NaN]',
    '["a" NaN]',
  ])
    t.throws(() => parsePythonJson(text), SyntaxError, text)
  t.strictSame(
    parsePythonJson('[NaN,"\\u0000greenroom:NaN","\\u0000greenroom:5"]'),
    [NaN, '\0greenroom:NaN', '\0greenroom:5'],
    'a text that looks like a mark stays a text',
  )
})

t.test('reading hostile text takes time in proportion to its length', async t => {
  /** CPU of this process, whatever else the machine does. */
  const cost = (text: string) => {
    const before = process.cpuUsage()
    t.throws(() => parsePythonJson(text), SyntaxError)
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1_000
  }
  for (const [what, make] of [
    ['escaped quotes without an end', n => `["${'\\"'.repeat(n)}`],
    ['quotes', n => '"'.repeat(2 * n + 1)],
    ['words', n => `[${'NaN,'.repeat(n)}`],
    ['minus signs', n => `[${'-'.repeat(2 * n)}NaN]`],
    ['a long text and one word', n => `["${'x'.repeat(3 * n)}",NaN,]`],
  ] as readonly (readonly [string, (n: number) => string])[]) {
    const some = cost(make(50_000)),
      ten = cost(make(500_000))
    t.ok(ten < 30 * some + 500, `${what}: ${some.toFixed(1)} ms, ten times as long ${ten.toFixed(1)} ms`)
  }
  t.strictSame((parsePythonJson(`["${'x'.repeat(3_000_000)}",NaN]`) as unknown[])[1], NaN)
})
