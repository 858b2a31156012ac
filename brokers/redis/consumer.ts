/** A consumer: takes from its lanes in turn, waits until one of them may have something, and turns tokens into what is held. */
import type { ConsumeOptions, Consumer, Delivery, Settled } from '../../lib/broker.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Push } from './push.ts'
import { refusal } from '../../lib/refusal.ts'
import { closed } from './errors.ts'
import { pushAhead } from './follow-ups.ts'
import { createLane, type Held, type Lane, type LaneParts } from './lane.ts'

export interface ConsumerParts extends Omit<
  LaneParts,
  'queue' | 'consumer' | 'leaseMs' | 'hold' | 'letGo' | 'lost' | 'joined' | 'changed' | 'stray'
> {
  readonly id: string
  readonly clock: Clock
  /** The keeper's module and what it needs to connect. */
  readonly keeper: { readonly module: string; readonly data: object }
  /** What it does with a queue while it consumes it; ended by what this returns. */
  listen(queue: string, woken: () => void): () => void
  /** Where one script cannot write to all queues: stores follow-ups that go elsewhere. */
  readonly push: Push | undefined
  isBrokerClosed(): boolean
  ended(): void
}

export interface Opened {
  readonly consumer: Consumer
  /** Ends its waiting take, empty: for a broker that closes, and for tests that stop it. It asks for nothing by itself then. */
  cancel(): void
}

export function openConsumer(parts: ConsumerParts, { queues: asked, credit, leaseMs, onLost }: ConsumeOptions): Opened {
  const { clock, id, namespace } = parts
  const queues = [...new Set(asked)],
    tokens = new Map<string, Held>()
  /** A number a lane: which incarnation of this consumer the keeper renews; 0 before it joined. */
  const epochs = new Int32Array(new SharedArrayBuffer(4 * queues.length))
  let strays: Delivery[] = [],
    suspects = 0,
    turn = 0,
    notify: (() => void) | undefined,
    left: Promise<void> | undefined,
    stopWaiting = new AbortController(),
    /** What an aborted take asked for: it comes as strays, and counts. */
    abandoned: Promise<unknown> | undefined

  const changed = () => notify?.()
  const lanes = queues.map((queue, place) =>
    createLane({
      ...parts,
      queue,
      consumer: id,
      leaseMs,
      hold(held) {
        tokens.set(held.token, held)
        if (held.isSuspect) suspects++
      },
      letGo(held) {
        if (!tokens.delete(held.token)) return
        if (!held.isSuspect) return
        suspects--
        changed() // the next one may come now
      },
      lost(gone) {
        strays = strays.filter(({ token }) => !gone.includes(token))
        try {
          onLost(gone)
        } catch (error) {
          parts.log.error({ error, queue }, 'onLost failed: the runs that it should have ended go on')
        }
      },
      joined: epoch => Atomics.store(epochs, place, epoch),
      changed,
      stray(deliveries) {
        strays.push(...deliveries)
        changed()
      },
    }),
  )
  const deaf = lanes.map(lane => parts.listen(lane.queue, () => lane.woken()))

  /** Some of several lanes, in turn, so that none waits for the others. */
  async function ask(wanting: readonly Lane[], wanted: number, room: (queue: string) => number): Promise<readonly Delivery[]> {
    turn++
    const some = Array.from({ length: Math.min(wanting.length, wanted) }, (_, i) => wanting[(turn + i) % wanting.length]!)
    let leftOver = wanted,
      mayBeSuspect = suspects === 0
    const asked: Promise<readonly Delivery[]>[] = []
    for (const [i, lane] of some.entries()) {
      const max = Math.min(Math.ceil(leftOver / (some.length - i)), room(lane.queue))
      leftOver -= max
      asked.push(lane.take(max, mayBeSuspect))
      mayBeSuspect = false
    }
    const found = await Promise.allSettled(asked)
    const deliveries = found.flatMap(one => (one.status === 'fulfilled' ? one.value : []))
    const failed = found.find(one => one.status === 'rejected')
    if (failed && deliveries.length === 0) throw failed.reason
    return deliveries
  }

  /** Until something changes, or so long. */
  function rest(ms: number, signals: readonly AbortSignal[]): Promise<void> {
    return new Promise(resolve => {
      const end = () => {
        timer.cancel()
        notify = undefined
        for (const signal of signals) signal.removeEventListener('abort', end)
        resolve()
      }
      const timer = clock.after(ms, end)
      notify = end
      for (const signal of signals) signal.addEventListener('abort', end, { once: true })
    })
  }

  async function take(
    max: number,
    { waitMs, signal, room: rooms }: Parameters<Consumer['take']>[1],
  ): Promise<readonly Delivery[]> {
    const until = clock.monotonic() + waitMs,
      stop = stopWaiting.signal
    const room = (queue: string) => (rooms && Object.hasOwn(rooms, queue) ? rooms[queue]! : Infinity)
    const isOver = () => signal.aborted || stop.aborted
    if (abandoned && (await ended(abandoned, [signal, stop])) === undefined && isOver()) return []
    abandoned = undefined
    for (let isFirst = true; ; isFirst = false) {
      const found = takeStrays(max, room)
      if (found.length > 0) return found
      const now = clock.monotonic(),
        wanted = Math.min(max, credit - tokens.size)
      const open = lanes.filter(({ queue }) => room(queue) >= 1),
        wanting =
          wanted < 1 ? [] : open.filter(lane => !lane.failure && ((isFirst && waitMs === 0) || lane.wants(now, suspects === 0)))
      if (wanting.length > 0) {
        const asking = ask(wanting, wanted, room)
        const taken = await ended(asking, [signal, stop])
        if (taken === undefined) {
          abandoned = asking.then(late => strays.push(...late)).catch(() => {}) // the lane has its failure
          return []
        }
        if (taken.length > 0) return taken
        if (waitMs > 0 ? clock.monotonic() < until : suspects === 0 && open.some(lane => lane.seesSuspect)) continue
      }
      const left = until - clock.monotonic()
      if (isOver()) return []
      if (left <= 0) {
        const failure = open.find(lane => lane.failure)?.failure
        if (failure) throw failure
        return []
      }
      const nextMs = wanted < 1 ? left : Math.min(left, ...open.filter(lane => !lane.failure).map(({ askAt }) => askAt - now))
      await rest(Math.max(0, nextMs), [signal, stop])
      if (isOver()) return []
    }
  }
  function takeStrays(max: number, room: (queue: string) => number): readonly Delivery[] {
    if (strays.length === 0) return strays
    const counts = new Map<string, number>(),
      found: Delivery[] = [],
      rest: Delivery[] = []
    for (const delivery of strays) {
      const { queue } = delivery.envelope,
        count = counts.get(queue) ?? 0
      if (found.length >= max || count >= room(queue)) {
        rest.push(delivery)
        continue
      }
      counts.set(queue, count + 1)
      found.push(delivery)
    }
    strays = rest
    return found
  }

  async function leave(): Promise<void> {
    stopWaiting.abort()
    for (const end of deaf) end()
    await Promise.all(lanes.map(lane => lane.leave().catch(() => {}))) // a lease that nobody ends, ends by itself
    tokens.clear()
    parts.ended()
  }

  return {
    cancel() {
      for (const lane of lanes) lane.standStill()
      stopWaiting.abort()
      stopWaiting = new AbortController()
    },
    consumer: {
      keeper: {
        module: parts.keeper.module,
        everyMs: leaseMs / 3,
        data: { ...parts.keeper.data, namespace, queues, consumer: id, leaseMs, epochs },
      },
      async take(max, options) {
        if (left || parts.isBrokerClosed()) throw closed(parts.isBrokerClosed() ? 'broker' : 'consumer')
        if (options.signal.aborted || !(max >= 1)) return []
        return take(Math.floor(max), options)
      },
      async settle(batch) {
        if (parts.isBrokerClosed()) throw closed('broker')
        if (left) return batch.map(() => 'lost')
        for (const settlement of batch) {
          if (!('then' in settlement)) continue
          for (const envelope of settlement.then ?? []) {
            const error = refusal(envelope)
            if (error) throw error
          }
        }
        const settlements = parts.push ? await pushAhead(batch, token => tokens.get(token)?.lane.queue, parts.push) : batch
        return new Promise(resolve => {
          const answers: Settled[] = []
          let open = settlements.length
          if (open === 0) resolve(answers)
          settlements.forEach((settlement, place) => {
            const told = (settled: Settled) => {
              answers[place] = settled
              if (--open === 0) resolve(answers)
            }
            const held = tokens.get(settlement.token)
            if (!held || held.settling) return told('lost')
            held.settling = true
            held.lane.settle({ held, settlement, told })
          })
        })
      },
      [Symbol.asyncDispose]: () => (left ??= leave()),
    },
  }
}

/** What it resolves to; undefined when a signal is aborted before that. */
function ended<T>(promise: Promise<T>, signals: readonly AbortSignal[]): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      deafen()
      resolve(undefined)
    }
    const deafen = () => {
      for (const signal of signals) signal.removeEventListener('abort', stop)
    }
    for (const signal of signals) signal.addEventListener('abort', stop, { once: true })
    promise.then(
      value => {
        deafen()
        resolve(value)
      },
      (error: unknown) => {
        deafen()
        reject(error)
      },
    )
  })
}
