/**
 * A worker: one loop that takes, starts, settles and waits. It holds no policy: how much to hold is slots.ts, what happens
 * to a message the executor and the chain, how settlements travel the settler.
 *
 *   open -> (close | signal | idle) -> stopping: nothing is taken, what is held goes back, what runs has its grace,
 *        -> then its signal is aborted -> settled -> stopped
 */
import type { Consumer, Delivery } from './broker.ts'
import { sleep, systemClock, type Timer, within } from './clock.ts'
import {
  AHEAD_MAX,
  ASK_MS,
  BLOCKED_MAX_MS,
  BLOCKED_MIN_MS,
  SWEEP_MS,
  TAKE_WAIT_MS,
  TROUBLE_MAX_MS,
  TROUBLE_MIN_MS,
} from './defaults.ts'
import { type Duration, durationMs } from './duration.ts'
import type { Executor, ExecutorParts } from './executor.ts'
import type { Health } from './health.ts'
import { failpoint } from './failpoint.ts'
import type { Keeping } from './keeper/index.ts'
import type { Live } from './live.ts'
import type { Logger } from './log.ts'
import { knownOptions } from './options.ts'
import { tooLate } from './pusher.ts'
import { createSettler } from './settler.ts'
import { createSlots } from './slots.ts'
import type { Run } from './run.ts'
import type { Stuck } from './stuck.ts'
import type { WorkSettings } from './work-options.ts'

/**
 * A worker in this process, made by `app.work()`. Disposing it is `close()`.
 * @example
 * const worker = await app.work()
 * process.once('SIGTERM', () => void worker.close())
 * await worker.stopped
 */
export interface Worker extends AsyncDisposable {
  /** Resolves when the worker has stopped, for whatever reason. Never rejects. */
  readonly stopped: Promise<void>
  /** The queues it serves. */
  readonly queues: readonly string[]
  /** Handlers that run now. */
  readonly running: number
  /** Handlers that go on after their message was settled without them. With `maxStuck` of them it takes nothing more until one ends. */
  readonly stuck: number
  /** How it is, for probes: whether it works, what it holds, when the broker last answered. Never throws, asks nobody, and may be called at any time. */
  health(): Health
  /**
   * Stops: takes nothing more, gives back what has not started, lets running handlers finish within the grace, then aborts
   * their signals and gives the rest back. Resolves when all is settled. A second call may shorten the grace.
   */
  close(options?: { readonly grace?: Duration }): Promise<void>
}

const NONE: ReadonlySet<string> = new Set()

/** Beyond those that run and are held ahead: settlements that the broker has not confirmed yet. */
const UNFLUSHED_MAX = 256

/** Renews the lease and watches the loop from beside it. */
async function keep(consumer: Consumer, executor: Executor, live: Live, settings: WorkSettings, log: Logger): Promise<Keeping> {
  const { leaseMs, graceMs, maxBlockMs } = settings
  const { keepWatch } = await import('./keeper/index.ts')
  return keepWatch({
    app: live.services,
    clock: live.clock,
    kept: consumer.keeper,
    thresholdMs: Math.min(BLOCKED_MAX_MS, Math.max(BLOCKED_MIN_MS, leaseMs / 3)),
    graceMs,
    maxBlockMs,
    longestMs: executor.longestLimitMs,
    blocked: blocked => live.events.emit('blocked', blocked),
    trouble(what, error) {
      if (error === undefined) return log.info({ broker: live.broker.name }, 'the lease is renewed again')
      log.error({ broker: live.broker.name, err: error }, `${what}; it is tried again`)
      live.events.emit('trouble', { what, error })
    },
  })
}

export async function startWorker(
  live: Live,
  createExecutor: (ended: ExecutorParts['ended']) => Executor,
  settings: WorkSettings,
  log: Logger,
  stuck: Stuck,
  /** Lets go of what runs needed, once none is left. */
  release: () => Promise<void> = async () => {},
): Promise<Worker> {
  const { broker, clock, events } = live
  const { queues, limits, concurrency, leaseMs, graceMs, maxMessages } = settings
  const slots = createSlots<Run>(concurrency, limits, () => stuck.isFull)
  const taking = new AbortController(),
    lost = new Set<string>()
  /** Aborted to end one take; and the queues that it may bring nothing of. */
  let asking = new AbortController(),
    full: ReadonlySet<string> = NONE
  let starting = false,
    started = 0
  let stopping: { force(graceMs: number): void } | undefined, wake: (() => void) | undefined, sweepTimer: Timer | undefined

  const executor = createExecutor((delivery, executed) => {
    slots.end(delivery.envelope.queue)
    askAgain(delivery)
    if (lost.delete(delivery.token)) {
      executed.told('lost')
      settler.nudge()
    } else settler.add(executed)
    startHeld()
  })

  await broker.open(queues)
  const consumer: Consumer = await broker.consume({ queues, credit: concurrency + AHEAD_MAX + UNFLUSHED_MAX, leaseMs, onLost })
  /** When the broker last answered, and was last asked for that alone; when the next sweep is due, and how late the last one was. */
  let answeredAt = clock.monotonic(),
    askedAt = answeredAt,
    sweepAt = Infinity,
    lateMs = 0
  const settler = createSettler({
    consumer,
    clock,
    trip(ms, at) {
      slots.trip(ms)
      answeredAt = at ?? answeredAt
    },
    turn() {
      const go = wake
      wake = undefined
      go?.()
    },
    failed(error, count) {
      log.error({ err: error, count }, 'settlements failed; they are tried again until the broker answers')
      events.emit('trouble', { what: `${count} settlements failed`, error })
    },
  })

  stuck.watch(() => {
    asking.abort()
    wake?.()
  })
  const keeping = clock === systemClock ? await keep(consumer, executor, live, settings, log) : undefined

  function onLost(tokens: readonly string[]): void {
    slots.forget(new Set(tokens))
    for (const token of tokens) if (executor.abort('lease lost', token)) lost.add(token)
  }

  function startHeld(): void {
    if (stopping || starting) return // what ends at once starts the next in this loop, and not in one more call
    starting = true
    for (let next = slots.next(); next; next = slots.next()) {
      started++
      executor.execute(next.run, next.delivery)
    }
    starting = false
  }
  /** Holds what can run. What cannot be read is settled at once, past those that wait for a slot: says how many those are. */
  function admit(deliveries: readonly Delivery[], now: number): number {
    let rejected = 0
    for (const delivery of deliveries) {
      const read = executor.read(delivery)
      if ('settlement' in read) {
        rejected++
        settler.add(read)
      } else slots.hold(delivery, now, read)
    }
    started += rejected
    slots.took(deliveries.length, rejected)
    return rejected
  }
  function giveBack(deliveries: readonly Delivery[]): void {
    for (const delivery of deliveries) {
      settler.add({ settlement: { token: delivery.token, kind: 'release', afterMs: 0 }, told() {} })
      askAgain(delivery)
    }
  }
  /** A take that waits for other queues must not keep this one waiting, which has room again. */
  function askAgain({ envelope: { queue } }: Delivery): void {
    if (full.has(queue)) asking.abort()
  }

  /** Until something has ended. */
  const rest = () =>
    new Promise<void>(resolve => {
      wake = resolve
    })
  /** Nothing is to be taken: waits for what is under way, or closes where there is nothing. */
  async function finish(): Promise<void> {
    if (slots.running > 0) return rest()
    if (slots.held === 0 && settler.pending === 0) return void close()
    await settler.idle()
  }

  /** The loop. Ends when the worker stops: also by itself, after `maxMessages`, or when nothing is ready and `until` is 'idle'. */
  async function pump(): Promise<void> {
    let trouble = 0
    while (!stopping) {
      const { max: wanted, room } = slots.wanted(clock.monotonic()),
        max = Math.min(wanted, maxMessages - started - slots.held)
      if (started >= maxMessages) {
        await finish()
        continue
      }
      if (max === 0) {
        await rest()
        continue
      }
      settler.flush()
      if (asking.signal.aborted) asking = new AbortController()
      full = room ? new Set(queues.filter(queue => room[queue] === 0)) : NONE
      const askedSince = clock.monotonic()
      try {
        const deliveries = await consumer.take(max, {
          waitMs: settings.until === 'idle' ? 0 : TAKE_WAIT_MS,
          signal: asking.signal,
          ...(room && { room }),
        })
        full = NONE
        if (trouble > 0) log.info({ broker: broker.name }, 'the broker answers again')
        trouble = 0
        const now = (answeredAt = clock.monotonic())
        if (deliveries.length > 0) failpoint?.('after-take')
        const rejected = admit(deliveries, now)
        if (stopping) return
        startHeld()
        if (rejected > 0) await rest() // their settlements go with the next take; and a flood of them leaves others their turn
        if (deliveries.length > 0 || settings.until !== 'idle') continue
        await finish()
      } catch (error) {
        if (trouble++ === 0) {
          log.error({ broker: broker.name, err: error }, 'the broker does not answer; the worker tries again')
          events.emit('trouble', { what: 'the broker does not answer', error })
        }
        const longest = Math.min(TROUBLE_MAX_MS, TROUBLE_MIN_MS * 2 ** Math.min(trouble, 10))
        // A take that waited for the broker has rested already: while it waits it sees at once that the broker is back.
        const restMs = longest * (0.5 + live.random() / 2) - (clock.monotonic() - askedSince)
        if (restMs > 0) await sleep(clock, restMs, { signal: taking.signal }).catch(() => {})
      }
    }
  }

  function sweep(): void {
    const now = clock.monotonic()
    giveBack(slots.overdue(now))
    executor.endHung(now, settings.hookTimeoutMs)
    void askWhileFull(now)
    lateMs = Math.max(0, now - sweepAt) // the first one was not due before
    sweepAt = now + SWEEP_MS
    sweepTimer = clock.after(SWEEP_MS, sweep) // keeps the process alive while handlers run
  }

  /** A worker whose handlers all run takes nothing for as long as they do, and would not know whether the broker is there. */
  async function askWhileFull(now: number): Promise<void> {
    if (!wake || now - Math.max(answeredAt, askedAt) < ASK_MS) return
    askedAt = now
    try {
      if (!broker.inspector) return
      await broker.inspector.counts(queues[0]!)
      answeredAt = clock.monotonic()
    } catch {
      // it shows in health(), and the next settlement tells of it
    }
  }

  async function stop(firstGraceMs: number): Promise<void> {
    const graceOver = new AbortController()
    const timers: Timer[] = []
    let isOver = false
    stopping = {
      force(graceMs) {
        if (!isOver) timers.push(clock.after(graceMs, () => graceOver.abort())) // afterwards a timer would hold the process up
      },
    }
    graceOver.signal.addEventListener('abort', () => executor.abortAll('shutdown'))
    taking.abort()
    asking.abort()
    wake?.()
    if (events.watched('stopping'))
      events.emit('stopping', { running: slots.running, graceMs: firstGraceMs, messages: executor.messages() })
    stopping.force(firstGraceMs)
    await Promise.race([pumping, new Promise(resolve => graceOver.signal.addEventListener('abort', resolve))]) // a take may hang
    giveBack(slots.all())
    while (slots.running > 0) await rest()
    try {
      await inTime(settler.idle())
    } finally {
      isOver = true
      settler.end()
      executor.end()
      await release()
      for (const timer of [...timers, sweepTimer]) timer?.cancel()
      settings.signal?.removeEventListener('abort', onSignal)
      await keeping?.end()
      await inTime(consumer[Symbol.asyncDispose]())
    }
  }
  /** What the broker has not done within a lease is undone: the leases have lapsed. */
  const inTime = <T>(promise: PromiseLike<T>) =>
    within(Promise.resolve(promise), leaseMs, clock, () => tooLate(broker, leaseMs, 'maybe'))

  let closing: Promise<void> | undefined
  const close: Worker['close'] = async (options = {}) => {
    const { grace } = knownOptions(options, ['grace'], 'worker.close()')
    const ms = grace === undefined ? graceMs : durationMs(grace, 'grace')
    if (stopping) stopping.force(ms)
    closing ??= stop(ms)
      .catch((error: unknown) => log.error({ err: error }, 'the worker failed to stop cleanly'))
      .then(resolveStopped)
    await closing
  }
  let resolveStopped!: () => void
  const stopped = new Promise<void>(resolve => {
    resolveStopped = resolve
  })
  let isStopped = false
  void stopped.then(() => {
    isStopped = true
  })
  const onSignal = () => {
    void close()
  }
  const pumping = pump()
  sweep()
  if (settings.signal?.aborted) onSignal()
  else settings.signal?.addEventListener('abort', onSignal, { once: true })
  return {
    stopped,
    queues,
    get running() {
      return slots.running
    },
    get stuck() {
      return stuck.count
    },
    health() {
      const now = clock.monotonic()
      return {
        state: isStopped ? 'stopped' : stopping ? 'draining' : 'working',
        running: slots.running,
        held: slots.held,
        stuck: stuck.count,
        brokerMs: now - answeredAt,
        lagMs: isStopped ? 0 : Math.max(lateMs, now - sweepAt),
      }
    },
    close,
    [Symbol.asyncDispose]: () => close(),
  }
}
