import { runInNewContext } from 'node:vm'
import t from 'tap'
import { checkData, DEEPEST } from '../../lib/data.ts'

class Money {
  readonly cents = 5
}
const cycle: Record<string, unknown> = {}
cycle['self'] = { cycle }
const shared = { a: 1 }
const hostile = new Proxy(
  {},
  {
    getPrototypeOf: () => null,
    ownKeys: () => ['x'],
    getOwnPropertyDescriptor: () => ({ value: 1, enumerable: true, configurable: true }),
  },
)

/** Arrays in arrays, `levels` in all. */
const nested = (levels: number): unknown[] => (levels === 1 ? [] : [nested(levels - 1)])

t.test('what JSON keeps passes', async t => {
  for (const [what, value] of [
    ['texts, numbers, booleans and null', ['', 'ä\u0000\ud800', 0, 1.5, -1, Number.MAX_SAFE_INTEGER, 5e-324, true, false, null]],
    ['plain objects', [{ a: { b: [{}] } }]],
    ['frozen objects', [Object.freeze({ a: Object.freeze([1]) })]],
    ['objects without a prototype', [Object.assign(Object.create(null), { a: 1 })]],
    ['a field that is undefined, which reads the same when it is missing', [{ a: undefined, b: 1 }]],
    ['keys that an object inherits', [JSON.parse('{"__proto__":{"a":1},"constructor":{"prototype":1},"toString":"x"}')]],
    ['a plain object of another realm', [runInNewContext('({ a: [1, { b: 2 }] })')]],
    ['a proxy of plain data', [hostile]],
    ['the same object twice', [shared, [shared]]],
    ['the deepest nesting', nested(DEEPEST)],
  ] as const)
    t.doesNotThrow(() => checkData(value, 'args', 'resize'), what)
})

t.test('what JSON would lose or change is refused with its path, its kind and the fix', async t => {
  for (const [value, path, what, help] of [
    [[() => 1], 'args[0]', 'a function', /call it in the actor/],
    [[{ a: { b: [1, 5n] } }], 'args[0].a.b[1]', 'a bigint', /toString/],
    [[new Date(0)], 'args[0]', 'a Date', /toISOString/],
    [[{ when: new Date(NaN) }], 'args[0].when', 'a Date', /getTime/],
    [[new Map()], 'args[0]', 'a Map', /\[\.\.\.map\]/],
    [[new Set()], 'args[0]', 'a Set', /\[\.\.\.set\]/],
    [[new Money()], 'args[0]', 'a class instance (Money)', /\{ \.\.\.value \}/],
    [
      [
        new (class {
          x = 1
        })(),
      ],
      'args[0]',
      'a class instance',
      /plain object/,
    ],
    [[/x/], 'args[0]', 'a RegExp', /source/],
    [[new Error('x')], 'args[0]', 'a Error', /name, message/],
    [[Promise.resolve()], 'args[0]', 'a Promise', /Await/],
    [[NaN], 'args[0]', 'NaN', /finite/],
    [[Infinity], 'args[0]', 'Infinity', /finite/],
    [[-Infinity], 'args[0]', '-Infinity', /null/],
    [[-0], 'args[0]', '-0', /finite/],
    [[undefined], 'args[0]', 'undefined', /null/],
    [[[1, undefined]], 'args[0][1]', 'undefined', /null/],
    [[Array(2)], 'args[0][0]', 'undefined', /null/],
    [[Symbol('x')], 'args[0]', 'a symbol', /text/],
    [[{ 'a-b': [Symbol('x')] }], 'args[0]["a-b"][0]', 'a symbol', /text/],
    [[new Uint8Array(2)], 'args[0]', 'a Uint8Array', /base64/],
    [[Buffer.from('x')], 'args[0]', 'a Uint8Array', /base64/],
    [[new ArrayBuffer(2)], 'args[0]', 'a ArrayBuffer', /base64/],
    [[new DataView(new ArrayBuffer(2))], 'args[0]', 'a DataView', /base64/],
    [[{ toJSON: () => 1 }], 'args[0]', 'an object with toJSON()', /toJSON\(\) gives/],
    [[Object(5)], 'args[0]', 'a Number', /plain object/],
    [[new URL('http://h')], 'args[0]', 'a URL', /href/],
    [[runInNewContext('new Date()')], 'args[0]', 'a Date', /toISOString/],
    [[new Proxy(new Date(), {})], 'args[0]', /class instance|Date/, /./],
    [nested(DEEPEST + 1), `args${'[0]'.repeat(DEEPEST)}`, /nested more than 64 deep/, /flat/],
    [[cycle], /^args\[0\](\.self\.cycle)+/, /contains itself/, /flat/],
  ] as const) {
    const told = typeof path === 'string' ? `${path} for resize is ${typeof what === 'string' ? what : ''}` : ''
    t.throws(
      () => checkData(value, 'args', 'resize'),
      {
        code: 'NOT_DATA',
        details: { path },
        help,
        message: told === '' ? /is/ : new RegExp(told.replace(/[.[\](){}]/g, '\\$&')),
      },
      String(path).slice(0, 40),
    )
  }
})

t.test("a getter that throws is the sender's own error", async t => {
  const value = Object.defineProperty({}, 'a', {
    enumerable: true,
    get: () => {
      throw new RangeError('mine')
    },
  })
  t.throws(() => checkData([value], 'args', 'resize'), { name: 'RangeError', message: 'mine' })
})
