/**
 * Whether a run kept its promises, from its marks. Pure. The numbers are those of the invariants in docs/internals.md:
 *
 *   lost         I1  acknowledged, and neither run to its end nor dead
 *   unexplained  I2  run again although nobody who ran it before was killed, stopped or failed
 *   phantom      I3  run, and nobody sent it
 *   attempts     I9  an attempt that does not follow the one before
 *   disorder     I11 begun after a later one
 *   perFault     P2  the most runs that one fault made happen again
 */
import type { Mark } from './marks.ts'

export interface Judged {
  readonly ran: number
  readonly again: number
  readonly lost: readonly number[]
  readonly unexplained: readonly number[]
  readonly phantom: readonly number[]
  readonly attempts: readonly number[]
  readonly disorder: readonly number[]
  readonly perFault: number
}

export interface Facts {
  /** How many numbers there are; the sent ones are below. */
  readonly size: number
  readonly acked: (n: number) => boolean
  readonly maybe?: (n: number) => boolean
  /** Dead letters, or gone by a policy that the user set. */
  readonly dead: ReadonlySet<number>
  /** Processes to which something was done, so that what they held may run again. */
  readonly faulty: ReadonlySet<number>
  readonly marks: Iterable<Mark>
}

/** Violations are named, but not by the million. */
const MOST = 20
const sparing = () => {
  const list: number[] = []
  return { list, add: (n: number) => list.length < MOST && list.push(n) }
}

export function judge({ size, acked, maybe = () => false, dead, faulty, marks }: Facts): Judged {
  const starts = new Uint8Array(size),
    ended = new Uint8Array(size),
    lastPid = new Uint32Array(size),
    lastAttempt = new Uint8Array(size)
  const lost = sparing(),
    unexplained = sparing(),
    phantom = sparing(),
    attempts = sparing(),
    disorder = sparing()
  const byFault = new Map<number, number>()
  let ran = 0,
    again = 0,
    latest = -1
  for (const { kind, n, attempt, pid } of marks) {
    if (!(n < size) || !(acked(n) || maybe(n))) {
      phantom.add(n)
      continue
    }
    if (kind === 'end') {
      if (ended[n] === 0) ran++
      ended[n] = 1
      continue
    }
    if (starts[n]! > 0) {
      const failed = attempt === lastAttempt[n]! + 1
      if (!failed) {
        again++
        if (attempt !== lastAttempt[n]) attempts.add(n)
        const before = lastPid[n]!
        if (faulty.has(before)) byFault.set(before, (byFault.get(before) ?? 0) + 1)
        else unexplained.add(n)
      }
    } else {
      if (attempt !== 0) attempts.add(n)
      if (n < latest) disorder.add(n)
      latest = Math.max(latest, n)
    }
    starts[n] = Math.min(255, starts[n]! + 1)
    lastPid[n] = pid
    lastAttempt[n] = attempt
  }
  for (let n = 0; n < size; n++) if (acked(n) && ended[n] === 0 && !dead.has(n)) lost.add(n)
  return {
    ran,
    again,
    lost: lost.list,
    unexplained: unexplained.list,
    phantom: phantom.list,
    attempts: attempts.list,
    disorder: disorder.list,
    perFault: Math.max(0, ...byFault.values()),
  }
}
