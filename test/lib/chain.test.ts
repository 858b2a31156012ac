import t from 'tap'
import { greenroom, logging, standard } from '../../index.ts'
import { orderChain } from '../../lib/chain.ts'
import type { AnyMiddleware } from '../../lib/middleware.ts'
import { optionTable } from '../../lib/options.ts'
import { retries } from '../../middleware/retries.ts'
import { count } from '../../lib/options.ts'

const names = (list: readonly AnyMiddleware[]) => orderChain(list).map(({ name }) => name)
const STANDARD = ['callbacks', 'retries', 'ageLimit', 'shutdown', 'timeLimit']

t.test('the standard chain, outermost first', async t => {
  t.strictSame(greenroom().chain, STANDARD)
  const reversed = names(standard().toReversed())
  t.strictSame([reversed[0], reversed[1], reversed.at(-1)], ['callbacks', 'retries', 'timeLimit'], 'written the other way round')
})

t.test('a middleware that says where it belongs is there wherever it is written', async t => {
  const results = { name: 'results', inside: ['callbacks'], outside: ['retries'] }
  const chain = ['callbacks', 'results', 'retries', 'ageLimit', 'shutdown', 'timeLimit']
  t.strictSame(names([...standard(), results]), chain)
  t.strictSame(names([results, ...standard()]), chain)
})

t.test("the list's own order holds where nobody says anything", async t => {
  t.strictSame(names([{ name: 'b' }, { name: 'a' }, { name: 'c' }]), ['b', 'a', 'c'])
  t.strictSame(names([{ name: 'b' }, ...standard(), { name: 'a' }]), ['b', ...STANDARD, 'a'])
})

t.test('places beside middleware that are not composed are ignored', async t => {
  t.strictSame(names([{ name: 'a', inside: ['nobody'], outside: ['nothing'] }]), ['a'])
})

t.test('a cycle names those who are in it', async t => {
  for (const list of [
    [
      { name: 'a', inside: ['b'] },
      { name: 'b', inside: ['a'] },
    ],
    [
      { name: 'a', inside: ['b'] },
      { name: 'b', outside: ['x'], inside: ['c'] },
      { name: 'c', inside: ['a'] },
    ],
    [{ name: 'a', inside: ['b'], outside: ['b'] }, { name: 'b' }],
    [{ name: 'a', inside: ['a'] }],
  ])
    t.throws(() => orderChain(list), { code: 'CHAIN_CYCLE', message: /a/ })
})

t.test('misuse of the list says what was meant', async t => {
  for (const [middleware, code, message] of [
    [[retries], 'MIDDLEWARE_INVALID', /Call it: `retries\(\)`/],
    [[standard()], 'MIDDLEWARE_INVALID', /Spread it: `\.\.\.standard\(\)`/],
    [[undefined], 'MIDDLEWARE_INVALID', /undefined in `middleware`/],
    [[null], 'MIDDLEWARE_INVALID', /null/],
    [['retries'], 'MIDDLEWARE_INVALID', /"retries"/],
    [[{}], 'MIDDLEWARE_INVALID', /an object/],
    [[{ name: '' }], 'MIDDLEWARE_INVALID', /defineMiddleware/],
    [[{ name: 'a', process: 5 }], 'MIDDLEWARE_INVALID', /a\.process is not a function/],
    [[{ name: 'a', send: {} }], 'MIDDLEWARE_INVALID', /a\.send/],
    [[{ name: 'a', setup: 'x' }], 'MIDDLEWARE_INVALID', /a\.setup/],
    [[{ name: 'a', on: { settled: 5 } }], 'MIDDLEWARE_INVALID', /a\.on\.settled/],
    [[{ name: 'a' }, { name: 'a' }], 'CHAIN_DUPLICATE', /called a/],
    [[...standard(), ...standard()], 'CHAIN_DUPLICATE', /callbacks/],
    [retries(), 'MIDDLEWARE_INVALID', /list/],
    ['retries', 'MIDDLEWARE_INVALID', /list/],
  ] as const)
    t.throws(() => greenroom({ middleware: middleware as never }), { code, message })
})

t.test('two middleware that declare one option are an error, and so is one that takes an option of the core', async t => {
  const options = (name: string) => ({ [name]: count(1) })
  t.throws(
    () =>
      greenroom({
        middleware: [
          { name: 'a', options: options('x') },
          { name: 'b', options: options('x') },
        ],
      }),
    {
      code: 'OPTION_CLASH',
      message: /b and a both declare the option x/,
    },
  )
  for (const own of ['queue', 'delay', 'name', 'priority', 'id', 'once']) {
    t.throws(() => greenroom({ middleware: [{ name: 'a', options: options(own) }] }), {
      code: 'OPTION_CLASH',
      message: new RegExp(`option ${own}`),
    })
  }
  t.throws(() => greenroom({ middleware: [...standard(), { name: 'a', options: options('maxRetries') }] }), {
    code: 'OPTION_CLASH',
    message: /retries/,
  })
})

t.test('an option whose name would not survive the wire is refused when the app is made', async t => {
  for (const name of ['max_things', '__proto__', 'constructor', 'prototype']) {
    const table = () => optionTable([{ name: 'a', options: Object.fromEntries([[name, count(1)]]) }], new Set())
    t.throws(table, { code: /OPTION_INVALID|MIDDLEWARE_INVALID/, message: new RegExp(name) }, name)
  }
})

t.test('logging may stand anywhere', async t => {
  t.strictSame(greenroom({ middleware: [...standard(), logging({ log: console })] }).chain, [...STANDARD, 'logging'])
})
