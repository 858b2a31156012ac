/** Mutants that do what other queues once did: test/zoo/defects.ts says which of them, and where it was told. */
import type { Broker, Consumer, Delivery, Envelope } from '../../lib/broker.ts'
import { turns } from '../helpers/turns.ts'
import { counting, disguise, key, LOOK, memory, pushing, settling, withAttempts } from './mutants-disguise.ts'
import type { Mutant } from './mutants-disguise.ts'

const FOREVER_MS = 1e13

/** Gives back what should not have been taken, and keeps the rest. */
async function without(inner: Consumer, taken: readonly Delivery[], unwanted: (delivery: Delivery) => boolean) {
  const back = taken.filter(unwanted)
  if (back.length > 0) await turns(1) // whoever takes in a loop must not keep the loop
  await inner.settle(back.map(({ token }) => ({ token, kind: 'release', afterMs: 0 })))
  return taken.filter(delivery => !back.includes(delivery))
}

const isJson = ({ envelope: { body } }: Delivery) => {
  try {
    JSON.parse(Buffer.from(body).toString())
    return true
  } catch {
    return false
  }
}

/** Which queues are paused, as far as the wrapper was told. */
function pausing(inner: NonNullable<Broker['inspector']>, paused: Set<string>) {
  return {
    pause(queue: string) {
      paused.add(queue)
      return inner.pause(queue)
    },
    resume(queue: string) {
      paused.delete(queue)
      return inner.resume(queue)
    },
  }
}

const dueAt = ({ due }: Envelope) => (due === undefined ? 0 : 'at' in due ? due.at : due.afterMs)

export const historicMutants: readonly Mutant[] = [
  [
    'what is due waits for the next push',
    disguise(() => {
      const waiting = new Set<string>()
      return {
        push(inner, batch) {
          waiting.clear()
          for (const envelope of batch) if (envelope.due) waiting.add(key(envelope))
          return inner.push(batch)
        },
        async take(inner, max, options) {
          return without(inner, await inner.take(max, options), ({ envelope }) => waiting.has(key(envelope)))
        },
      }
    }),
  ],
  [
    'one body that is no JSON strands its batch',
    disguise(() => ({
      async take(inner, max, options) {
        const taken = await inner.take(max, options)
        if (taken.every(isJson)) return taken
        await turns(1)
        return []
      },
    })),
  ],
  [
    'delays of a queue are first in, first out',
    disguise(() => {
      const longest = new Map<string, number>()
      return {
        push: (inner, batch) =>
          inner.push(
            batch.map(envelope => {
              if (!envelope.due) return envelope
              const ms = Math.max(dueAt(envelope), longest.get(envelope.queue) ?? 0)
              longest.set(envelope.queue, ms)
              return { ...envelope, due: 'at' in envelope.due ? { at: ms } : { afterMs: ms } }
            }),
          ),
      }
    }),
  ],
  [
    'what is due is made ready twice',
    disguise(() => {
      const originals = new Map<string, string>()
      let copies = 0
      return {
        async push(inner, batch) {
          const pushed = await inner.push(batch)
          const delayed = batch.filter(({ due }, at) => due && pushed[at] === 'stored')
          await inner.push(
            delayed.map(envelope => {
              const id = `again-${++copies}`
              originals.set(id, envelope.id)
              return { ...envelope, id }
            }),
          )
          return pushed
        },
        async take(inner, max, options) {
          return (await inner.take(max, options)).map(delivery => ({
            ...delivery,
            envelope: { ...delivery.envelope, id: originals.get(delivery.envelope.id) ?? delivery.envelope.id },
          }))
        },
      }
    }),
  ],
  [
    'redeliveries are not counted',
    disguise(() => ({
      take: async (inner, max, options) => (await inner.take(max, options)).map(delivery => ({ ...delivery, deliveries: 1 })),
    })),
  ],
  [
    'what is taken is gone',
    disguise(() => {
      const { delivered, settled, take } = memory()
      return {
        async take(inner, max, options) {
          const taken = await take(inner, max, options)
          await inner.settle(taken.map(({ token }) => ({ token, kind: 'done' })))
          return taken
        },
        settle: async (_, batch) =>
          batch.map(({ token }) => {
            const isFirst = delivered.has(token) && !settled.has(token)
            settled.add(token)
            return isFirst ? 'ok' : 'lost'
          }),
      }
    }),
  ],
  [
    'anybody may settle what another one holds',
    disguise(() => {
      const holders = new Map<string, Consumer>()
      return {
        async take(inner, max, options) {
          const taken = await inner.take(max, options)
          for (const { token } of taken) holders.set(token, inner)
          return taken
        },
        settle: (inner, batch) =>
          Promise.all(batch.map(async settlement => (await (holders.get(settlement.token) ?? inner).settle([settlement]))[0]!)),
      }
    }),
  ],
  [
    'a retry loses its band',
    counting(
      ({ kind }) => (kind === 'retry' ? 1 : 0),
      (delivery, count) => (count > 0 ? { ...delivery, envelope: { ...delivery.envelope, priority: 1 } } : delivery),
    ),
  ],
  [
    'a retry without a wait goes to the head',
    disguise(() => {
      const extra = new Map<string, number>(),
        { delivered, take } = memory()
      return {
        async take(inner, max, options) {
          return withAttempts(await take(inner, max, options), each => each.attempt + (extra.get(key(each)) ?? 0))
        },
        settle: (inner, batch) =>
          inner.settle(
            batch.map(settlement => {
              const delivery = delivered.get(settlement.token)
              if (settlement.kind !== 'retry' || settlement.afterMs > 0 || !delivery) return settlement
              extra.set(key(delivery.envelope), (extra.get(key(delivery.envelope)) ?? 0) + 1)
              return { token: settlement.token, kind: 'release', afterMs: 0 }
            }),
          ),
      }
    }),
  ],
  ['an id ends at its colon', pushing(envelope => ({ ...envelope, id: envelope.id.split(':')[0] || envelope.id }))],
  [
    'a pause removes what waits',
    disguise(() => ({
      inspector: inner => ({ pause: async queue => void (await inner.purge(queue), await inner.pause(queue)) }),
    })),
  ],
  [
    'what is tried again in a paused queue is stuck',
    disguise(() => {
      const paused = new Set<string>(),
        { delivered, take } = memory()
      return {
        take,
        settle: (inner, batch) =>
          inner.settle(
            batch.map(settlement =>
              settlement.kind === 'retry' && paused.has(delivered.get(settlement.token)?.envelope.queue ?? '')
                ? { ...settlement, afterMs: FOREVER_MS }
                : settlement,
            ),
          ),
        inspector: inner => pausing(inner, paused),
      }
    }),
  ],
  [
    'a paused queue gives what falls due',
    disguise(() => {
      const paused = new Set<string>(),
        delayed = new Set<string>()
      return {
        push(inner, batch) {
          for (const envelope of batch) if (envelope.due) delayed.add(key(envelope))
          return inner.push(batch)
        },
        async take(inner, max, options, broker) {
          if (paused.size === 0) return inner.take(max, options)
          for (const queue of paused) await broker.inspector!.resume(queue)
          const taken = await inner.take(1_000, LOOK)
          for (const queue of paused) await broker.inspector!.pause(queue)
          const wanted = taken.filter(({ envelope }) => !paused.has(envelope.queue) || delayed.has(key(envelope))).slice(0, max)
          const given = await without(inner, taken, delivery => !wanted.includes(delivery))
          return given.length > 0 ? given : inner.take(max, options)
        },
        inspector: inner => pausing(inner, paused),
      }
    }),
  ],
  [
    'a take that waits does not see a pause',
    disguise(() => {
      let waiting = 0
      const later: (() => Promise<void>)[] = []
      return {
        async take(inner, max, options) {
          waiting++
          try {
            return await inner.take(max, options)
          } finally {
            if (--waiting === 0) for (const pause of later.splice(0)) await pause()
          }
        },
        inspector: inner => ({
          async pause(queue) {
            if (waiting === 0) await inner.pause(queue)
            else later.push(() => inner.pause(queue))
          },
        }),
      }
    }),
  ],
  [
    'a settlement during a disposal is dropped',
    disguise(() => {
      const leaving = new WeakSet<Consumer>()
      return {
        async settle(inner, batch) {
          await Promise.resolve()
          return leaving.has(inner) ? batch.map(() => 'ok') : inner.settle(batch)
        },
        async dispose(inner) {
          leaving.add(inner)
          await inner[Symbol.asyncDispose]()
        },
      }
    }),
  ],
  [
    'dead letters are tried again',
    settling(settlement => (settlement.kind === 'dead' ? { token: settlement.token, kind: 'retry', afterMs: 0 } : settlement)),
  ],
]
