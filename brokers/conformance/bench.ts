/** What the rules of brokers work with: a target, names of their own, and the few calls that nearly all of them make. */
import assert from 'node:assert/strict'
import type { Broker, ConsumeOptions, Consumer, Delivery, Envelope, Inspector, Settlement } from '../../lib/broker.ts'
import type { Need, Sizes, Surroundings } from './rules.ts'
import { createKeeping } from './keeping.ts'
import { within } from './within.ts'

/** A broker that is to be tested. */
export interface BrokerTarget {
  /** A broker, opened for this test: on a clock that `advance` moves. Without a namespace: always the same one. */
  open(namespace?: string): Promise<Broker>
  /** Moves the broker's clock. What falls due meanwhile happens, in order, before or soon after this resolves. */
  advance(ms: number): Promise<void>
  /**
   * From now on it is as if the consumer's process was stopped: its lease is renewed no more and nothing is given back. It may
   * be used again once its lease has lapsed, as by a process that goes on: then it learns what it lost, and works.
   */
  crash(consumer: Consumer): Promise<void>
  /** The server, or every process that has it open, ends and starts again. Brokers that were open are opened again by the rule. */
  restart?(): Promise<void>
  /** Whether two open() with the same namespace see the same messages. */
  readonly shared: boolean
  /** The furthest that `advance` can go in a test, ms. @default no limit */
  readonly furthestMs?: number
  /** Whether `advance` moves to the millisecond: rules that look one tick before something is due need it. @default true */
  readonly exact?: boolean
  readonly sizes?: Sizes
}

/** Leases in the rules. They move the clock in quarters of it, as a live consumer renews every third. */
export const LEASE_MS = 12_000
export const DAY_MS = 86_400_000

/** What a rule of brokers is given: the target, and short words for what rules do. */
export interface Bench {
  readonly target: BrokerTarget
  /** The broker, opened anew for each rule. */
  readonly broker: Broker
  readonly inspector: Inspector
  readonly sizes: Required<Sizes>
  /** From 0 to below 1; that of `RunOptions`, else the system's. */
  readonly random: () => number
  /** A name that nobody else uses. */
  name(label: string): string
  /** Another broker on the target; closed after the rule. */
  open(namespace?: string): Promise<Broker>
  /** A consumer of these queues, disposed after the rule. */
  consume(queues: string | readonly string[], options?: Partial<ConsumeOptions>, broker?: Broker): Promise<Consumer>
  /** Pushes, and asserts that all were stored. */
  push(...batch: readonly Envelope[]): Promise<void>
  /** Exactly so many deliveries, waited for. */
  receive(consumer: Consumer, count: number): Promise<readonly Delivery[]>
  /** What one look finds, without waiting. */
  look(consumer: Consumer, max?: number): Promise<readonly Delivery[]>
  /** Settles, and asserts that all were accepted. */
  settle(consumer: Consumer, ...batch: readonly Settlement[]): Promise<void>
  /** Moves the target's clock, and renews meanwhile what a consumer leaves to its keeper. */
  advance(ms: number): Promise<void>
  /** From now on the consumer's process is stopped. */
  crash(consumer: Consumer): Promise<void>
  /** Disposes it as a worker does. */
  dispose(consumer: Consumer): Promise<void>
  /** Something that should happen at once. */
  soon<T>(promise: Promise<T>, what: string): Promise<T>
  /** Moves the clock until a lease that is not renewed has lapsed, in steps that let the living renew theirs. */
  lapse(leaseMs?: number): Promise<void>
}

export const never: AbortSignal = new AbortController().signal
export const ids = (deliveries: readonly Delivery[]) => deliveries.map(({ envelope }) => envelope.id)
export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
export const done = ({ token }: Delivery): Settlement => ({ token, kind: 'done' })
export const retry = ({ token }: Delivery, afterMs = 0): Settlement => ({ token, kind: 'retry', afterMs })
export const release = ({ token }: Delivery, afterMs = 0): Settlement => ({ token, kind: 'release', afterMs })
export const dead = ({ token }: Delivery, reason = 'no reason'): Settlement => ({ token, kind: 'dead', reason })

/** An envelope with all that a rule does not care about. */
export const envelope = (queue: string, id: string, rest: Partial<Envelope> = {}): Envelope => ({
  id,
  queue,
  body: bytes(id),
  attempt: 0,
  priority: 1,
  ...rest,
})
export const envelopes = (queue: string, names: string) => names.split(' ').map(id => envelope(queue, id))

/** Long enough that only patience ends a wait, and never the target's clock. */
const LONG_WAIT_MS = 365 * DAY_MS
/** A lease lapses within one, and a reaper that woke up late waits one more. */
const STEPS_UNTIL_LAPSED = 9

export async function makeBench(
  target: BrokerTarget,
  { patienceMs, newId, random, clock }: Surroundings,
): Promise<Bench & AsyncDisposable> {
  const opened: AsyncDisposable[] = []
  const use = <T extends AsyncDisposable>(resource: T): T => {
    opened.push(resource)
    return resource
  }
  const soon = <T>(promise: Promise<T>, what: string) => within(clock, patienceMs, promise, what)
  const open = async (namespace?: string) => use(await soon(target.open(namespace), 'the broker was not opened'))
  const broker = await open()

  async function receive(consumer: Consumer, count: number): Promise<readonly Delivery[]> {
    const found: Delivery[] = [],
      stop = new AbortController()
    const all = (async () => {
      while (found.length < count && !stop.signal.aborted) {
        found.push(...(await consumer.take(count - found.length, { waitMs: LONG_WAIT_MS, signal: stop.signal })))
      }
    })()
    try {
      await within(clock, patienceMs, all, () => `${count} deliveries did not come, only [${ids(found)}],`)
    } finally {
      stop.abort()
    }
    assert.equal(found.length, count, `take() returned more than was asked for: [${ids(found)}]`)
    return found
  }

  const { keep, advance, crash, dispose } = createKeeping(target, soon)
  const disposable = (consumer: Consumer) => ({ [Symbol.asyncDispose]: () => dispose(consumer) })

  return {
    target,
    advance,
    crash,
    dispose,
    broker,
    random,
    open,
    receive,
    soon,
    get inspector() {
      return broker.inspector!
    },
    sizes: { batch: 10_000, soak: 10_000, bodyBytes: 2 ** 20, ...target.sizes },
    name: label => `${label}-${newId().slice(-12)}`,
    async consume(queues, options, from = broker) {
      const served = typeof queues === 'string' ? [queues] : queues
      await soon(from.open(served), 'open() did not end')
      const asked = { queues: served, credit: 1_000, leaseMs: LEASE_MS, onLost() {}, ...options }
      const consumer = await from.consume(asked)
      use(disposable(consumer))
      await keep(consumer, asked.leaseMs)
      return consumer
    },
    async push(...batch) {
      await broker.open([...new Set(batch.map(({ queue }) => queue))])
      const pushed = await soon(broker.push(batch), 'push() did not end')
      assert.deepEqual(
        [...pushed],
        batch.map(() => 'stored'),
      )
    },
    look: (consumer, max = 1_000) => soon(consumer.take(max, { waitMs: 0, signal: never }), 'take() without a wait did not end'),
    async settle(consumer, ...batch) {
      const settled = await soon(consumer.settle(batch), 'settle() did not end')
      assert.deepEqual(
        [...settled],
        batch.map(() => 'ok'),
      )
    },
    async lapse(leaseMs = LEASE_MS) {
      for (let step = 0; step < STEPS_UNTIL_LAPSED; step++) await advance(leaseMs / 4)
    },
    async [Symbol.asyncDispose]() {
      // What a rule did to them, closing twice for instance, is its own matter.
      for (const resource of opened.reverse()) await soon(Promise.resolve(resource[Symbol.asyncDispose]()), 'closing did not end')
    },
  }
}

/** Which needs of a rule a target does not meet. */
export async function missingIn(target: BrokerTarget, needs: readonly Need[]): Promise<readonly Need[]> {
  if (needs.length === 0) return []
  await using broker = await target.open()
  const { lease, once, uniqueIds, atomicThen, peek, removal, durable } = broker.capabilities
  const has: Readonly<Record<Need, boolean>> = {
    once,
    uniqueIds,
    peek,
    removal,
    durable,
    timed: lease === 'timed',
    atomicThen: atomicThen !== 'never',
    inspector: broker.inspector !== undefined,
    shared: target.shared,
    restart: target.restart !== undefined,
    exactClock: target.exact ?? true,
    farClock: (target.furthestMs ?? Infinity) >= 40 * DAY_MS,
  }
  return needs.filter(need => !has[need])
}
