import t from 'tap'
import { createDeadlines } from '../../lib/deadlines.ts'
import { movingClock } from '../../lib/moving-clock.ts'

/** Runs with deadlines, and which of them expired when. */
function deadlined() {
  const clock = movingClock(),
    active = new Set<{ deadline: number; expire(): void }>(),
    expired: [name: string, at: number][] = []
  const deadlines = createDeadlines(clock, () => active)
  return {
    clock,
    expired,
    deadlines,
    begin(name: string, ms: number) {
      const item = {
        deadline: clock.monotonic() + ms,
        expire() {
          item.deadline = Infinity
          expired.push([name, clock.monotonic()])
        },
      }
      active.add(item)
      deadlines.heed(item.deadline)
      return { end: () => active.delete(item) }
    },
  }
}

t.test('each expires once, at its own time, in whatever order they began; and one timer serves all', async t => {
  const { clock, begin, expired } = deadlined()
  for (const [name, ms] of Object.entries({ late: 500, early: 100, never: Infinity, same: 100, middle: 300 })) begin(name, ms)
  t.equal(clock.pending, 1)
  clock.advance(99)
  t.strictSame(expired, [])
  clock.advance(1_000)
  t.strictSame(expired, [
    ['early', 100],
    ['same', 100],
    ['middle', 300],
    ['late', 500],
  ])
  t.equal(clock.pending, 0)
})

t.test('what ended in time does not expire, and does not keep others from it', async t => {
  const { clock, begin, expired } = deadlined()
  begin('gone', 100).end()
  clock.advance(50)
  begin('stays', 100)
  clock.advance(1_000)
  t.strictSame(expired, [['stays', 150]])
})

t.test('after the end nothing expires and no timer is set', async t => {
  const { clock, begin, expired, deadlines } = deadlined()
  begin('one', 100)
  deadlines.end()
  begin('two', 50)
  t.equal(clock.pending, 0)
  clock.advance(1_000)
  t.strictSame(expired, [])
})
