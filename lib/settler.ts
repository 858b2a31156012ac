/**
 * Settles in micro-batches: what ends in one turn of the event loop goes to the broker together. One batch is under way at
 * a time; what ends meanwhile makes the next one (bounded by the consumer's credit). First settle, then tell who watches.
 */
import type { Consumer, Settled, Settlement } from './broker.ts'
import type { Clock } from './clock.ts'

/** Taken when the module loads: fake timers of test runners replace the global. */
const turnEnds = setImmediate

export interface Settler {
  add(item: Item): void
  /** Makes a turn end even though nothing is to be settled. */
  nudge(): void
  /** Sends what waits now, so that it can share a trip with the take that follows in the same tick. */
  flush(): void
  /** Not yet confirmed. */
  readonly pending: number
  /** Resolves when nothing is pending. Never rejects. */
  idle(): Promise<void>
}

/** A settlement, and who hears of it. */
export interface Item {
  readonly settlement: Settlement
  /** What the broker said; `undefined` when it could not be asked: the lease lapses and the message runs again. */
  told(settled: Settled | undefined): void
}

export interface SettlerParts {
  readonly consumer: Consumer
  readonly clock: Clock
  /** Called at the end of every turn in which something was added, after the flush. */
  turn(): void
  /** How long the broker took for a batch. */
  trip(ms: number): void
  failed(error: unknown, count: number): void
}

export function createSettler({ consumer, clock, turn, trip, failed }: SettlerParts): Settler {
  let waiting: Item[] = [],
    underWay = 0,
    scheduled = false
  const idlers: (() => void)[] = []

  const flush = () => {
    if (underWay > 0 || waiting.length === 0) return
    const batch = waiting
    waiting = []
    underWay = batch.length
    void settle(batch).then(() => {
      underWay = 0
      if (waiting.length > 0) return flush()
      for (const resolve of idlers.splice(0)) resolve()
    })
  }
  function schedule(): void {
    if (scheduled) return
    scheduled = true
    turnEnds(() => {
      scheduled = false
      flush()
      turn()
    })
  }
  async function settle(batch: readonly Item[]): Promise<void> {
    let settled: readonly (Settled | undefined)[] = []
    const start = clock.monotonic()
    try {
      settled = await consumer.settle(batch.map(({ settlement }) => settlement))
    } catch (error) {
      failed(error, batch.length)
    }
    trip(clock.monotonic() - start)
    batch.forEach((item, i) => item.told(settled[i]))
  }
  return {
    get pending() {
      return waiting.length + underWay
    },
    add(item) {
      waiting.push(item)
      schedule()
    },
    nudge: schedule,
    flush,
    idle: () =>
      new Promise(resolve => {
        if (waiting.length + underWay === 0) resolve()
        else {
          idlers.push(resolve)
          flush()
        }
      }),
  }
}
