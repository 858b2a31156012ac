/** Mutants of pushing, delays, bands, suspects, dead letters and what people do. */
import { SUSPECT_FROM } from '../../lib/broker.ts'
import type { Broker, Consumer, ConsumeOptions, Envelope } from '../../lib/broker.ts'
import type { Band } from '../../lib/message.ts'
import { refusal } from '../../lib/refusal.ts'
import { disguise, inspecting, key, LOOK, memory, pushing, settling, withAttempts } from './mutants-disguise.ts'
import type { Mutant } from './mutants-disguise.ts'

/** Bands changed on the way in, and changed back on the way out so that only the order differs. */
const banded = (change: (band: Band) => Band) =>
  disguise(() => {
    const bands = new Map<string, Band>()
    return {
      push(inner, batch) {
        for (const envelope of batch) bands.set(key(envelope), envelope.priority)
        return inner.push(batch.map(envelope => ({ ...envelope, priority: change(envelope.priority) })))
      },
      async take(inner, max, options) {
        const taken = await inner.take(max, options)
        return taken.map(delivery => ({
          ...delivery,
          envelope: { ...delivery.envelope, priority: bands.get(key(delivery.envelope)) ?? 1 },
        }))
      },
    }
  })

const sooner = (envelope: Envelope): Envelope => {
  if (!envelope.due) return envelope
  return {
    ...envelope,
    due: 'at' in envelope.due ? { at: envelope.due.at - 1 } : { afterMs: Math.max(0, envelope.due.afterMs - 1) },
  }
}

export const keepingMutants: readonly Mutant[] = [
  ['a delay is one tick early', pushing(sooner)],
  [
    'a delay of 30 days is over at once',
    pushing(envelope => {
      const { due, ...rest } = envelope
      return due && 'afterMs' in due && due.afterMs >= 2 ** 31 ? rest : envelope
    }),
  ],
  [
    'a time in the past is refused',
    disguise(() => ({
      async push(inner, batch) {
        const wrong = batch.map(({ due }) => due !== undefined && 'at' in due && due.at <= 0)
        const good = await inner.push(batch.filter((_, at) => !wrong[at]))
        let next = 0
        return wrong.map(isWrong => (isWrong ? refusal({ ...batch[0]!, id: '' })! : good[next++]!))
      },
    })),
  ],
  ['bands are reversed', banded(band => (2 - band) as Band)],
  ['the band between is the lowest', banded(band => (band === 1 ? 2 : band === 2 ? 1 : 0))],
  ['there are two bands only', banded(band => (band === 2 ? 1 : band))],
  [
    'a duplicate is stored',
    disguise(() => {
      const originals = new Map<string, string>()
      let copies = 0
      return {
        async push(inner, batch) {
          const pushed = await inner.push(batch)
          for (const [at, verdict] of pushed.entries()) {
            if (verdict !== 'duplicate') continue
            const id = `copy-${++copies}`
            originals.set(id, batch[at]!.id)
            await inner.push([{ ...batch[at]!, id }])
          }
          return pushed
        },
        async take(inner, max, options) {
          const taken = await inner.take(max, options)
          return taken.map(delivery => ({
            ...delivery,
            envelope: { ...delivery.envelope, id: originals.get(delivery.envelope.id) ?? delivery.envelope.id },
          }))
        },
      }
    }),
  ],
  [
    'the answer to a duplicate is stored',
    disguise(() => ({
      push: async (inner, batch) => (await inner.push(batch)).map(verdict => (verdict === 'duplicate' ? 'stored' : verdict)),
    })),
  ],
  [
    'onceMs is forgotten',
    pushing(envelope => {
      const { onceMs: _, ...rest } = envelope
      return rest
    }),
  ],
  ['onceMs never ends', pushing(envelope => (envelope.onceMs === undefined ? envelope : { ...envelope, onceMs: 1e14 }))],
  [
    'a dead letter has no bytes',
    inspecting(inner => ({
      async list(queue, place, options) {
        const page = await inner.list(queue, place, options)
        return place === 'dead'
          ? {
              ...page,
              entries: page.entries.map(entry => ({ ...entry, envelope: { ...entry.envelope, body: new Uint8Array(0) } })),
            }
          : page
      },
    })),
  ],
  [
    'a dead letter has no error',
    settling(settlement => {
      if (settlement.kind !== 'dead') return settlement
      const { error: _, ...rest } = settlement
      return rest
    }),
  ],
  [
    'a suspect is handed out beside another',
    disguise(() => {
      const spares = new Map<Consumer, Consumer>(),
        own = new Set<string>()
      let asked: ConsumeOptions
      return {
        options: options => (asked = options),
        async take(inner, max, options, broker) {
          const taken = await inner.take(max, options)
          for (const { token } of taken) own.add(token)
          if (taken.length >= max || !taken.some(({ deliveries }) => deliveries >= SUSPECT_FROM)) return taken
          const spare = spares.get(inner) ?? (await broker.consume(asked))
          spares.set(inner, spare)
          return [...taken, ...(await spare.take(1, LOOK))]
        },
        settle: (inner, batch) =>
          Promise.all(
            batch.map(async settlement => {
              const consumer = own.has(settlement.token) ? inner : (spares.get(inner) ?? inner)
              return (await consumer.settle([settlement]))[0]!
            }),
          ),
        async dispose(inner) {
          await spares.get(inner)?.[Symbol.asyncDispose]()
          await inner[Symbol.asyncDispose]()
        },
      }
    }),
  ],
  [
    'suspects stand in line with the others',
    disguise(() => ({
      async take(inner, max, options) {
        const taken = await inner.take(max, options)
        return [
          ...taken.filter(({ deliveries }) => deliveries < SUSPECT_FROM),
          ...taken.filter(({ deliveries }) => deliveries >= SUSPECT_FROM),
        ]
      },
    })),
  ],
  [
    'the crash of a worker buries a neighbour',
    disguise(() => ({
      options: (options, broker) => ({
        ...options,
        onLost(tokens) {
          options.onLost(tokens)
          if (tokens.length > 1) void bury(broker, options)
        },
      }),
    })),
  ],
  [
    'a bad message of a batch refuses all',
    disguise(() => ({
      async push(inner, batch) {
        const error = batch.map(refusal).find(Boolean)
        return error ? batch.map(() => error) : inner.push(batch)
      },
    })),
  ],
  [
    'a bad message of a batch throws',
    disguise(() => ({
      async push(inner, batch) {
        const error = batch.map(refusal).find(Boolean)
        if (error) throw error
        return inner.push(batch)
      },
    })),
  ],
  ['disposal keeps what is held', disguise(() => ({ async dispose() {} }))],
  [
    'disposal goes to the tail',
    disguise(() => {
      const { delivered, take } = memory()
      return {
        take,
        async dispose(inner) {
          await inner.settle([...delivered.values()].map(({ token }) => ({ token, kind: 'retry', afterMs: 0 })))
          await inner[Symbol.asyncDispose]()
        },
      }
    }),
  ],
  [
    'a purge removes what is leased',
    disguise(() => {
      const { delivered, take } = memory(),
        holders = new Map<string, Consumer>()
      return {
        async take(inner, max, options) {
          const taken = await take(inner, max, options)
          for (const { token } of taken) holders.set(token, inner)
          return taken
        },
        inspector: inner => ({
          async purge(queue) {
            const purged = await inner.purge(queue)
            for (const [token, { envelope }] of delivered)
              if (envelope.queue === queue) await holders.get(token)!.settle([{ token, kind: 'done' }])
            return purged
          },
        }),
      }
    }),
  ],
  ['a pause is not kept', inspecting(() => ({ async pause() {} }))],
  [
    'a revived message keeps its attempt',
    disguise(() => {
      const attempts = new Map<string, number>(),
        { delivered, take } = memory()
      return {
        async take(inner, max, options) {
          return withAttempts(await take(inner, max, options), ({ id, attempt }) => attempts.get(id) ?? attempt)
        },
        settle(inner, batch) {
          for (const { token, kind } of batch)
            if (kind === 'dead' && delivered.has(token))
              attempts.set(delivered.get(token)!.envelope.id, delivered.get(token)!.envelope.attempt)
          return inner.settle(batch)
        },
      }
    }),
  ],
  [
    'a listing begins again with each page',
    inspecting(inner => ({
      list: (queue, place, { cursor, ...options } = {}) =>
        inner
          .list(queue, place, cursor?.includes('again') ? {} : { ...options, ...(cursor !== undefined && { cursor }) })
          .then(page => (page.cursor === undefined ? page : { ...page, cursor: `${page.cursor}:again` })),
    })),
  ],
]

async function bury(broker: Broker, options: ConsumeOptions): Promise<void> {
  const consumer = await broker.consume(options),
    [, neighbour] = await consumer.take(1_000, LOOK)
  if (neighbour) await consumer.settle([{ token: neighbour.token, kind: 'dead', reason: 'it was near' }])
  await consumer[Symbol.asyncDispose]()
}
