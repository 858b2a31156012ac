import t from 'tap'
import type { StopCause } from '../../cli/command.ts'
import { type Step, stopping } from '../../cli/worker/stopping.ts'
import { movingClock } from '../../lib/moving-clock.ts'

t.test('what requests to stop mean, one after the other', async t => {
  const rows: readonly (readonly [supervised: boolean, ...(readonly [afterMs: number, StopCause, Step])[]])[] = [
    [false, [0, 'SIGTERM', 'drain'], [50, 'SIGTERM', 'force'], [50, 'SIGTERM', 'quit']],
    [false, [0, 'SIGINT', 'drain'], [1_000, 'SIGINT', 'force'], [1_000, 'SIGINT', 'quit']],
    [false, [0, 'SIGINT', 'drain'], [5, 'SIGINT', 'ignore'], [1_000, 'SIGINT', 'force'], [5, 'SIGINT', 'ignore']], // npm passes Ctrl-C on a second time
    [false, [0, 'SIGTERM', 'drain'], [0, 'SIGINT', 'force']],
    [false, [0, 'parent is gone', 'drain'], [100, 'SIGTERM', 'force']],
    [true, [0, 'SIGTERM', 'drain'], [100, 'parent stops', 'ignore'], [100, 'SIGTERM', 'ignore'], [100, 'parent forces', 'force']],
    [
      true,
      [0, 'parent stops', 'drain'],
      [100, 'parent is gone', 'ignore'],
      [0, 'parent forces', 'force'],
      [0, 'parent forces', 'ignore'],
    ],
    [true, [0, 'parent forces', 'force'], [0, 'parent is gone', 'ignore']],
  ]
  for (const [supervised, ...requests] of rows) {
    const clock = movingClock()
    const decide = stopping(clock, supervised)
    const steps = requests.map(([afterMs, cause]) => {
      clock.advance(afterMs)
      return decide(cause)
    })
    t.strictSame(
      steps,
      requests.map(([, , step]) => step),
      `${supervised ? 'a child' : 'alone'}: ${requests.map(([, cause]) => cause).join(', ')}`,
    )
  }
})
