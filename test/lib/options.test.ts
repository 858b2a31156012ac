import t from 'tap'
import { shown } from '../../lib/duration.ts'
import { count, custom, defaultsOf, duration, flag, optionTable, perMessage, resolve, text } from '../../lib/options.ts'

t.test('each kind of option reads what it takes, and refuses the rest with its name', async t => {
  for (const [what, option, good, bad] of [
    [
      'count',
      count(20),
      [
        [0, 0],
        [1_000_000, 1_000_000],
      ],
      [-1, 1.5, NaN, Infinity, '5', null, 1_000_001, true],
    ],
    ['count with a highest', count(0, { max: 3 }), [[3, 3]], [4]],
    [
      'duration',
      duration('15s'),
      [
        ['1s', 1_000],
        [0, 0],
      ],
      [Infinity, 'Infinity', -1, 'x', null, {}],
    ],
    [
      'duration without an end',
      duration(Infinity),
      [
        ['1s', 1_000],
        [Infinity, Infinity],
        ['Infinity', Infinity],
      ],
      [-Infinity, NaN],
    ],
    [
      'flag',
      flag(false),
      [
        [true, true],
        [false, false],
      ],
      [0, 1, 'true', null],
    ],
    [
      'text',
      text(),
      [
        ['', ''],
        ['x'.repeat(1_024), 'x'.repeat(1_024)],
      ],
      ['x'.repeat(1_025), 5, null, {}],
    ],
  ] as const) {
    for (const [given, read] of good) t.equal(option.parse(given, 'mine'), read, `${what} takes ${shown(given)}`)
    for (const given of bad)
      t.throws(
        () => option.parse(given, 'mine'),
        { code: /OPTION_INVALID|DURATION_INVALID/, message: /^mine / },
        `${what} refuses ${shown(given)}`,
      )
    t.equal(option.perMessage, false)
    t.equal(perMessage(option as ReturnType<typeof text>).perMessage, true)
    t.equal(perMessage(option as ReturnType<typeof text>).parse(good[0][0] as string, 'mine'), good[0][1])
  }
  t.strictSame(
    [count(20).default, duration('15s').default, duration(Infinity).default, flag(true).default, text().default],
    [20, 15_000, Infinity, true, undefined],
  )
})

const table = optionTable(
  [
    { name: 'a', options: { size: perMessage(count(1)), kept: count(2) } },
    { name: 'b', options: { region: custom<string, string>({ default: 'eu', parse: value => String(value).toUpperCase() }) } },
    { name: 'c' },
  ],
  new Set(['queue']),
)

t.test('options are laid over their base: only those that are declared, given, and allowed there', async t => {
  const defaults = defaultsOf(table)
  t.strictSame({ ...defaults }, { size: 1, kept: 2, region: 'eu' })
  t.equal(resolve(table, defaults, {}, 'message'), defaults, 'the very same where nothing is given')
  t.equal(resolve(table, defaults, { size: undefined, unknown: 5, kept: 9 }, 'message'), defaults, 'also where nothing counts')
  t.strictSame(
    { ...resolve(table, defaults, { size: 5, kept: 9, region: 'us' }, 'message') },
    { size: 5, kept: 2, region: 'eu' },
    'a message says what is per message',
  )
  t.strictSame(
    { ...resolve(table, defaults, { size: 5, kept: 9, region: 'us' }, 'actor') },
    { size: 5, kept: 9, region: 'US' },
    'an actor says all',
  )
  t.strictSame({ ...defaults }, { size: 1, kept: 2, region: 'eu' }, 'the base stays as it was')
  t.throws(() => resolve(table, defaults, { size: -1 }, 'message'), { code: 'OPTION_INVALID' })
})

t.test('an option that nobody gave is not found on a prototype', async t => {
  const resolved = resolve(
    table,
    defaultsOf(table),
    JSON.parse('{"__proto__":{"size":9},"toString":1}') as Record<string, unknown>,
    'message',
  )
  t.equal(Object.getPrototypeOf(resolved), null)
  t.equal(resolved['toString'], undefined)
  t.equal(resolved['size'], 1)
})
