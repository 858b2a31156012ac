/** The checker itself: a sound ledger passes, and each invariant, violated once, is caught and names the message. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { createChecker, INVARIANTS, type Invariant, type Rules, shownViolations, type Verdict } from './checker.ts'
import { countEffects, openLedger, readLedger } from './ledger.ts'

const every = Object.keys(INVARIANTS) as Invariant[]
const strict: Rules = { invariants: every, unflushed: 2, rerunsPerFault: 2, recoveryMs: 100 }

function judge(lines: readonly string[], rules: Rules = strict): Verdict {
  const checker = createChecker(rules)
  for (const line of lines) checker.line(line)
  return checker.verdict()
}
const named = (lines: readonly string[], rules?: Rules) =>
  judge(lines, rules).violations.map(({ invariant, what, ids }) => [invariant, what, ...ids])

/** Worker 1 is killed while it holds 1 and 2, of which 2 has had its effect; worker 2 runs both again. */
const SOUND = [
  'F kill 1 50 51',
  'A 0-3',
  'M 4',
  'W 1 10',
  'S 0 0 1 1 20',
  'E 0 1 21',
  'S 1 0 1 1 30',
  'S 2 0 1 1 31',
  'E 2 1 32',
  'W 2 40',
  'S 1 0 2 2 60',
  'E 1 2 61',
  'S 2 0 2 2 62',
  'E 2 2 63',
  'S 3 0 1 2 70',
  'D 3 200 because',
  'P worker-1 SIGKILL SIGKILL',
  'P worker-2 0 0,130',
  'R handles 10 11 1',
  'T neighbours 100 80',
]

t.test('a sound ledger violates nothing, and is counted', async t => {
  t.strictSame(judge(SOUND), {
    violations: [],
    sent: 4,
    maybe: 1,
    ended: 3,
    dead: 1,
    runs: 6,
    reruns: 2,
    faults: 1,
    idleFaults: 0,
    mostReruns: 2,
    recovery: { medianMs: 12, mostMs: 12 },
  })
})

const also = (...more: readonly string[]) => [...SOUND, ...more]
const instead = (line: string, ...other: readonly string[]) => SOUND.flatMap(each => (each === line ? other : [each]))

t.test('I1: what was acknowledged and neither ran nor died is lost', async t => {
  t.strictSame(named(also('A 5')), [['I1', 'was acknowledged and is lost', 5]])
  t.strictSame(named(also('A 5', 'S 5 0 1 2 80')), [['I1', 'was acknowledged and is lost', 5]], 'a start is no effect')
  t.strictSame(named(also('A 5', 'X 5')), [], 'what has expired is not lost')
  t.strictSame(named(also('M 5')), [], 'nor is what may never have been stored')
})

t.test('I2: a rerun needs a fault of the worker before it', async t => {
  const unexplained = 'ran again, and nothing happened to the worker that ran it'
  const both = [['I2', unexplained, 1, 2]]
  t.strictSame(named(SOUND.slice(1)), both)
  t.strictSame(named(also('S 3 0 2 1 80')), [['I2', unexplained, 3]], 'the fault of another worker is none')
  t.strictSame(named(instead('F kill 1 50 51', 'F kill 1 10 11')), both, 'nor is one before it started')
  t.strictSame(named(instead('F kill 1 50 51', 'F kill 1 90 91')), both, 'nor one after the rerun')
  t.strictSame(named(instead('F kill 1 50 51', 'F term 1 50 51')), both, 'nor is being asked to stop')
})

t.test('I2: what must have been settled before the fault does not run again', async t => {
  const lines = ['F kill 1 50 51', 'A 0-2', 'S 0 0 1 1 1', 'E 0 1 2', 'S 1 0 1 1 3', 'E 1 1 4', 'S 2 0 1 1 5', 'E 2 1 6']
  t.strictSame(named([...lines, 'S 0 0 2 2 60', 'E 0 2 61']), [['I2', 'ran again though it must have been settled', 0]])
  t.strictSame(named([...lines, 'S 1 0 2 2 60', 'E 1 2 61']), [])
})

t.test('I2: one fault has only so many reruns', async t => {
  t.strictSame(named(SOUND, { ...strict, rerunsPerFault: 1 }), [['I2', 'one fault had 2 reruns, and not at most 1']])
})

t.test('I2: the reruns of each fault are counted for that fault', async t => {
  const lines = ['F kill 1 5 5', 'F kill 2 5 5', 'A 0-2', 'S 0 0 1 1 1', 'S 1 0 1 1 2', 'S 2 0 1 2 3']
  const again = [0, 1, 2].flatMap(id => [`S ${id} 0 2 3 6`, `E ${id} 3 7`])
  t.match(judge([...lines, ...again]), { violations: [], reruns: 3, mostReruns: 2, faults: 2, idleFaults: 0 })
})

t.test('I3: nothing runs that nobody sent', async t => {
  t.strictSame(named(also('S 5 0 1 2 80', 'E 5 2 81')), [['I3', 'was never sent', 5]])
  t.strictSame(named(also('S 5 0 1 2 80')), [['I3', 'was never sent', 5]], 'a start is enough')
  t.strictSame(named(also('A 5', 'E 5 2 81')), [['I3', 'had an effect without a start', 5]])
})

t.test('I4: what lives is in one place, and nothing else is left', async t => {
  t.strictSame(named(also('L 4 ready')), [['I4', 'is still ready', 4]])
  const may: Rules = { ...strict, mayStay: ['ready', 'delayed'] }
  t.strictSame(named(also('A 5', 'L 5 ready'), may), [], 'where it may be')
  t.strictSame(named(also('L 4 ready', 'L 4 delayed'), may), [['I4', 'is in two places', 4]])
  t.strictSame(named(also('L 3 ready'), may), [['I4', 'is in two places', 3]], 'a dead letter is in a place')
  t.strictSame(named(also('D 3 200 because')), [['I4', 'is a dead letter twice', 3]])
  t.strictSame(named(also('O body:77')), [['I4', 'left behind: body:77']])
})

t.test('I5: what was interrupted runs again in time', async t => {
  t.strictSame(named(SOUND, { ...strict, recoveryMs: 11 }), [['I5', 'ran again later than 11 ms after the fault', 2]])
})

t.test('I6: processes end as they may', async t => {
  t.strictSame(named(also('P worker-3 1 0,130')), [['I6', 'worker-3 ended with 1, and not with 0 or 130']])
})

t.test('I7: nothing is left unhandled', async t => {
  t.strictSame(named(also('U Error: boom')), [['I7', 'Error: boom']])
})

t.test('I8: what is held is given back', async t => {
  t.strictSame(named(also('R listeners 10 12 1')), [['I8', 'listeners grew from 10 to 12']])
})

t.test('I9: attempts and deliveries count by one', async t => {
  t.match(named(also('A 5', 'S 5 1 1 2 80', 'E 5 2 81')), [['I9', /a first run with an attempt that is not 0/, 5]])
  t.strictSame(named(also('S 3 1 1 2 80')), [], 'a retry')
  t.strictSame(named(also('S 3 2 1 2 80')), [['I9', 'attempts that do not count by one', 3]])
  t.strictSame(named(instead('S 1 0 2 2 60', 'S 1 0 1 2 60')), [['I9', 'a rerun whose deliveries did not grow', 1]])
  t.strictSame(named(SOUND, { ...strict, attempts: id => (id === 3 ? 2 : undefined) }), [
    ['I9', 'had another number of attempts than 2', 3],
  ])
  const back = [...also('S 3 1 1 2 80', 'S 3 0 1 2 81')]
  t.strictSame(named(back), [['I9', 'attempts that do not count by one', 3]], 'none comes back')
})

t.test('I9: a delivery that never started needs a fault before it, each one of its own', async t => {
  const first = (deliveries: number, at = 80) => named(also('A 5', `S 5 0 ${deliveries} 2 ${at}`, 'E 5 2 90'))
  const what = 'a first run whose deliveries are not 1'
  t.strictSame(first(2), [])
  t.strictSame(first(2, 49), [['I9', what, 5]], 'the fault came later')
  t.strictSame(first(3), [['I9', what, 5]], 'there was one fault')
  t.strictSame(first(0), [['I9', what, 5]])
  t.strictSame(named(instead('S 1 0 2 2 60', 'S 1 0 3 2 60')), [])
  const more = named(instead('S 1 0 2 2 60', 'S 1 0 4 2 60'))
  t.strictSame(more, [['I9', 'a rerun whose deliveries grew by more than one', 1]])
})

t.test('I10: a dead letter has its reason and its bytes', async t => {
  const what = 'is a dead letter without its reason or its bytes'
  t.strictSame(named(instead('D 3 200 because', 'D 3 0 because')), [['I10', what, 3]])
  t.strictSame(named(instead('D 3 200 because', 'D 3 200 ')), [['I10', what, 3]])
})

t.test('I11: messages start in order', async t => {
  t.strictSame(named(also('S 4 0 1 2 80', 'A 5-6', 'S 6 0 1 2 81', 'E 6 2 82', 'S 5 0 1 2 83', 'E 5 2 84')), [
    ['I11', 'started after one that was sent later', 5],
  ])
  t.strictSame(
    named(also('S 4 0 1 1 45', 'E 4 1 46', 'S 2 0 3 2 71')).filter(([invariant]) => invariant === 'I11'),
    [],
    'a rerun',
  )
})

t.test('I12: neighbours keep their throughput', async t => {
  t.strictSame(named(also('T others 100 79')), [['I12', 'others fell from 100 to 79']])
})

t.test('only the invariants that were chosen are judged', async t => {
  const broken = also('A 5', 'U boom', 'L 4 ready')
  t.strictSame(
    named(broken, { ...strict, invariants: ['I7'] }).map(([invariant]) => invariant),
    ['I7'],
  )
})

t.test('what a ledger writes is what the checker reads, and a line that a kill tore is none', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'greenroom-ledger-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  {
    using ledger = openLedger(folder)
    ledger.opened(1)
    ledger.acked(0, 3)
    ledger.maybe(3)
    for (const id of [0, 1]) ledger.start(id, 0, 1, 1)
    ledger.effect(0, 1)
    ledger.fault('kill', 1, 0, Number.MAX_SAFE_INTEGER)
    ledger.start(1, 0, 2, 2)
    ledger.effect(1, 2)
    ledger.dead(2, 9, 'two\nlines')
    ledger.exit('a', 'SIGKILL', ['SIGKILL'])
    ledger.resource('rss', 1, 1, 0)
    ledger.throughput('others', 1, 1)
  }
  writeFileSync(join(folder, 'runs'), 'S 9 0', { flag: 'a' })
  const checker = createChecker({ invariants: every })
  await readLedger(folder, checker.line)
  const verdict = checker.verdict()
  t.strictSame(shownViolations(verdict), [])
  t.match(verdict, { sent: 3, maybe: 1, ended: 2, dead: 1, runs: 3, reruns: 1, faults: 1 })
  t.strictSame(shownViolations({ ...verdict, violations: [{ invariant: 'I1', what: 'is lost', count: 2, ids: [4] }] }), [
    'I1 (nothing that was acknowledged is lost): 2 is lost: 4, ...',
  ])
})

t.test('effects are counted while they are written', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'greenroom-ledger-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  using effects = countEffects(folder)
  t.equal(effects.now(), 0)
  using ledger = openLedger(folder)
  ledger.effect(0)
  t.equal(effects.now(), 1)
  writeFileSync(join(folder, 'runs'), 'E 1 1', { flag: 'a' })
  t.equal(effects.now(), 1, 'not before its line has ended')
  writeFileSync(join(folder, 'runs'), ` 5\n${'S 2 0 1 1 6\nE 2 1 7\n'.repeat(30_000)}`, { flag: 'a' })
  t.equal(effects.now(), 30_002)
  t.equal(effects.now(), 30_002)
})

t.test('a million messages take some 30 bytes each', async t => {
  const checker = createChecker({ invariants: every, unflushed: 2 }),
    before = process.memoryUsage().arrayBuffers
  checker.line('A 0-999999')
  for (let id = 0; id < 1_000_000; id++) {
    checker.line(`S ${id} 0 1 1 ${id}`)
    checker.line(`E ${id} 1 ${id}`)
  }
  t.match(checker.verdict(), { violations: [], sent: 1_000_000, ended: 1_000_000 })
  t.ok(process.memoryUsage().arrayBuffers - before < 100e6, 'with what growing left behind')
})
