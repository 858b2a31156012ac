/** Thin wrappers around a broker: the ways in which a mutant differs from what it wraps. */
import type {
  Broker,
  ConsumeOptions,
  Consumer,
  Delivery,
  Envelope,
  Inspector,
  Pushed,
  Settled,
  Settlement,
  TakeOptions,
} from '../../lib/broker.ts'
import type { Disguise } from './memory-target.ts'

export type Mutant = readonly [mutant: string, disguise: () => Disguise]

/** The parts of a broker that a mutant may replace; each is given what it replaces. */
interface Changes {
  push?(inner: Broker, batch: readonly Envelope[]): Promise<readonly Pushed[]>
  options?(options: ConsumeOptions, inner: Broker): ConsumeOptions
  take?(inner: Consumer, max: number, options: TakeOptions, broker: Broker): Promise<readonly Delivery[]>
  settle?(inner: Consumer, batch: readonly Settlement[], broker: Broker): Promise<readonly Settled[]>
  dispose?(inner: Consumer): Promise<void>
  inspector?(inner: Inspector): Partial<Inspector>
}

/** A wrapper with some parts replaced. `make` runs once a broker, so that a mutant may remember things. */
export function disguise(make: () => Changes): () => Disguise {
  return () => {
    const insides = new WeakMap<Consumer, Consumer>()
    return {
      inside: consumer => insides.get(consumer) ?? consumer,
      broker(inner) {
        const { push, options: optionsOf, take, settle, dispose, inspector } = make()
        return {
          ...inner,
          ...(push && { push: batch => push(inner, batch) }),
          ...(inspector && { inspector: { ...inner.inspector!, ...inspector(inner.inspector!) } }),
          async consume(options) {
            const consumer = await inner.consume(optionsOf?.(options, inner) ?? options)
            const wrapped: Consumer = {
              take: (max, how) => (take ? take(consumer, max, how, inner) : consumer.take(max, how)),
              settle: batch => (settle ? settle(consumer, batch, inner) : consumer.settle(batch)),
              [Symbol.asyncDispose]: () => (dispose ? dispose(consumer) : Promise.resolve(consumer[Symbol.asyncDispose]())),
            }
            insides.set(wrapped, consumer)
            return wrapped
          },
        }
      },
    }
  }
}

export const never = new AbortController().signal
export const LOOK: TakeOptions = { waitMs: 0, signal: never }
export const key = ({ queue, id }: Envelope) => `${queue} ${id}`
export const settling = (change: (settlement: Settlement) => Settlement) =>
  disguise(() => ({ settle: (inner, batch) => inner.settle(batch.map(change)) }))
export const pushing = (change: (envelope: Envelope) => Envelope) =>
  disguise(() => ({ push: (inner, batch) => inner.push(batch.map(change)) }))
export const inspecting = (inspector: (inner: Inspector) => Partial<Inspector>) => disguise(() => ({ inspector }))

/** What each token stands for, as far as the wrapper has seen. */
export function memory() {
  const delivered = new Map<string, Delivery>(),
    settled = new Set<string>()
  return {
    delivered,
    settled,
    async take(inner: Consumer, max: number, options: TakeOptions) {
      const taken = await inner.take(max, options)
      for (const delivery of taken) delivered.set(delivery.token, delivery)
      return taken
    },
  }
}

/** Deliveries of another attempt than the broker says. */
export const withAttempts = (taken: readonly Delivery[], attemptOf: (envelope: Envelope) => number): readonly Delivery[] =>
  taken.map(delivery => ({ ...delivery, envelope: { ...delivery.envelope, attempt: attemptOf(delivery.envelope) } }))

/** Deliveries changed by what was settled before: `count` sums a number an id. */
export function counting(
  of: (settlement: Settlement, delivery: Delivery) => number,
  change: (delivery: Delivery, count: number) => Delivery,
) {
  return disguise(() => {
    const counts = new Map<string, number>(),
      { delivered, take } = memory()
    return {
      async take(inner, max, options) {
        return (await take(inner, max, options)).map(delivery => change(delivery, counts.get(key(delivery.envelope)) ?? 0))
      },
      settle(inner, batch) {
        for (const settlement of batch) {
          const delivery = delivered.get(settlement.token)
          if (delivery) counts.set(key(delivery.envelope), (counts.get(key(delivery.envelope)) ?? 0) + of(settlement, delivery))
        }
        return inner.settle(batch)
      },
    }
  })
}
