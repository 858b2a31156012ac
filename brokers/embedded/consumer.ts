/** A consumer on the event loop's side: it asks, and turns numbers into tokens. The engine renews its lease, also while this loop is blocked. */
import type { ConsumeOptions, Consumer, Envelope, Settled, Settlement } from '../../lib/broker.ts'
import type { Logger } from '../../lib/log.ts'
import type { Engine } from './client.ts'
import { OK } from './exchange.ts'
import { brokerClosed } from './failures.ts'
import { MOST } from './limits.ts'
import type { PushedBatch, Special } from './protocol.ts'
import { refusal } from '../../lib/refusal.ts'
import { packPush, unpackDeliveries } from './wire.ts'

/** For tests: the engine's number of a consumer. */
export const consumerIds = new WeakMap<Consumer, number>()

interface Surroundings {
  readonly log: Logger
  closed(): void
  isBrokerClosed(): boolean
}

export interface Opened {
  readonly consumer: Consumer
  /** Ends its waiting take. */
  cancel(): Promise<void>
}

export async function openConsumer(
  engine: Engine,
  namespace: string,
  { queues: asked, credit, leaseMs, onLost }: ConsumeOptions,
  { log, closed, isBrokerClosed }: Surroundings,
): Promise<Opened> {
  const queues = [...new Set(asked)],
    consumer = await engine.ask(namespace, 'consume', { queues, credit, leaseMs })
  const prefix = `${consumer}-`,
    token = (n: number) => `${prefix}${n}`
  let left: Promise<void> | undefined
  engine.lost.set(consumer, tokens => {
    try {
      onLost(tokens.map(token))
    } catch (error) {
      log.error({ error, queues }, 'onLost failed: the runs that it should have ended go on')
    }
  })

  const self: Consumer = {
    async take(max, { waitMs, signal, room }) {
      if (left) throw brokerClosed('consumer')
      if (signal.aborted || !(max >= 1)) return []
      const taking = engine.ask(namespace, 'take', {
        consumer,
        max: Math.min(max, MOST),
        waitMs,
        ...(room && { room: queues.map(name => (Object.hasOwn(room, name) ? room[name] : undefined)) }),
      })
      const stop = () => void cancel()
      signal.addEventListener('abort', stop, { once: true })
      try {
        return unpackDeliveries(await taking, queues, token)
      } finally {
        signal.removeEventListener('abort', stop)
      }
    },
    async settle(batch) {
      if (left) return settledLate(batch)
      for (const settlement of batch) if ('then' in settlement) checkThen(settlement.then)
      const parts: Promise<Uint8Array>[] = []
      for (let start = 0; start < batch.length; start += MOST) {
        const { input, transfer } = packSettlements(consumer, batch.slice(start, start + MOST), prefix)
        parts.push(engine.ask(namespace, 'settle', input, transfer))
      }
      return (await Promise.all(parts)).flatMap(verdicts =>
        Array.from(verdicts, (verdict): Settled => (verdict === OK ? 'ok' : 'lost')),
      )
    },
    [Symbol.asyncDispose]: () => (left ??= leave()),
  }
  consumerIds.set(self, consumer)
  return { consumer: self, cancel }

  /** What it held went back when it was closed. */
  function settledLate(batch: readonly Settlement[]): readonly Settled[] {
    if (isBrokerClosed()) throw brokerClosed('broker')
    return batch.map(() => 'lost')
  }

  async function cancel(): Promise<void> {
    await engine.ask(namespace, 'cancel', { consumer }).catch(() => {
      /* the take ends with the engine */
    })
  }

  async function leave(): Promise<void> {
    closed()
    await cancel()
    if (engine.running) await engine.ask(namespace, 'leave', { consumer })
    engine.lost.delete(consumer)
  }
}

/** A follow-up that cannot be stored is a bug of the caller: refuse the call before anything is changed. */
function checkThen(then: readonly Envelope[] = []): void {
  for (const envelope of then) {
    const error = refusal(envelope)
    if (error) throw error
  }
}

function packSettlements(consumer: number, batch: readonly Settlement[], prefix: string) {
  const tokens = new Float64Array(batch.length),
    specials = new Map<number, Special>(),
    transfer: Uint8Array[] = []
  const followUps = (then: readonly Envelope[] | undefined): PushedBatch | undefined => {
    if (!then || then.length === 0) return undefined
    const packed = packPush(then)
    transfer.push(packed.bytes)
    return packed
  }
  for (const [index, { token, ...settlement }] of batch.entries()) {
    tokens[index] = token.startsWith(prefix) ? Number(token.slice(prefix.length)) : NaN
    if (settlement.kind === 'retry' || settlement.kind === 'release') {
      specials.set(index, settlement)
      continue
    }
    const { then: envelopes, ...rest } = settlement,
      then = followUps(envelopes)
    if (rest.kind === 'dead') specials.set(index, { ...rest, ...(then && { then }) })
    else if (then) specials.set(index, { kind: 'done', then })
  }
  return { input: { consumer, tokens, specials }, transfer }
}
