/**
 * Whether the event loop is blocked, from what the keeper thread sees at each of its looks. Pure: times come in, a finding goes out.
 * A process that stood still as a whole (SIGSTOP, a laptop that slept, a machine without a free core) is not blocked: then the thread's
 * own look comes late, and by so much the loop is excused.
 */
import { MAX_BLOCK_MS } from '../defaults.ts'
import type { Limits } from './protocol.ts'

/** A limit that nobody asked for is not so short that a busy machine could pass for a loop that hangs. */
const SHORTEST_MS = 2_000
/** It looks twice in the time that counts, but not more often than once a second: each look wakes a core. */
const LOOKS = 2
const LOOK_MS = 1_000
/** While the loop is blocked, so that its return is soon seen. */
const BLOCKED_LOOK_MS = 100

/**
 * How long the loop may stand still. Two workers of a process may have different limits: the longer one counts.
 * @param longestMs the time limit of the actor that blocks, where it is known; else the longest of what runs; 0 when nothing does, and
 * what blocks is other code of the process
 */
export const limitOf = (limits: readonly Limits[], longestMs: number): number =>
  Math.max(
    ...limits.map(
      ({ graceMs, maxBlockMs }) =>
        maxBlockMs ?? (longestMs === 0 ? MAX_BLOCK_MS : Math.min(MAX_BLOCK_MS, Math.max(SHORTEST_MS, longestMs + graceMs))),
    ),
  )

export interface Look {
  readonly now: number
  /** When the loop last moved. */
  readonly beatAt: number
  /** From here on it is blocked. */
  readonly thresholdMs: number
  /** From here on it will not come back. */
  readonly limitMs: number
}

export interface Finding {
  /** `blocked` once for each time; `over` at every look from the limit on; `back` once, when the loop moves again. */
  readonly kind: 'moves' | 'blocked' | 'still' | 'over' | 'back'
  readonly blockedMs: number
}

/** A look that comes later than this was held up. */
const LATE_MS = 250

export interface Watch {
  look(look: Look): Finding
  /** When the next look is meant to be. */
  readonly nextAt: number
}

export function createWatch(): Watch {
  let nextAt: number | undefined,
    seen = -Infinity, // the beat of the last look
    excusedMs = 0, // since that beat
    isBlocked = false

  function find({ now, beatAt, thresholdMs, limitMs }: Look): Finding {
    // Of the time before its first look the thread knows nothing: it began to start when the loop last moved.
    const lateMs = now - (nextAt ?? beatAt)
    if (beatAt !== seen) {
      const blockedMs = beatAt - seen - excusedMs
      seen = beatAt
      excusedMs = 0
      if (isBlocked) {
        isBlocked = false
        return { kind: 'back', blockedMs }
      }
    }
    if (lateMs > LATE_MS) excusedMs += lateMs
    const blockedMs = now - beatAt - excusedMs
    if (blockedMs >= limitMs) return { kind: 'over', blockedMs }
    if (blockedMs < thresholdMs) return { kind: 'moves', blockedMs }
    const kind = isBlocked ? 'still' : 'blocked'
    isBlocked = true
    return { kind, blockedMs }
  }
  return {
    look(look) {
      const finding = find(look),
        { thresholdMs, limitMs } = look
      // Not later than promised: a block as long as the threshold is seen.
      const leftMs = finding.kind === 'moves' ? Math.max(1, Math.min(thresholdMs, limitMs) - finding.blockedMs) : Infinity
      nextAt = look.now + (isBlocked ? BLOCKED_LOOK_MS : Math.min(LOOK_MS, thresholdMs / LOOKS, limitMs / LOOKS, leftMs))
      return finding
    },
    get nextAt() {
      return nextAt ?? Infinity
    },
  }
}
