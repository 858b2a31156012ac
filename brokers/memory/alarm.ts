/** One timer for the earliest of many moments. It never keeps the process alive. */
import type { Clock, Timer } from '../../lib/clock.ts'

export interface Alarm {
  /** Rings at this time (epoch ms) or before. Later moments change nothing; Infinity asks for nothing. */
  by(when: number): void
  cancel(): void
}

/** Timers run on the monotonic clock and moments are wall time: look again so often, in case the wall clock was set. */
const LONGEST_NAP_MS = 60_000

export function alarm(clock: Clock, ring: () => void): Alarm {
  let set: Timer | undefined,
    due = Infinity
  function cancel(): void {
    set?.cancel()
    set = undefined
    due = Infinity
  }
  return {
    by(when) {
      if (when >= due) return
      cancel()
      const now = clock.now()
      due = clock.steady ? when : Math.min(when, now + LONGEST_NAP_MS)
      set = clock.after(
        Math.max(0, due - now),
        () => {
          cancel()
          ring()
        },
        { ref: false },
      )
    },
    cancel,
  }
}
