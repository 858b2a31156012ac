/** A clock that stands still until it is moved: for tests, `greenroom/testing` and the conformance suites. */
import type { Clock, Timer } from './clock.ts'

/** A clock that a test moves. It fires nothing by itself. */
export interface MovingClock extends Clock {
  /** Moves time on by `ms` and fires the timers that fall due, in order, each at its own time. */
  advance(ms: number): void
  /** When the next timer falls due, in ms from now; undefined when none is set. */
  next(): number | undefined
  /** How many timers are set: a leak guard for tests. */
  readonly pending: number
}

/** @param start what `now()` says at first, epoch ms. @default 2026-01-01T00:00Z */
export function movingClock(start = Date.UTC(2026, 0, 1)): MovingClock {
  const timers = new Map<number, { due: number; fn: () => void }>()
  let elapsed = 0,
    made = 0
  const earliest = () => {
    let found: [id: number, due: number] | undefined
    for (const [id, { due }] of timers) if (!found || due < found[1]) found = [id, due]
    return found
  }
  return {
    now: () => start + elapsed,
    monotonic: () => elapsed,
    after(ms, fn): Timer {
      const id = ++made
      timers.set(id, { due: elapsed + Math.max(0, ms), fn })
      return {
        cancel: () => {
          timers.delete(id)
        },
      }
    },
    advance(ms) {
      const end = elapsed + ms
      for (let first = earliest(); first && first[1] <= end; first = earliest()) {
        const { due, fn } = timers.get(first[0])!
        timers.delete(first[0])
        elapsed = Math.max(elapsed, due)
        fn()
      }
      elapsed = end
    },
    next: () => {
      const first = earliest()
      return first && Math.max(0, first[1] - elapsed)
    },
    get pending() {
      return timers.size
    },
  }
}
