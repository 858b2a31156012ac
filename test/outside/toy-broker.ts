/** A broker of arrays and one timer a wait: in this process, and gone with it, so that it needs neither leases nor suspects. */
import { EventEmitter, once } from 'node:events'
import { type Broker, type Clock, type Consumer, type Due, GreenroomError, refusal, systemClock } from 'greenroom'
import type { Capabilities, ConsumeOptions, Delivery, Envelope, Pushed, Settled, Settlement, TakeOptions } from 'greenroom'

const has = { once: false, uniqueIds: false, peek: false, removal: false, durable: false }
const capabilities: Capabilities = { ...has, lease: 'connection', atomicThen: 'always', delayMs: 0 }

const closed = () => new GreenroomError('APP_CLOSED', 'The toy was closed', { help: 'Make another one', stored: 'no' })

/** The messages of a namespace; takes that wait are told of every change. Brokers on one shelf see the same messages. */
export class Shelf extends EventEmitter {
  ready: Envelope[] = []
  readonly delayed: { readonly envelope: Envelope; readonly dueAt: number }[] = []
  readonly dead: Envelope[] = []
  tokens = 0
}

export function toyBroker(clock: Clock = systemClock, shelf: Shelf = new Shelf()): Broker {
  const consumers = new Set<Consumer>()
  let isClosed = false
  async function act<T>(body: () => T): Promise<T> {
    if (isClosed) throw closed()
    queueMicrotask(() => shelf.emit('change'))
    return body()
  }
  function store(envelope: Envelope, due: Due = { at: 0 }): Pushed {
    const dueAt = 'at' in due ? due.at : clock.now() + due.afterMs
    if (dueAt > clock.now()) shelf.delayed.push({ envelope, dueAt })
    else shelf.ready.push({ ...envelope })
    return 'stored'
  }

  function consumerOf({ queues, credit }: ConsumeOptions): Consumer {
    const held = new Map<string, Envelope>()
    let isOver = false,
      heads = 0 // released by this batch so far: the next one goes behind them
    /** By band, and of each queue in turn; first of all, what is due becomes ready. */
    function lease(max: number, room: TakeOptions['room'] = {}): Delivery[] {
      for (const { envelope, dueAt } of shelf.delayed.splice(0).sort((a, b) => a.dueAt - b.dueAt)) store(envelope, { at: dueAt })
      const offers = queues.flatMap(queue => {
        const mine = shelf.ready.filter(envelope => envelope.queue === queue).sort((a, b) => a.priority - b.priority)
        return mine.slice(0, Object.hasOwn(room, queue) ? room[queue] : max).map((envelope, rank) => ({ envelope, rank }))
      })
      const best = offers.sort((a, b) => a.rank - b.rank).slice(0, Math.max(0, Math.min(max, credit - held.size)))
      const taken = best.map(({ envelope }) => ({ envelope, token: `${++shelf.tokens}`, deliveries: 1 }))
      for (const { token, envelope } of taken) held.set(token, envelope)
      shelf.ready = shelf.ready.filter(envelope => !best.some(other => other.envelope === envelope))
      return taken
    }
    function settle(settlement: Settlement): Settled {
      const envelope = held.get(settlement.token)
      if (!envelope || !held.delete(settlement.token)) return 'lost'
      if (settlement.kind === 'dead') shelf.dead.push(envelope)
      else if (settlement.kind === 'release' && settlement.afterMs === 0) shelf.ready.splice(heads++, 0, envelope)
      else if (settlement.kind === 'release') store(envelope, settlement)
      else if (settlement.kind === 'retry')
        store({ ...envelope, attempt: envelope.attempt + 1, body: settlement.body ?? envelope.body }, settlement)
      if ('then' in settlement) for (const next of settlement.then ?? []) store(next, next.due)
      return 'ok'
    }
    const consumer: Consumer = {
      async take(max, { waitMs, signal, room }) {
        if (isOver) throw closed()
        for (const end = clock.now() + waitMs; !isOver && !signal.aborted;) {
          const taken = lease(max, room)
          if (taken.length > 0 || clock.now() >= end) return taken
          const next = Math.min(end, shelf.delayed[0]?.dueAt ?? Infinity)
          const timer = clock.after(next - clock.now(), () => shelf.emit('change'))
          await once(shelf, 'change', { signal }).catch(() => {}) // aborted
          timer.cancel()
        }
        return []
      },
      settle: batch => act(() => ((heads = 0), batch.map(settle))),
      async [Symbol.asyncDispose]() {
        isOver = true
        shelf.ready.unshift(...held.values())
        held.clear()
        shelf.emit('change')
      },
    }
    consumers.add(consumer)
    return consumer
  }

  return {
    name: 'toy',
    capabilities,
    open: () => act(() => {}),
    push: batch => act(() => batch.map(envelope => refusal(envelope) ?? store(envelope, envelope.due))),
    consume: options => act(() => consumerOf(options)),
    async [Symbol.asyncDispose]() {
      isClosed = true
      for (const consumer of consumers) await consumer[Symbol.asyncDispose]()
    },
  }
}
