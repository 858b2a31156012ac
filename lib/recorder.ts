/** A broker that remembers what went through it: for `greenroom/testing`. A decorator over the seam, so it fits any broker. */
import type { Broker, Consumer, Envelope } from './broker.ts'

export interface Died {
  readonly envelope: Envelope
  readonly reason: string
  readonly error?: Uint8Array
}

export interface Recorder {
  readonly broker: Broker
  /** Everything that was stored, follow-ups too, oldest first. */
  readonly stored: readonly Envelope[]
  /** Everything that was given up, oldest first. */
  readonly died: readonly Died[]
}

/** @param pushed told after each push that stored something; the push waits for it */
export function recorder(broker: Broker, pushed: () => Promise<void> | void): Recorder {
  const stored: Envelope[] = [],
    died: Died[] = []
  const recorded = (consumer: Consumer): Consumer => {
    const held = new Map<string, Envelope>()
    return {
      async take(max, options) {
        const deliveries = await consumer.take(max, options)
        for (const { token, envelope } of deliveries) held.set(token, envelope)
        return deliveries
      },
      async settle(batch) {
        const settled = await consumer.settle(batch)
        batch.forEach((settlement, i) => {
          const envelope = held.get(settlement.token)
          held.delete(settlement.token)
          if (settled[i] !== 'ok' || !envelope) return
          if ('then' in settlement && settlement.then) stored.push(...settlement.then)
          if (settlement.kind === 'dead')
            died.push({ envelope, reason: settlement.reason, ...(settlement.error && { error: settlement.error }) })
        })
        return settled
      },
      [Symbol.asyncDispose]: () => consumer[Symbol.asyncDispose](),
    }
  }
  return {
    stored,
    died,
    broker: Object.assign(Object.create(broker) as Broker, {
      async push(batch: readonly Envelope[], options?: { readonly signal?: AbortSignal }) {
        const verdicts = await broker.push(batch, options)
        stored.push(...batch.filter((_, i) => verdicts[i] === 'stored'))
        await pushed()
        return verdicts
      },
      consume: async (options: Parameters<Broker['consume']>[0]) => recorded(await broker.consume(options)),
    }),
  }
}
