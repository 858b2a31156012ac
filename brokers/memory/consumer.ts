/** The consumers of a memory broker: takes that wait, leases that are renewed, losses that are told. */
import type { ConsumeOptions, Consumer, Delivery, TakeOptions } from '../../lib/broker.ts'
import type { Clock, Timer } from '../../lib/clock.ts'
import { GreenroomError } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import type { Reducer } from './reducer.ts'
import type { Holder } from './state.ts'

interface Live {
  readonly holder: Holder
  readonly onLost: ConsumeOptions['onLost']
  readonly waits: Set<Wait>
  frozen: boolean
}

interface Wait {
  readonly live: Live
  readonly max: number
  readonly room: TakeOptions['room']
  end(deliveries: readonly Delivery[]): void
}

export interface Consumers {
  join(options: ConsumeOptions, usable: () => void): Consumer
  /** Gives what is ready to the takes that wait, longest waiting first. */
  serve(now: number): void
  renew(now: number): void
  /** Reaps, and tells those who lost. */
  lapse(now: number): void
  /** When a lease must be renewed, or lapses. */
  nextDeadline(): number
  freeze(consumer: Consumer): void
  /** Ends every wait, empty. */
  close(): void
}

/** So that one renewal may come late, and the next still in time. */
const RENEWALS_A_LEASE = 3

export function consumers({
  state,
  clock,
  log,
  changed,
}: {
  state: Reducer
  clock: Clock
  log: Logger
  changed(now: number): void
}): Consumers {
  const lives = new Map<Consumer, Live>()
  const waiting = new Set<Wait>()

  function wait(live: Live, max: number, { waitMs, signal, room }: TakeOptions): Promise<readonly Delivery[]> {
    return new Promise(resolve => {
      const abort = () => self.end([])
      const timer: Timer = clock.after(waitMs, abort)
      const self: Wait = {
        live,
        max,
        room,
        end(deliveries) {
          timer.cancel()
          signal.removeEventListener('abort', abort)
          waiting.delete(self)
          live.waits.delete(self)
          resolve(deliveries)
        },
      }
      signal.addEventListener('abort', abort, { once: true })
      waiting.add(self)
      live.waits.add(self)
    })
  }

  function endWaits({ waits }: Live): void {
    for (const { end } of waits) end([])
  }

  function tell({ onLost }: Live, tokens: readonly string[]): void {
    try {
      onLost(tokens)
    } catch (error) {
      log.error({ error }, 'onLost of a consumer threw')
    }
  }

  return {
    join({ queues, credit, leaseMs, onLost }, usable) {
      const live: Live = { holder: state.join({ queues, credit, leaseMs }), onLost, waits: new Set(), frozen: false }
      let disposed = false
      const consumer: Consumer = {
        async take(max, options) {
          usable()
          if (disposed)
            throw new GreenroomError('BROKER_INVALID', 'take() was called on a consumer that was disposed', {
              help: 'Ask the broker for a new one with consume()',
            })
          if (options.signal.aborted) return []
          live.frozen = false
          const now = clock.now(),
            taken = state.take(live.holder, max, options.room, now)
          if (taken.length === 0 && options.waitMs > 0) return wait(live, max, options)
          changed(now)
          return taken
        },
        async settle(batch) {
          usable()
          const now = clock.now(),
            settled = state.settle(live.holder, batch, now)
          changed(now)
          return settled
        },
        async [Symbol.asyncDispose]() {
          if (disposed) return
          disposed = true
          lives.delete(consumer)
          endWaits(live)
          state.leave(live.holder)
          changed(clock.now())
        },
      }
      lives.set(consumer, live)
      return consumer
    },
    serve(now) {
      for (const { live, max, room, end } of waiting) {
        const taken = state.take(live.holder, max, room, now)
        if (taken.length > 0) end(taken)
      }
    },
    renew(now) {
      for (const { holder, frozen } of lives.values()) if (!frozen) state.renew(holder, now)
    },
    lapse(now) {
      for (const { holder, tokens } of state.reap(now)) {
        for (const live of lives.values()) if (live.holder === holder) tell(live, tokens)
      }
    },
    nextDeadline() {
      let next = Infinity
      for (const {
        holder: { held, deadline, leaseMs },
        frozen,
      } of lives.values()) {
        if (held.size > 0) next = Math.min(next, frozen ? deadline : deadline - leaseMs * (1 - 1 / RENEWALS_A_LEASE))
      }
      return next
    },
    freeze(consumer) {
      const live = lives.get(consumer)
      if (!live)
        throw new GreenroomError('BROKER_INVALID', 'freeze() was given a consumer that is not of this broker, or was disposed', {
          help: 'Give one that consume() returned',
        })
      live.frozen = true
      endWaits(live)
    },
    close() {
      for (const live of lives.values()) endWaits(live)
      lives.clear()
    },
  }
}
