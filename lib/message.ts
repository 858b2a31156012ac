/** The plain data of one call. No methods: it can be stored in an outbox table as JSON and sent later by `app.send()`. */

/** Three bands with the same meaning on every broker; who needs more order uses queues. */
export type Priority = 'high' | 'normal' | 'low'

/** What travels instead of the word. A lower number is taken first. */
export type Band = 0 | 1 | 2
export const BANDS: Readonly<Record<Priority, Band>> = { high: 0, normal: 1, low: 2 }
export const PRIORITIES: readonly Priority[] = ['high', 'normal', 'low']

/** When a message may run: so many milliseconds after the broker stored it, or at a time (epoch ms) on the broker's clock. */
export type Due = { readonly afterMs: number } | { readonly at: number }

/**
 * One call as plain data: what `actor.message()` makes, what `current().message` gives, what `app.send()` takes. JSON keeps it, where
 * its arguments are JSON.
 * @example outbox.insert(JSON.stringify(receipt.message(order.id)))
 */
export interface Message<A extends readonly unknown[] = readonly unknown[], R = unknown> {
  /** Unique among the live messages of its queue; the same over retries. */
  readonly id: string
  readonly queue: string
  readonly actor: string
  readonly args: A
  /** Only what the sender gave for this message, e.g. `{ maxRetries: 3 }`; each side resolves the rest from the actor and the defaults. */
  readonly options: Readonly<Record<string, unknown>>
  /** When it was made: epoch ms on the sender's clock. The same over retries; `ageMs` counts from here. */
  readonly timestamp: number
  /** Only in types: what the actor returns. */
  readonly '~result'?: R
}
