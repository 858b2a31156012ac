/**
 * Settles in micro-batches: what ends in one turn of the event loop goes to the broker together. One batch is under way at
 * a time; what ends meanwhile makes the next one (bounded by the consumer's credit). First settle, then tell who watches.
 *
 * What failed is tried again until the broker answers: as long as the consumer lives it renews the lease, so nobody else would
 * run the message. A settlement that did arrive is `lost` the second time, and changes nothing.
 */
import type { Consumer, Settled, Settlement } from './broker.ts'
import type { Clock, Timer } from './clock.ts'
import { failpoint } from './failpoint.ts'
import { TROUBLE_MAX_MS, TROUBLE_MIN_MS } from './defaults.ts'

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
  /** Tries nothing again any more: the consumer is gone, and with it the leases. */
  end(): void
}

/** A settlement, and who hears of it. */
export interface Item {
  readonly settlement: Settlement
  /** What the broker said. Not called when it never answered. */
  told(settled: Settled): void
}

export interface SettlerParts {
  readonly consumer: Consumer
  readonly clock: Clock
  /** Called at the end of every turn in which something was added, after the flush. */
  turn(): void
  /** How long the broker took for a batch, and when it answered; undefined where it failed. */
  trip(ms: number, answeredAt: number | undefined): void
  failed(error: unknown, count: number): void
}

export function createSettler({ consumer, clock, turn, trip, failed }: SettlerParts): Settler {
  let waiting: Item[] = [],
    underWay = 0,
    scheduled = false
  const idlers: (() => void)[] = []
  let failing: Item[] = [],
    trying = 0,
    failures = 0,
    resting: Timer | undefined,
    isOver = false

  const pending = () => waiting.length + underWay + failing.length + trying
  const tellIdlers = () => {
    if (pending() === 0) for (const resolve of idlers.splice(0)) resolve()
  }
  const flush = () => {
    if (underWay > 0 || waiting.length === 0) return
    const batch = waiting
    waiting = []
    underWay = batch.length
    void settle(batch).then(() => {
      underWay = 0
      if (waiting.length > 0) return flush()
      tellIdlers()
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
    const start = clock.monotonic()
    const settled = await ask(batch).catch((error: unknown) => {
      failed(error, batch.length)
      failing.push(...batch)
      if (idlers.length > 0 && failures === 0) void again()
      else rest()
    })
    const now = clock.monotonic()
    trip(now - start, settled ? now : undefined)
    if (settled) batch.forEach((item, i) => item.told(settled[i]!))
  }
  /** Asynchronous, so that what is thrown at once is a rejection too. */
  async function ask(batch: readonly Item[]): Promise<readonly Settled[]> {
    failpoint?.('before-settle')
    const settled = await consumer.settle(batch.map(({ settlement }) => settlement))
    failpoint?.('after-settle')
    return settled
  }
  function rest(): void {
    if (isOver) return
    const ms = Math.min(TROUBLE_MAX_MS, TROUBLE_MIN_MS * 2 ** Math.min(failures, 10))
    resting ??= clock.after(ms, () => void again())
  }
  /** Each alone: one of them may be what the broker cannot do. */
  async function again(): Promise<void> {
    resting?.cancel()
    resting = undefined
    if (trying > 0 || failing.length === 0) return
    const items = failing
    failing = []
    trying = items.length
    const answers = await Promise.allSettled(items.map(item => ask([item])))
    trying = 0
    answers.forEach((answer, i) => {
      if (answer.status === 'fulfilled') items[i]!.told(answer.value[0]!)
      else failing.push(items[i]!) // who watches was told of it the first time
    })
    failures = failing.length > 0 ? failures + 1 : 0
    if (failing.length > 0) rest()
    turn()
    tellIdlers()
  }
  return {
    get pending() {
      return pending()
    },
    add(item) {
      waiting.push(item)
      schedule()
    },
    nudge: schedule,
    flush,
    idle: () =>
      new Promise(resolve => {
        if (pending() === 0) return resolve()
        idlers.push(resolve)
        flush()
        void again()
      }),
    end() {
      isOver = true
      resting?.cancel()
      for (const resolve of idlers.splice(0)) resolve()
    },
  }
}
