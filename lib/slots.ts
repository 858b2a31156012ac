/** How many messages a worker runs and holds: pure bookkeeping, no I/O. */
import { AHEAD_LONGEST_MS, AHEAD_MAX, AHEAD_SMOOTHING, AHEAD_WINDOW_MS, HELD_MS, REJECTED_OVER } from './defaults.ts'
import type { Delivery } from './broker.ts'

/** @template T what there is to run of a delivery */
export interface Slots<T> {
  readonly running: number
  readonly held: number
  /** How many more to ask the broker for, in all and, where queues have limits, of each. */
  wanted(now: number): { readonly max: number; readonly room?: Readonly<Record<string, number>> }
  /** How many a take brought, and how many of those were no messages: as many more are asked for next. */
  took(count: number, rejected: number): void
  /** Keeps a delivery until it can start. */
  hold(delivery: Delivery, now: number, run: T): void
  /** The next held delivery that may start, already counted as running. */
  next(): Held<T> | undefined
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

export interface Held<T> {
  readonly delivery: Delivery
  readonly run: T
  readonly since: number
}

/** @param isFull nothing is asked for and nothing started while it is; what is held goes back in time */
export function createSlots<T>(
  concurrency: number,
  limits: ReadonlyMap<string, number> | undefined,
  isFull: () => boolean = () => false,
): Slots<T> {
  let held: Held<T>[] = []
  let running = 0,
    ahead = 0,
    ended = 0,
    windowStart = 0,
    leadMs = AHEAD_WINDOW_MS,
    taken = 0,
    rejected = 0,
    factor = 1
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
  /** What must be taken to have so many that run; twice as much after each take that brought none. */
  const grossOf = (net: number) =>
    net > 0 && rejected > 0
      ? net + Math.min(AHEAD_MAX, Math.round((factor * net * rejected) / (taken - rejected)))
      : Math.max(0, net)
  const take = (wanted: (item: Held<T>) => boolean) => {
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
      const max = isFull() ? 0 : grossOf(concurrency + ahead - running - held.length)
      if (!limits) return { max }
      const room: Record<string, number> = Object.create(null)
      for (const [queue, limit] of limits) room[queue] = limit + ahead - (runningOf.get(queue) ?? 0)
      for (const {
        delivery: {
          envelope: { queue },
        },
      } of held)
        room[queue] = (room[queue] ?? 0) - 1
      for (const queue of limits.keys()) room[queue] = grossOf(room[queue]!)
      return { max: Object.values(room).some(left => left > 0) ? max : 0, room }
    },
    took(count, none) {
      const before = Math.max(0, 1 - count / REJECTED_OVER)
      taken = taken * before + count
      rejected = rejected * before + none
      factor = none > 0 && none === count ? factor * 2 : 1
    },
    hold(delivery, now, run) {
      held.push({ delivery, run, since: now })
    },
    next() {
      if (running >= concurrency || held.length === 0 || isFull()) return undefined
      const index = limits ? held.findIndex(({ delivery }) => free(delivery.envelope.queue)) : 0
      if (index < 0) return undefined
      const next = index === 0 ? held.shift()! : held.splice(index, 1)[0]!
      running++
      count(next.delivery.envelope.queue, 1)
      return next
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
