/** How many messages a worker runs and holds: pure bookkeeping, no I/O. */
import { AHEAD_LONGEST_MS, AHEAD_MAX, AHEAD_SMOOTHING, AHEAD_WINDOW_MS, HELD_MS } from './defaults.ts'
import type { Delivery } from './broker.ts'

export interface Slots {
  readonly running: number
  readonly held: number
  /** How many more to ask the broker for, in all and, where queues have limits, of each. */
  wanted(now: number): { readonly max: number; readonly room?: Readonly<Record<string, number>> }
  /** Keeps a delivery until it can start. */
  hold(delivery: Delivery, now: number): void
  /** The next held delivery that may start, already counted as running. */
  next(): Delivery | undefined
  /** A run ended. */
  end(queue: string): void
  /** How long the broker took to answer, ms: what is held ahead must last as long. */
  trip(ms: number): void
  /** Removes and returns held deliveries: those since before `HELD_MS`, or all. */
  overdue(now: number): readonly Delivery[]
  all(): readonly Delivery[]
  /** Forgets held deliveries whose lease is gone. */
  forget(tokens: ReadonlySet<string>): void
}

/** @param isFull nothing is asked for and nothing started while it is; what is held goes back in time */
export function createSlots(
  concurrency: number,
  limits: ReadonlyMap<string, number> | undefined,
  isFull: () => boolean = () => false,
): Slots {
  let held: { readonly delivery: Delivery; readonly since: number }[] = []
  let running = 0,
    ahead = 0,
    ended = 0,
    windowStart = 0,
    leadMs = AHEAD_WINDOW_MS
  const runningOf = new Map<string, number>()
  const free = (queue: string) => !limits || (runningOf.get(queue) ?? 0) < (limits.get(queue) ?? concurrency)
  const count = (queue: string, by: number) => {
    if (limits) runningOf.set(queue, (runningOf.get(queue) ?? 0) + by)
  }

  /** `ahead` is what runs while the broker is asked for more: 0 for slow handlers, so that nothing waits behind them while others idle. */
  const adapt = (now: number) => {
    const elapsed = now - windowStart
    if (elapsed < leadMs) return
    ahead = Math.min(AHEAD_MAX, Math.round((ended / elapsed) * leadMs))
    ended = 0
    windowStart = now
  }
  const take = (wanted: (item: { readonly delivery: Delivery; readonly since: number }) => boolean) => {
    const taken = held.filter(wanted)
    if (taken.length > 0) held = held.filter(item => !wanted(item))
    return taken.map(({ delivery }) => delivery)
  }
  return {
    get running() {
      return running
    },
    get held() {
      return held.length
    },
    wanted(now) {
      adapt(now)
      const max = isFull() ? 0 : Math.max(0, concurrency + ahead - running - held.length)
      if (!limits) return { max }
      const room: Record<string, number> = Object.create(null)
      for (const [queue, limit] of limits) room[queue] = limit + ahead - (runningOf.get(queue) ?? 0)
      for (const {
        delivery: {
          envelope: { queue },
        },
      } of held)
        room[queue] = (room[queue] ?? 0) - 1
      for (const queue of limits.keys()) room[queue] = Math.max(0, room[queue]!)
      return { max: Object.values(room).some(left => left > 0) ? max : 0, room }
    },
    hold(delivery, now) {
      held.push({ delivery, since: now })
    },
    next() {
      if (running >= concurrency || held.length === 0 || isFull()) return undefined
      const index = limits ? held.findIndex(({ delivery }) => free(delivery.envelope.queue)) : 0
      if (index < 0) return undefined
      const { delivery } = index === 0 ? held.shift()! : held.splice(index, 1)[0]!
      running++
      count(delivery.envelope.queue, 1)
      return delivery
    },
    end(queue) {
      running--
      ended++
      count(queue, -1)
    },
    trip(ms) {
      const settleAndTake = 2 * ms
      const smooth = leadMs + (settleAndTake - leadMs) / AHEAD_SMOOTHING
      leadMs = Math.min(AHEAD_LONGEST_MS, Math.max(AHEAD_WINDOW_MS, smooth))
    },
    overdue: now => take(({ since }) => now - since > HELD_MS),
    all: () => take(() => true),
    forget(tokens) {
      held = held.filter(({ delivery }) => !tokens.has(delivery.token))
    },
  }
}
