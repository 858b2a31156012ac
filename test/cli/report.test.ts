/** What a worker prints of messages, as lines: one a problem, so many a second of a kind; with --verbose every one. */
import { channel } from 'node:diagnostics_channel'
import t from 'tap'
import type { Io } from '../../cli/command.ts'
import { report } from '../../cli/worker/report.ts'
import { PROBLEM_LINES } from '../../lib/defaults.ts'
import { movingClock } from '../../lib/moving-clock.ts'

const reject = (count: number) => {
  for (let n = 0; n < count; n++) channel('greenroom:rejected').publish({ id: `m${n}`, queue: 'q', reason: 'not JSON' })
}

t.test('a flood of bodies that cannot be read is a few lines and a number', async t => {
  const clock = movingClock(),
    errors: string[] = []
  let last: unknown
  const io = {
    print() {},
    error(line: string, facts: unknown) {
      errors.push(line)
      last = facts
    },
  } as unknown as Io
  const quiet = report(io, { verbose: false, problems: true, clock })
  reject(PROBLEM_LINES + 980)
  t.equal(errors.length, PROBLEM_LINES)
  t.equal(errors[0], 'dead    m0 of the queue q: not JSON')
  clock.advance(1_000)
  t.strictSame(errors.slice(PROBLEM_LINES), ['dead    980 more that could not be read, within 1s'])
  t.match(last, { level: 'error', kind: 'left out', of: 'rejected', count: 980, withinMs: 1_000 }, 'and for machines')
  errors.length = 0
  reject(PROBLEM_LINES + 2)
  quiet()
  t.strictSame(errors.slice(PROBLEM_LINES), ['dead    2 more that could not be read, within 1s'], 'told at the end')
  t.equal(clock.pending, 0)
  errors.length = 0
  const all = report(io, { verbose: true, problems: true, clock })
  reject(PROBLEM_LINES + 2)
  all()
  t.equal(errors.length, PROBLEM_LINES + 2, '--verbose asks for every one')
  const none = report(io, { verbose: false, problems: false, clock })
  reject(1)
  none()
  t.equal(errors.length, PROBLEM_LINES + 2, 'an app that logs by itself')
})
