/** Mutants of taking, settling and leases. */
import type { Consumer, Delivery, Envelope } from '../../lib/broker.ts'
import { counting, disguise, inspecting, key, memory, never, settling, withAttempts } from './mutants-disguise.ts'
import type { Mutant } from './mutants-disguise.ts'

export const takingMutants: readonly Mutant[] = [
  ['take returns one more than max', disguise(() => ({ take: (inner, max, options) => inner.take(max + 1, options) }))],
  ['credit is ignored', disguise(() => ({ options: options => ({ ...options, credit: 1e9 }) }))],
  ['room is ignored', disguise(() => ({ take: (inner, max, { waitMs, signal }) => inner.take(max, { waitMs, signal }) }))],
  [
    'a leased message is handed to a second consumer',
    disguise(() => {
      const held = new Map<string, { delivery: Delivery; by: Consumer }>()
      return {
        async take(inner, max, options) {
          const taken = [...(await inner.take(max, options))]
          const another = [...held.values()].find(({ by }) => by !== inner)
          for (const delivery of taken) held.set(delivery.token, { delivery, by: inner })
          if (another && taken.length < max) taken.push(another.delivery)
          return taken
        },
        settle(inner, batch) {
          for (const { token } of batch) held.delete(token)
          return inner.settle(batch)
        },
      }
    }),
  ],
  [
    'last in, first out',
    disguise(() => ({
      async take(inner, max, options) {
        const taken = await inner.take(1_000, options),
          given = taken.slice(Math.max(0, taken.length - max)),
          back = taken.slice(0, taken.length - given.length)
        await inner.settle(back.reverse().map(({ token }) => ({ token, kind: 'release', afterMs: 0 })))
        return [...given].reverse()
      },
    })),
  ],
  [
    'a long queue goes first',
    disguise(() => ({
      async take(inner, max, options) {
        const taken = await inner.take(1_000, options),
          length = (name: string) => taken.filter(({ envelope: { queue } }) => queue === name).length
        const given = taken.toSorted((a, b) => length(b.envelope.queue) - length(a.envelope.queue)).slice(0, max)
        const back = taken.filter(delivery => !given.includes(delivery))
        await inner.settle(back.reverse().map(({ token }) => ({ token, kind: 'release', afterMs: 0 })))
        return given
      },
    })),
  ],
  [
    'an aborted take swallows its batch',
    disguise(() => ({
      async take(inner, max, options) {
        const taken = await inner.take(max, options)
        return options.signal.aborted ? [] : taken
      },
    })),
  ],
  [
    'an aborted take waits on',
    disguise(() => ({ take: (inner, max, options) => inner.take(max, { ...options, signal: never }) })),
  ],
  [
    'nothing wakes a take',
    disguise(() => ({
      async take(inner, max, options) {
        const taken = await inner.take(max, { ...options, waitMs: 0 })
        if (taken.length > 0 || options.waitMs === 0) return taken
        await new Promise(resolve => {
          options.signal.addEventListener('abort', resolve)
        })
        return []
      },
    })),
  ],
  [
    'a settlement of a lapsed token says ok',
    disguise(() => {
      const lapsed = new Set<string>()
      return {
        options: options => ({
          ...options,
          onLost(tokens) {
            for (const token of tokens) lapsed.add(token)
            options.onLost(tokens)
          },
        }),
        async settle(inner, batch) {
          const settled = await inner.settle(batch)
          return settled.map((verdict, at) => (lapsed.has(batch[at]!.token) ? 'ok' : verdict))
        },
      }
    }),
  ],
  [
    'done keeps the message',
    disguise(() => {
      const kept = new Map<string, Envelope>(),
        { delivered, take } = memory()
      return {
        take,
        settle(inner, batch) {
          for (const { token, kind } of batch)
            if (kind === 'done' && delivered.has(token))
              kept.set(delivered.get(token)!.envelope.id, delivered.get(token)!.envelope)
          return inner.settle(batch)
        },
        inspector: inner => ({
          async find(id, queue) {
            const envelope = kept.get(id)
            return (
              (await inner.find(id, queue)) ??
              (envelope?.queue === queue && envelope ? { envelope, place: 'ready', deliveries: 1, at: 0 } : undefined)
            )
          },
        }),
      }
    }),
  ],
  [
    'settling twice counts twice',
    disguise(() => {
      const { delivered, take } = memory()
      return {
        take,
        settle: async (inner, batch) =>
          (await inner.settle(batch)).map((verdict, at) => (delivered.has(batch[at]!.token) ? 'ok' : verdict)),
      }
    }),
  ],
  [
    'a settlement is not counted',
    inspecting(inner => ({ counts: async queue => ({ ...(await inner.counts(queue)), leased: 0 }) })),
  ],
  [
    'a retry loses its attempt',
    counting(
      ({ kind }) => (kind === 'retry' ? 1 : 0),
      (delivery, count) => ({ ...delivery, envelope: { ...delivery.envelope, attempt: delivery.envelope.attempt - count } }),
    ),
  ],
  [
    'a retry is ready at once',
    settling(settlement => (settlement.kind === 'retry' ? { ...settlement, afterMs: 0 } : settlement)),
  ],
  [
    'a retry is one tick early',
    settling(settlement =>
      settlement.kind === 'retry' ? { ...settlement, afterMs: Math.max(0, settlement.afterMs - 1) } : settlement,
    ),
  ],
  [
    'a retry goes on counting deliveries',
    counting(
      ({ kind }, { deliveries }) => (kind === 'retry' ? deliveries - 1 : 0),
      (delivery, count) => ({ ...delivery, deliveries: delivery.deliveries + count }),
    ),
  ],
  [
    'a retry forgets its new body',
    settling(settlement => {
      if (settlement.kind !== 'retry') return settlement
      const { body: _, ...rest } = settlement
      return rest
    }),
  ],
  [
    'a release counts a delivery',
    counting(
      ({ kind }) => (kind === 'release' ? 1 : 0),
      (delivery, count) => ({ ...delivery, deliveries: delivery.deliveries + count }),
    ),
  ],
  [
    'a release goes to the tail',
    disguise(() => {
      const extra = new Map<string, number>(),
        { delivered, take } = memory()
      return {
        async take(inner, max, options) {
          return withAttempts(await take(inner, max, options), each => each.attempt - (extra.get(key(each)) ?? 0))
        },
        settle(inner, batch) {
          return inner.settle(
            batch.map(settlement => {
              const delivery = delivered.get(settlement.token)
              if (settlement.kind !== 'release' || settlement.afterMs > 0 || !delivery || delivery.deliveries > 1)
                return settlement
              extra.set(key(delivery.envelope), (extra.get(key(delivery.envelope)) ?? 0) + 1)
              return { token: settlement.token, kind: 'retry', afterMs: 0 }
            }),
          )
        },
      }
    }),
  ],
  ['a lapsed lease is never redelivered', disguise(() => ({ options: options => ({ ...options, leaseMs: 1e12 }) }))],
  [
    'a lease is not renewed',
    disguise(() => ({
      async take(inner, max, options, broker) {
        const taken = await inner.take(max, options)
        if (taken.length > 0) (broker as unknown as { freeze(consumer: Consumer): void }).freeze(inner)
        return taken
      },
    })),
  ],
  ['a loss is not told', disguise(() => ({ options: options => ({ ...options, onLost() {} }) }))],
  [
    'the old token works after redelivery',
    disguise(() => {
      const { delivered, take } = memory(),
        holders = new Map<string, Consumer>()
      return {
        async take(inner, max, options) {
          const taken = await take(inner, max, options)
          for (const { token } of taken) holders.set(token, inner)
          return taken
        },
        async settle(inner, batch) {
          const settled = await inner.settle(batch)
          return Promise.all(
            settled.map(async (verdict, at) => {
              const settlement = batch[at]!,
                old = delivered.get(settlement.token)
              if (verdict === 'ok' || !old) return verdict
              const current = [...delivered].findLast(
                ([token, { envelope }]) => token !== settlement.token && key(envelope) === key(old.envelope),
              )
              return current ? (await holders.get(current[0])!.settle([{ ...settlement, token: current[0] }]))[0]! : verdict
            }),
          )
        },
      }
    }),
  ],
  [
    'then is dropped',
    settling(settlement => {
      if (settlement.kind !== 'done' && settlement.kind !== 'dead') return settlement
      const { then: _, ...rest } = settlement
      return rest
    }),
  ],
  [
    'then is dropped with dead',
    settling(settlement => {
      if (settlement.kind !== 'dead') return settlement
      const { then: _, ...rest } = settlement
      return rest
    }),
  ],
  [
    'then is stored when the settlement was lost',
    disguise(() => ({
      async settle(inner, batch, broker) {
        const settled = await inner.settle(batch)
        for (const [at, settlement] of batch.entries()) {
          if (settled[at] === 'lost' && 'then' in settlement && settlement.then) await broker.push(settlement.then)
        }
        return settled
      },
    })),
  ],
]
