import t from 'tap'
import { backoffMs } from '../../lib/backoff.ts'

const LOWEST = () => 0
const HIGHEST = () => 1 - Number.EPSILON

t.test('waits are between the shortest one and its double for each failed attempt', async t => {
  for (const [attempt, minBackoff, maxBackoff, low, high] of [
    [0, 1_000, 60_000, 1_000, 2_000],
    [1, 1_000, 60_000, 1_000, 4_000],
    [5, 1_000, 60_000, 1_000, 60_000],
    [1_000, 1_000, 60_000, 1_000, 60_000], // 2 ** 1001 overflows into Infinity, and is cut
    [0, 5_000, 1_000, 5_000, 5_000], // a shortest wait above the longest one counts
    [3, 0, 60_000, 0, 0],
  ] as const) {
    t.equal(backoffMs(attempt, { minBackoff, maxBackoff }, LOWEST), low, `attempt ${attempt}, lowest`)
    t.equal(backoffMs(attempt, { minBackoff, maxBackoff }, HIGHEST), high, `attempt ${attempt}, highest`)
  }
})

t.test('a wait is a whole number', async t => {
  t.equal(
    backoffMs(0, { minBackoff: 333, maxBackoff: 1_000 }, () => 0.123),
    374,
  )
})
