import t from 'tap'
import { durationMs, LONGEST_MS, shortDuration, shown } from '../../lib/duration.ts'

t.test('a duration is milliseconds, or a number with its unit', async t => {
  for (const [value, ms] of [
    [0, 0],
    [1.5, 1.5],
    ['0ms', 0],
    ['500ms', 500],
    ['30s', 30_000],
    ['1.5h', 5_400_000],
    ['5m', 300_000],
    ['7d', 604_800_000],
    ['365d', LONGEST_MS],
    [LONGEST_MS, LONGEST_MS],
  ] as const)
    t.equal(durationMs(value, 'delay'), ms, `${value}`)
})

t.test('what is not a duration is refused with the name of its option', async t => {
  for (const value of [
    -1,
    NaN,
    Infinity,
    -Infinity,
    1e308,
    LONGEST_MS + 1,
    '366d',
    '',
    '5',
    's',
    '-5s',
    '1e3s',
    '5 s',
    '5S',
    '.5s',
    '5.s',
    '0x10s',
    '5m30s',
    '５s',
    '5s\n',
    null,
    undefined,
    true,
    {},
    [],
    [5],
    5n,
    Symbol('5s'),
    new Date(5),
    () => 5,
    'Infinity',
  ] as const)
    t.throws(
      () => durationMs(value, 'timeLimit'),
      { code: 'DURATION_INVALID', message: /timeLimit is not a duration/ },
      shown(value),
    )
})

t.test('Infinity is a duration only where there may be no limit', async t => {
  t.equal(durationMs(Infinity, 'maxAge', { infinite: true }), Infinity)
  t.throws(() => durationMs(-Infinity, 'maxAge', { infinite: true }), { code: 'DURATION_INVALID' })
  t.throws(() => durationMs(Infinity, 'delay'), { code: 'DURATION_INVALID' })
})

t.test('a duration for people', async t => {
  for (const [ms, text] of [
    [0, '0ms'],
    [999, '999ms'],
    [1_500, '1.5s'],
    [60_000, '1m'],
    [5_400_000, '1.5h'],
    [604_800_000, '7d'],
  ] as const)
    t.equal(shortDuration(ms), text)
})

t.test('any value has a short picture for an error', async t => {
  for (const [value, picture] of [
    ['a"b', '"a\\"b"'],
    ['x'.repeat(100), JSON.stringify(`${'x'.repeat(60)}…`)],
    ['two\nlines', '"two\\nlines"'],
    [() => 1, 'a function'],
    [Symbol('s'), 'a symbol'],
    [5n, '5'],
    [null, 'null'],
    [undefined, 'undefined'],
    [[1], 'an array'],
    [{ a: 1 }, 'an object'],
    [new Date(), 'an object'],
  ] as const)
    t.equal(shown(value), picture)
})
