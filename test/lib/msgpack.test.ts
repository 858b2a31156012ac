import { deepStrictEqual } from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import * as fc from 'fast-check'
import t from 'tap'
import { systemClock } from '../../lib/clock.ts'
import { DEEPEST } from '../../lib/data.ts'
import { createEncoder } from '../../lib/encoding.ts'
import { GreenroomError } from '../../lib/errors.ts'
import { internalsOf } from '../../lib/internals.ts'
import type { Message } from '../../lib/message.ts'
import { scan } from '../../lib/msgpack-scan.ts'
import { codec, makeCodec } from '../../lib/msgpackr.ts'
import { BAD_MSGPACK, hex, packedArgument, packedBody, packedText } from '../helpers/msgpack-bodies.ts'
import { openMoving } from '../helpers/open.ts'
import { root } from '../root.ts'

const { encode, decode } = createEncoder({ encoding: 'msgpack' })
const message: Message = {
  id: 'i-1',
  queue: 'mail',
  actor: 'send_mail',
  args: [1, 'a', { b: null }],
  options: {},
  timestamp: 1_700_000_000_000,
}
const nested = (levels: number): unknown[] => (levels === 1 ? [] : [nested(levels - 1)])
const textOf = (text: string) => Buffer.concat([Buffer.from([0xa0 + text.length]), Buffer.from(text)]).toString('hex')

t.test('a body is a list of the seven fields, without their names', async t => {
  const body = encode({ ...message, options: { maxRetries: 3, tag: undefined } })
  t.equal(
    Buffer.from(body).toString('hex'),
    [
      '97',
      textOf('mail'),
      textOf('send_mail'),
      `93 01 ${textOf('a')} 81 ${textOf('b')} c0`,
      '80',
      `81 ${textOf('max_retries')} 03`,
      textOf('i-1'),
      'cb 4278bcfe56800000',
    ]
      .join('')
      .replaceAll(' ', ''),
  )
  t.match(decode(body), { ...message, options: { maxRetries: 3 } })
})

t.test('what other writers of msgpack make of the same is read', async t => {
  for (const [what, bytes, value] of [
    ['a small number in nine bytes', 'cf 0000000000000005', 5n],
    ['a negative one', 'd3 ffffffffffffffff', -1n],
    ['a number in two bytes', 'cc 05', 5],
    ['a short float', 'ca 3fc00000', 1.5],
    ['a short text with a long length', 'db 00000001 61', 'a'],
    ['a list with a long length', 'dd 00000001 c3', [true]],
    ['an object with a long length', 'df 00000001 d9 01 61 c2', { a: false }],
    ['a key twice: the last one counts', '82 a161 01 a161 02', { a: 2 }],
    ['a time of 96 bits', 'c7 0c ff 3b8b87c0 ffffffffffffffff', new Date(-1)],
  ] as const)
    deepStrictEqual(decode(packedArgument(bytes)).args, [value], what)
  t.equal(
    decode(packedBody({ time: hex('cf 0000018bcfe56800') })).timestamp,
    1_700_000_000_000,
    'a time as an integer of 64 bits',
  )
  t.strictSame(decode(packedBody({ kwargs: Buffer.concat([hex('81'), packedText('b'), hex('02')]) })).args, [{ b: 2 }])
})

t.test('what is decoded is what was encoded', async () => {
  const text = fc.string({ unit: 'binary' }).filter(text => Buffer.from(text).toString() === text && !text.startsWith('\ufeff'))
  const { data } = fc.letrec(tie => ({
    data: fc.oneof(
      { maxDepth: 4 },
      text,
      fc.double().filter(n => !Object.is(n, -0)),
      fc.integer(),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
      fc.constantFrom(null, undefined, true, false),
      fc.date({ noInvalidDate: true }),
      fc.uint8Array().map(bytes => Buffer.from(bytes)),
      fc.array(tie('data')),
      fc.dictionary(fc.oneof(text, fc.constantFrom('__proto__', 'constructor', 'toJSON')), tie('data'), {
        noNullPrototype: true,
      }),
    ),
  }))
  fc.assert(
    fc.property(fc.array(data), fc.dictionary(fc.stringMatching(/^[a-z][A-Za-z0-9]{0,6}$/), data), (args, options) => {
      const decoded = decode(encode({ ...message, args, options }))
      deepStrictEqual(decoded.args, args)
      for (const [name, value] of Object.entries(options)) deepStrictEqual(decoded.options[name], value)
    }),
    { numRuns: 1_000 },
  )
})

t.test('what the scan lets pass decodes, to plain data only; and it says why of all else', async t => {
  const fragments = fc.oneof(
    fc
      .constantFrom(
        '90',
        '91',
        '92',
        '80',
        '81',
        'a0',
        'a161',
        'c0',
        'c1',
        'c2',
        'c401ff',
        'ca',
        'cb',
        'cf',
        'd3',
        'd40000',
        'd472',
      )
      .map(hex),
    fc
      .constantFrom('d465', 'd478', 'd469', 'd6ff', 'd7ff', 'c70cff', 'c7', 'd901', 'da0001', 'dc0001', 'dd', 'de0001', 'df')
      .map(hex),
    fc.uint8Array({ maxLength: 4 }).map(bytes => Buffer.from(bytes)),
    fc.constantFrom(packedText('__proto__'), packedText('constructor'), packedText('x'.repeat(80))),
  )
  let passed = 0
  const isData = (value: unknown): boolean =>
    typeof value !== 'object' || value === null || value instanceof Date || Buffer.isBuffer(value)
      ? typeof value !== 'function'
      : [Object.prototype, Array.prototype].includes(Object.getPrototypeOf(value)) && Object.values(value).every(isData)
  fc.assert(
    fc.property(fc.array(fragments, { minLength: 1, maxLength: 8 }), all => {
      const body = Buffer.concat(all)
      const { hazard } = scan(body)
      if (hazard !== undefined) return hazard.length > 0
      passed++
      return isData(codec().unpack(body))
    }),
    { numRuns: 30_000 },
  )
  t.ok(passed > 500, `${passed} of 30,000 passed`)
})

t.test('what is not a message says why', async t => {
  for (const [what, body, reason] of BAD_MSGPACK) {
    const pattern = new RegExp(reason.source.replace('undecodable: ', 'Not a message: '))
    t.throws(() => decode(body), { code: 'BODY_UNDECODABLE', message: pattern, details: { reason: /./ } }, what)
  }
  for (const first of ['98', '96', 'dc0007', '81', 'c1', 'd4', 'ff', '00'])
    t.throws(() => decode(Buffer.concat([hex(first), packedBody().subarray(1)])), { message: /Not a message: not JSON/ }, first)
})

t.test('reading hostile bytes takes time in proportion to their number', async t => {
  const many = (bytes: string) => Buffer.alloc(4_000_000, hex(bytes))
  for (const [what, bytes] of [
    ['nulls', Buffer.concat([hex('dd 003d0900'), many('c0')])],
    ['empty texts under empty keys', Buffer.concat([hex('df 001e8480'), many('a0')])],
    ['lists', Buffer.concat([hex('dd 003d0900'), many('90')])],
    ['lists in one another', many('91')],
    ['lengths that lie', many('ddffffffff')],
    ['a text that is no UTF-8', Buffer.concat([hex('db 003d0900'), many('ff')])],
  ] as const) {
    const start = systemClock.monotonic()
    try {
      decode(packedArgument(bytes))
    } catch (error) {
      t.match(error, { code: 'BODY_UNDECODABLE' }, what)
    }
    t.ok(systemClock.monotonic() - start < 2_000, `${what}: ${Math.round(systemClock.monotonic() - start)} ms`)
  }
})

t.test('keys that could reach a prototype stay inert, own keys of arguments', async t => {
  const { args } = decode(
    packedArgument(`82 ${packedText('__proto__').toString('hex')} 81 a178 01 ${packedText('constructor').toString('hex')} 02`),
  )
  t.strictSame(Object.keys(args[0] as object), ['__proto__', 'constructor'])
  t.equal(Object.getPrototypeOf(args[0]), Object.prototype)
  t.equal((args[0] as { x?: unknown }).x, undefined)
  for (const name of ['__proto__', 'constructor', 'prototype'])
    t.throws(() => encode({ ...message, options: JSON.parse(`{"${name}":1}`) }), { code: 'OPTION_INVALID' }, name)
})

t.test('the limits are those of JSON', async t => {
  const small = createEncoder({ encoding: 'msgpack', maxBytes: 1_000 })
  const empty = small.encode({ ...message, args: [''] }).length + 2 // a longer text has a longer length
  t.equal(small.encode({ ...message, args: ['x'.repeat(1_000 - empty)] }).length, 1_000)
  t.throws(() => small.encode({ ...message, args: ['x'.repeat(1_001 - empty)] }), {
    code: 'BODY_TOO_LARGE',
    details: { bytes: 1_001, maxBytes: 1_000 },
  })
  const large = createEncoder({ encoding: 'msgpack', maxBytes: 8 * 1_048_576 })
  const most = [nested(DEEPEST - 1), Buffer.alloc(5_000_000)]
  deepStrictEqual(large.decode(large.encode({ ...message, args: most })).args, most)
  t.throws(() => decode(large.encode({ ...message, args: most })), { code: 'BODY_UNDECODABLE', message: /bytes are more than/ })
  t.strictSame(decode(encode({ ...message, args: nested(DEEPEST) })).args, nested(DEEPEST))
  t.throws(() => encode({ ...message, args: Array.from({ length: 100_001 }, () => []) }), {
    code: 'NOT_DATA',
    message: /100000 arrays and objects/,
  })
})

t.test('what msgpack would lose or change is refused with its path, its kind and the fix', async t => {
  for (const [value, path, what, help] of [
    [[{ a: [1, 2n ** 64n] }], 'args[0].a[1]', 'a bigint of more than 64 bits', /toString/],
    [[{ 'a-b': -0 }], 'args[0]["a-b"]', '-0', /Send 0/],
    [[{ '\ud800': 1 }], 'args[0]["\\ud800"]', 'a text with half a character', /utf16le/],
    [['\ufeffa'], 'args[0]', 'a text that begins with a byte order mark', /slice\(1\)/],
    [[new Date(NaN)], 'args[0]', 'an invalid Date', /null/],
    [[new Float32Array(2)], 'args[0]', 'a Float32Array', /new Uint8Array\(value\.buffer/],
    [[new ArrayBuffer(2)], 'args[0]', 'a ArrayBuffer', /new Uint8Array\(value\)/],
    [[Array(1)], 'args[0][0]', 'a hole in a list', /Array\.from/],
    [[new Map()], 'args[0]', 'a Map', /\[\.\.\.map\]/],
    [[Object.create(Date.prototype)], 'args[0]', 'a class instance', /plain object/],
    [[Object.create(Uint8Array.prototype)], 'args[0]', 'a class instance', /plain object/],
  ] as const) {
    const { message: sentence, details, help: fix, code } = thrown(() => encode({ ...message, args: value }))
    t.equal(code, 'NOT_DATA', what)
    t.ok(sentence.startsWith(`${path} for send_mail is ${what}`), sentence)
    t.match(sentence, /which msgpack would lose or change/)
    t.equal(details?.['path'], path)
    t.match(fix, help)
  }
  t.equal(thrown(() => encode({ ...message, options: { deep: [new Set()] } })).details?.['path'], 'options.deep[0]')
})

function thrown(run: () => unknown): GreenroomError {
  try {
    run()
  } catch (error) {
    if (error instanceof GreenroomError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

/** A program that says what it has loaded of msgpackr: at first, after a JSON message, after a msgpack body that another wrote. */
const PROGRAM = `
  const { basename } = require('node:path')
  const loaded = () => Object.keys(require.cache).filter(path => /node_modules.*msgpackr/.test(path)).map(path => basename(path))
  const run = async ({ greenroom }, { memoryBroker }) => {
    const ran = [], all = [loaded()]
    const broker = memoryBroker(), app = greenroom({ broker })
    const work = async () => (await app.work({ until: 'idle' })).stopped
    const actor = app.actor(value => void ran.push(value), { name: 'good' })
    await actor.send('x')
    await work()
    all.push(loaded())
    await broker.push([{ id: 'raw', queue: 'default', attempt: 0, priority: 1, body: Buffer.from('${packedArgument('a179').toString('hex')}', 'hex') }])
    await work()
    all.push(loaded())
    await app.close()
    await broker[Symbol.asyncDispose]()
    console.log(JSON.stringify([ran, ...all]))
  }`

const inDist = (path: string) => JSON.stringify(join(root, 'dist/cjs', path))
for (const [format, load] of [
  ['ESM', `Promise.all([import('greenroom'), import('greenroom/memory')]).then(all => run(...all))`],
  ['CommonJS', `run(require(${inDist('index.js')}), require(${inDist('brokers/memory/index.js')}))`],
] as const)
  t.test(
    `msgpackr is loaded with the first msgpack body, also by an app that writes JSON, in ${format}; its native addon never`,
    async t => {
      const out = execFileSync(process.execPath, ['-e', `${PROGRAM}\n${load}`], { cwd: root, encoding: 'utf8' })
      t.strictSame(JSON.parse(out), [['x', 'y'], [], [], ['index-no-eval.cjs']])
    },
  )

t.test('nothing that another user of msgpackr sets up in this process changes what we write or read', async t => {
  const other = createRequire(import.meta.url)('msgpackr/index-no-eval') as {
    readonly Packr: new (options: object) => { pack(value: unknown): Buffer; unpack(bytes: Buffer): unknown }
  }
  const records = new other.Packr({ structuredClone: true, sequential: true })
  const before = encode({ ...message, args: [{ a: 1, b: [2] }] })
  records.unpack(
    records.pack([
      { a: 1, b: 2 },
      { a: 1, b: 3 },
    ]),
  )
  t.strictSame(encode({ ...message, args: [{ a: 1, b: [2] }] }), before)
  t.strictSame(decode(before).args, [{ a: 1, b: [2] }])
})

t.test('where msgpackr cannot be loaded, a send fails and a worker puts the message back for others', async t => {
  const missing = () => {
    throw new Error("Cannot find module 'msgpackr/index-no-eval'")
  }
  t.throws(() => makeCodec(missing), { code: 'DRIVER_MISSING', retryable: true, cause: /Cannot find/ })
  const { app, clock, memory, until, all, lines } = await openMoving(t)
  const ran: unknown[] = []
  const keep = app.actor((value: string) => void ran.push(value), { name: 'keep' })
  const { encoder } = internalsOf(app) as { encoder: { decode(body: Uint8Array): Message } }
  const reads = encoder.decode
  encoder.decode = () => makeCodec(missing) as never
  await keep.with({ id: 'one' }).send('x')
  await app.work()
  await until('trouble')
  t.match(all('trouble')[0], { what: /the message one was put back: The package msgpackr cannot be loaded/ })
  t.match(await memory.inspector.find('one'), { place: 'delayed', deliveries: 1, envelope: { attempt: 0 } })
  t.ok(lines.some(line => JSON.stringify(line).includes('put back')))
  encoder.decode = reads
  clock.advance(60_000)
  await until('settled')
  t.strictSame(ran, ['x'])
})
