/** What becomes of each kind of value in each encoding: the table of docs/encodings.md, and what test/encodings.test.ts sends. */
import { DEEPEST } from '../../lib/data.ts'
import type { Encoding } from '../../lib/encoding.ts'

/** `kept` is exactly; `refused` is NOT_DATA; anything else says how it arrives. */
type Verdict = 'kept' | 'refused' | Arrives
export interface Arrives {
  readonly as: string
  readonly value: unknown
}
interface Row extends Readonly<Record<Encoding, Verdict>> {
  readonly what: string
  readonly examples: readonly unknown[]
}

class Money {
  readonly cents = 5
}
class Stack extends Array<number> {}
class Day extends Date {}

/** The first and the last of each width that msgpack has for integers, and of what a double holds. */
const NUMBERS = [
  0,
  1,
  -1,
  127,
  128,
  -32,
  -33,
  255,
  256,
  -129,
  65_536,
  -32_769,
  2 ** 31,
  -(2 ** 31) - 1,
  2 ** 32,
  2 ** 53,
  -(2 ** 53),
].concat([0.1, 1.5, 5e-324, -1e308, Number.MAX_VALUE])
const VIEWS = [Float32Array, Float64Array, Int8Array, Uint16Array, Uint8ClampedArray, BigInt64Array, ArrayBuffer]
  .map((View): unknown => new View(2))
  .concat([new DataView(new ArrayBuffer(2))])
const INSTANCES = [new Error('x'), /x/, new URL('https://example.com'), new Money(), new Day(0), Promise.resolve()]

const row = (what: string, json: Verdict, msgpack: Verdict, ...examples: readonly unknown[]): Row => ({
  what,
  json,
  msgpack,
  examples,
})
const arrives = (as: string, value: unknown): Arrives => ({ as, value })
const both = (verdict: Verdict) => [verdict, verdict] as const
const shared = { a: 1 }
const cycle: Record<string, unknown> = {}
cycle['self'] = cycle
const nested = (levels: number): unknown[] => (levels === 1 ? [] : [nested(levels - 1)])

export const ROWS: readonly Row[] = [
  row('texts', ...both('kept'), '', 'a', 'ä\u0000\n😀\ufeff', '€'.repeat(70_000)),
  row('a text that begins with a byte order mark', 'kept', 'refused', '\ufeff', `\ufeff${'x'.repeat(100)}`),
  row('a text with half a character (a lone surrogate)', 'kept', 'refused', 'a\ud800', `${'x'.repeat(100)}\udc00b`),
  row('finite numbers', ...both('kept'), ...NUMBERS),
  row('`-0`', ...both('refused'), -0),
  row('`NaN`, `Infinity`, `-Infinity`', 'refused', 'kept', NaN, Infinity, -Infinity),
  row('bigints of up to 64 bits', 'refused', 'kept', 0n, 5n, -1n, 2n ** 53n + 1n, 2n ** 64n - 1n, -(2n ** 63n)),
  row('larger bigints', ...both('refused'), 2n ** 64n, -(2n ** 63n) - 1n),
  row('booleans, `null`', ...both('kept'), true, false, null),
  row('lists, plain objects', ...both('kept'), [], [1, [2]], {}, { a: { b: ['c'] }, 'd e': 1, 3: 4 }, Array(70_000).fill(1)),
  row('an object of 70,000 fields', ...both('kept'), Object.fromEntries(Array.from({ length: 70_000 }, (_, i) => [`k${i}`, i]))),
  row(
    'fields called `__proto__`, `constructor`, `prototype`',
    ...both('kept'),
    JSON.parse('{"__proto__":{"isAdmin":true},"constructor":{"prototype":{}},"prototype":1}'),
    JSON.parse('{"__proto__":null,"a":[{"__proto__":1}]}'),
    { constructor: 1, toJSON: 5, hasOwnProperty: 6 },
  ),
  row(
    'an object without a prototype',
    ...both(arrives('arrives as a plain object', { a: 1 })),
    Object.assign(Object.create(null), { a: 1 }),
  ),
  row('one object in two places', ...both(arrives('arrives as two equal ones', [{ a: 1 }, { a: 1 }])), [shared, shared]),
  row('a list of a class of its own', ...both(arrives('arrives as a plain list', [1, 2])), Stack.from([1, 2])),
  row('fields whose key is a symbol', ...both(arrives('left out', { a: 1 })), { a: 1, [Symbol('x')]: 2 }),
  row('a field that is `undefined`', arrives('left out', { b: 1 }), 'kept', { a: undefined, b: 1 }),
  row('`undefined` as an argument, or in a list', 'refused', 'kept', undefined, [1, undefined]),
  row('a hole in a list', ...both('refused'), Array(2)),
  row('dates', 'refused', 'kept', ...[0, 1, -1, 1_700_000_000_123, 2 ** 34 * 1_000, 8.64e15, -8.64e15].map(ms => new Date(ms))),
  row('an invalid date', ...both('refused'), new Date(NaN)),
  row('`Buffer`', 'refused', 'kept', Buffer.from('hi'), Buffer.alloc(0), Buffer.alloc(70_000, 1)),
  row('`Uint8Array`', 'refused', arrives('arrives as a `Buffer`', Buffer.from([1, 2])), new Uint8Array([1, 2])),
  row('other typed arrays, `ArrayBuffer`, `DataView`', ...both('refused'), ...VIEWS),
  row('`Map`, `Set`', ...both('refused'), new Map([[1, 2]]), new Set([1])),
  row('instances of other classes: `Error`, `RegExp`, `URL`, your own', ...both('refused'), ...INSTANCES),
  row('an object with `toJSON()`', ...both('refused'), { toJSON: () => 1 }),
  row('functions, symbols', ...both('refused'), () => 1, Symbol('x')),
  row(`${DEEPEST - 1} lists in one another`, ...both('kept'), nested(DEEPEST - 1)),
  row('what is nested deeper, or contains itself', ...both('refused'), nested(DEEPEST), cycle),
]

const cell = (verdict: Verdict): string => (typeof verdict === 'string' ? verdict : verdict.as)

/** The table as the page has it. */
export const encodingTable = (): string[] => [
  '| value | json | msgpack |',
  '|---|---|---|',
  ...ROWS.map(({ what, json, msgpack }) => `| ${what} | ${cell(json)} | ${cell(msgpack)} |`),
]
