/**
 * The end of a run with faults: what the broker still has goes into the ledger of the rig, its checker reads all of it, and each
 * invariant that the run chose becomes a row. A row that is not kept names the messages.
 */
import { type Checker, createChecker, type Invariant, type Rules, shownViolations, type Verdict } from '../rig/checker.ts'
import { type Ledger, readLedger } from '../rig/ledger.ts'
import type { Broker, Place } from '../../lib/broker.ts'
import { until } from './crew.ts'
import { exactly, type Row } from './scenario.ts'

const QUEUE = 'default'
const PLACES: readonly Place[] = ['ready', 'leased', 'suspect', 'delayed', 'dead']
const WHAT: Partial<Readonly<Record<Invariant, string>>> = {
  I1: 'lost',
  I2: 'ran again without a reason',
  I3: 'ran, and nobody sent them',
  I4: 'left over, or in two places',
  I6: 'processes that did not end well',
  I7: 'errors that nobody handled',
  I9: 'attempts and deliveries that do not follow',
  I10: 'dead letters without their reason or bytes',
  I11: 'begun after a later one',
}

export interface Judged {
  readonly verdict: Verdict
  /** One for each invariant. */
  readonly rows: readonly Row[]
  readonly dead: readonly { readonly n: number; readonly reason: string }[]
}

/** @param look sees each line of the ledger as well */
export async function judged(ledger: Ledger, broker: Broker, rules: Rules, look: Checker['line'] = () => {}): Promise<Judged> {
  const dead = await noteRest(ledger, broker),
    checker = createChecker(rules)
  await readLedger(ledger.folder, line => {
    checker.line(line)
    look(line)
  })
  const verdict = checker.verdict()
  const rows = rules.invariants.map(invariant => {
    const violations = verdict.violations.filter(each => each.invariant === invariant),
      row = exactly(
        WHAT[invariant]!,
        0,
        violations.reduce((sum, { count }) => sum + count, 0),
      )
    return row.ok ? row : { ...row, measured: shownViolations({ ...verdict, violations }).join('; ') }
  })
  return { verdict, rows, dead }
}

/** Notes where each message is that is still there; and, as left behind, those that are only counted. */
async function noteRest(ledger: Ledger, broker: Broker): Promise<Judged['dead']> {
  const inspector = broker.inspector!,
    dead: { n: number; reason: string }[] = [],
    counts = await inspector.counts(QUEUE)
  for (const place of PLACES) {
    let listed = 0
    for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
      const page = await inspector.list(QUEUE, place, { limit: 1_000, ...(cursor !== undefined && { cursor }) })
      listed += page.entries.length
      for (const { envelope, reason = '' } of page.entries) {
        const [n] = (JSON.parse(Buffer.from(envelope.body).toString()) as { args: [number] }).args
        if (place !== 'dead') ledger.found(n, place)
        else {
          ledger.dead(n, envelope.body.length, reason)
          dead.push({ n, reason })
        }
      }
      cursor = page.cursor
    }
    if (counts[place] !== listed) ledger.orphan(`${counts[place]} are counted as ${place}, and ${listed} are there`)
  }
  return dead
}

/** Until nothing waits, runs or is held by the dead. */
export const drained = (broker: Broker): Promise<void> =>
  until('the queue empties', async () => {
    const { ready, leased, suspect, delayed } = await broker.inspector!.counts(QUEUE)
    return ready + leased + suspect + delayed === 0 || ready + leased + suspect + delayed
  })
