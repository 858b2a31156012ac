/** The judge of runs with faults: each thing that must not be is caught, and what may be is not. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { type Facts, judge } from './judge.ts'
import { type Kind, type Mark, openMarks, readMarks } from './marks.ts'

const mark = (kind: Kind, n: number, pid = 1, attempt = 0): Mark => ({ kind, n, attempt, deliveries: 1, pid })
const run = (n: number, pid = 1, attempt = 0) => [mark('start', n, pid, attempt), mark('end', n, pid, attempt)]
const facts = (marks: readonly Mark[], rest: Partial<Facts> = {}): Facts => ({
  size: 3,
  acked: () => true,
  dead: new Set(),
  faulty: new Set(),
  marks,
  ...rest,
})
const CLEAN = { ran: 3, again: 0, lost: [], unexplained: [], phantom: [], attempts: [], disorder: [], perFault: 0 }

t.test('a run without a fault is clean', async t => {
  t.strictSame(judge(facts([...run(0), ...run(1), ...run(2)])), CLEAN)
})

t.test('what was acknowledged and never ended is lost, unless it is dead', async t => {
  t.match(judge(facts([...run(0), mark('start', 1), ...run(2)])), { lost: [1], ran: 2 })
  t.match(judge(facts([...run(0), ...run(2)])), { lost: [1] })
  t.match(judge(facts([...run(0), ...run(2)], { dead: new Set([1]) })), { lost: [] })
  t.match(judge(facts([...run(0), ...run(2)], { acked: n => n !== 1 })), { lost: [] }, 'it was never acknowledged')
})

t.test('a second run needs a fault of the one before', async t => {
  const twice = [...run(0, 7), ...run(0, 8), ...run(1), ...run(2)]
  t.match(judge(facts(twice)), { unexplained: [0], again: 1 })
  t.match(judge(facts(twice, { faulty: new Set([8]) })), { unexplained: [0] }, 'not of the later one')
  t.match(judge(facts(twice, { faulty: new Set([7]) })), { unexplained: [], again: 1, perFault: 1 })
})

t.test('an attempt that failed explains the next, and none may be left out or come back', async t => {
  t.match(judge(facts([mark('start', 0), ...run(0, 1, 1), ...run(1), ...run(2)])), { unexplained: [], attempts: [], again: 0 })
  t.match(judge(facts([mark('start', 0), ...run(0, 1, 2), ...run(1), ...run(2)])), { attempts: [0] })
  t.match(judge(facts([...run(0, 1, 1), ...run(1), ...run(2)])), { attempts: [0] })
})

t.test('what nobody sent must not run', async t => {
  t.match(judge(facts([...run(0), ...run(1), ...run(2), ...run(3)])), { phantom: [3, 3] })
  t.match(judge(facts([...run(0), ...run(1)], { acked: n => n === 0 })), { phantom: [1, 1] })
  t.match(judge(facts([...run(0), ...run(1)], { acked: n => n === 0, maybe: n => n === 1 })), { phantom: [], lost: [] })
})

t.test('what begins after a later one is out of order; a second run is not', async t => {
  t.match(judge(facts([...run(1), ...run(0), ...run(2)])), { disorder: [0] })
  t.match(judge(facts([...run(0), ...run(1), ...run(0), ...run(2)], { faulty: new Set([1]) })), { disorder: [] })
})

t.test('the runs that a fault made happen again are counted for each fault', async t => {
  const marks = [...run(0, 7), ...run(1, 7), ...run(2, 8), ...run(0, 9), ...run(1, 9), ...run(2, 9)]
  t.match(judge(facts(marks, { faulty: new Set([7, 8]) })), { again: 3, perFault: 2 })
})

t.test('marks are read back in their order', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'greenroom-ledger-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const { mark } = openMarks(folder)
  mark('start', 4_000_000, 2, 3)
  mark('end', 4_000_000, 2, 3)
  const one = { n: 4_000_000, attempt: 2, deliveries: 3, pid: process.pid }
  t.strictSame(
    Array.from(readMarks(folder), each => ({ ...each })),
    [
      { kind: 'start', ...one },
      { kind: 'end', ...one },
    ],
  )
})
