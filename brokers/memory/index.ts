/**
 * The broker `memory:`: the reducer and a few timers, in one process and gone with it. For tests, with a clock that they move,
 * and for whoever needs no more. Nothing is polled: a take that waits is woken by a push, a put-back or one timer for what is
 * due next. Only a waiting take keeps the process alive.
 * @module greenroom/memory
 */
import type { Broker, BrokerServices, Capabilities, ConsumeOptions, Consumer, Inspector } from '../../lib/broker.ts'
import { systemClock } from '../../lib/clock.ts'
import { GreenroomError } from '../../lib/errors.ts'
import { consoleLogger } from '../../lib/log.ts'
import { checkName } from '../../lib/names.ts'
import { knownOptions } from '../../lib/options.ts'
import type { Store } from '../../lib/store.ts'
import { alarm } from './alarm.ts'
import { consumers } from './consumer.ts'
import { reducer } from './reducer.ts'
import type { DeadLimits } from './state.ts'
import { memoryStore } from './store.ts'

export { memoryStore } from './store.ts'
export type { MemoryStoreOptions } from './store.ts'

/** All optional: `clock` to move time in a test, `maxDead` and `maxDeadMs` to bound the dead letters. */
export interface MemoryOptions extends Partial<BrokerServices>, DeadLimits {}

/** A broker in this process, with the inspector and the store that other brokers may lack. */
export interface MemoryBroker extends Broker {
  /** Lists, counts, revives; always there. */
  readonly inspector: Inspector
  /** Its store: lives and ends with the broker. */
  readonly store: Store
  /**
   * For tests of what a crash does: the consumer's lease is renewed no more, as if its process had stopped, and a take that
   * it waits in ends empty. What it holds comes back when the lease lapses. Its next take makes it live again.
   */
  freeze(consumer: Consumer): void
}

const CAPABILITIES: Capabilities = {
  lease: 'timed',
  once: true,
  uniqueIds: true,
  atomicThen: 'always',
  delayMs: 0,
  peek: true,
  removal: true,
  durable: false,
}

const KNOWN = ['maxDead', 'maxDeadMs', 'namespace', 'clock', 'random', 'newId', 'log']

/** What makes a broker's tokens its own: a memory broker is in one process. Short, as each message makes one. */
let brokersMade = 0

/** A line about dropped dead letters at most so often: a flood of them must not become a flood of lines. */
const WARN_EVERY_MS = 60_000

/**
 * A broker in this process's memory, with its store.
 * @example const broker = memoryBroker({ clock: movingClock() })
 */
export function memoryBroker(options: MemoryOptions = {}): MemoryBroker {
  const {
    namespace = 'greenroom',
    clock = systemClock,
    log = consoleLogger,
    ...limits
  } = knownOptions(options, KNOWN, 'memoryBroker()')
  checkName(namespace, 'namespace')
  const state = reducer({ ...limits, prefix: `${++brokersMade}/` })
  const store = memoryStore({ clock })
  const held = consumers({ state, clock, log, changed })
  const timer = alarm(clock, tick)
  let closed = false,
    warnedAt = -Infinity

  /** After every command: whoever waits may have something to take, and something may be due earlier than the timer knew. */
  function changed(now: number): void {
    if (closed) return
    held.serve(now)
    timer.by(Math.min(state.nextDue() ?? Infinity, held.nextDeadline()))
    warnOfForgotten(now)
  }

  function tick(): void {
    const now = clock.now()
    // Renewed before reaped: a loop that was blocked for longer than a lease must not lose what it holds to itself.
    held.renew(now)
    held.lapse(now)
    state.pass(now)
    changed(now)
  }

  function warnOfForgotten(now: number): void {
    if (now - warnedAt < WARN_EVERY_MS) return
    const forgotten = state.forgotten()
    if (!forgotten) return
    warnedAt = now
    for (const [queue, dropped] of forgotten)
      log.warn({ queue, dropped }, 'the oldest dead letters were dropped: there are more, or older ones, than are kept')
  }

  function usable(): void {
    if (closed)
      throw new GreenroomError('APP_CLOSED', 'The memory broker was closed', {
        help: 'Its messages are gone; make a new one with memoryBroker()',
        stored: 'no',
      })
  }

  return {
    name: `memory: (${namespace})`,
    capabilities: CAPABILITIES,
    store,
    inspector: inspectorOf(),
    async open(queues, signal) {
      usable()
      signal?.throwIfAborted()
      for (const queue of queues) checkName(queue, 'queue')
      state.open(queues)
    },
    async push(batch, { signal } = {}) {
      usable()
      signal?.throwIfAborted()
      const now = clock.now(),
        pushed = state.push(batch, now)
      changed(now)
      return pushed
    },
    async consume(options: ConsumeOptions) {
      usable()
      for (const queue of options.queues) checkName(queue, 'queue')
      if (options.queues.length === 0)
        throw new GreenroomError('OPTION_INVALID', 'A consumer of no queues was asked for', { help: 'Give at least one' })
      return held.join(options, usable)
    },
    freeze: consumer => held.freeze(consumer),
    async [Symbol.asyncDispose]() {
      if (closed) return
      closed = true
      timer.cancel()
      held.close()
      await store[Symbol.asyncDispose]()
    },
  }

  function inspectorOf(): Inspector {
    /** The reducer's command as a method: at the clock's time, as a promise, and with whoever waits woken after it. */
    const ask =
      <K extends keyof Inspector>(command: K) =>
      async (...args: Parameters<Inspector[K]>) => {
        usable()
        const now = clock.now()
        const answer = (state[command] as (now: number, ...args: unknown[]) => unknown)(now, ...args)
        changed(now)
        return answer as never
      }
    return {
      queues: ask('queues'),
      counts: ask('counts'),
      list: ask('list'),
      find: ask('find'),
      remove: ask('remove'),
      promote: ask('promote'),
      reschedule: ask('reschedule'),
      revive: ask('revive'),
      drop: ask('drop'),
      purge: ask('purge'),
      pause: ask('pause'),
      resume: ask('resume'),
    }
  }
}
