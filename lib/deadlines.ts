/**
 * The deadlines of all runs of a worker on one timer. Most runs end long before theirs, so a timer each would be made and cancelled for
 * every message; this one is set for the earliest, looks who is late when it fires, and is set again for whoever is next.
 */
import type { Clock, Timer } from './clock.ts'

/** What has a deadline, by the monotonic clock; Infinity: none. */
export interface Timed {
  readonly deadline: number
  /** Called once its deadline has passed, again at each later one. */
  expire(): void
}

export interface Deadlines {
  /** Heeds a deadline that was set just now. */
  heed(deadline: number): void
  /** Heeds no more. */
  end(): void
}

/** @param active all whose deadlines count */
export function createDeadlines(clock: Clock, active: () => Iterable<Timed>): Deadlines {
  let timer: Timer | undefined,
    earliest = Infinity
  function heed(deadline: number): void {
    if (deadline >= earliest) return
    timer?.cancel()
    earliest = deadline
    timer = clock.after(deadline - clock.monotonic(), look, { ref: false })
  }
  function look(): void {
    const now = clock.monotonic()
    let next = Infinity
    earliest = Infinity
    for (const item of active()) {
      if (item.deadline <= now) item.expire()
      if (item.deadline > now && item.deadline < next) next = item.deadline
    }
    if (next < Infinity) heed(next)
  }
  return {
    heed,
    end() {
      timer?.cancel()
      earliest = -Infinity
    },
  }
}
