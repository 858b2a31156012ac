/** What a worker that ends by itself says at its end: how many messages it has run, and what it leaves in its queues. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Broker } from '../../lib/broker.ts'
import { type Clock, within } from '../../lib/clock.ts'
import type { Events } from '../../lib/events.ts'
import { plural } from '../text.ts'
import { countQueues } from './health.ts'

/** A broker that does not answer does not hold up an end. */
const LONGEST_MS = 1_000

export interface Tally {
  /** ` after 5 messages; 7 waiting`, and the same for programs. */
  told(served: ReadonlyMap<Broker, ReadonlySet<string>>): Promise<{ readonly text: string; readonly facts: object }>
  end(): void
}

/** Counts runs from now on, retries too. What was put back had none, or has none that counts. */
export function tally(clock: Clock): Tally {
  let messages = 0
  const settled = (event: unknown) => {
    if ((event as Events['settled']).outcome.kind !== 'release') messages++
  }
  subscribe('greenroom:settled', settled)
  return {
    async told(served) {
      const counted = await within(countQueues(served), LONGEST_MS, clock, () => new Error('late')).catch(() => undefined)
      const total = counted?.body['total'] as
        | { readonly ready: number; readonly delayed: number; readonly leased: number }
        | undefined
      const text = ` after ${plural(messages, 'message')}`
      if (!total) return { text, facts: { messages } }
      const { ready, delayed, leased } = total
      const left = [
        ...(ready > 0 ? [`${ready} waiting`] : []),
        ...(delayed > 0 ? [`${delayed} delayed`] : []),
        ...(leased > 0 ? [`${leased} running elsewhere`] : []),
      ]
      return { text: `${text}; ${left.join(', ') || 'nothing is left'}`, facts: { messages, left: { ready, delayed, leased } } }
    },
    end: () => {
      unsubscribe('greenroom:settled', settled)
    },
  }
}
