/**
 * What processing a message ends in: a closed union. The innermost layer makes an `Attempt`; middleware may turn it into
 * any `Outcome`; the worker turns that into one settlement, one atomic write.
 */
import type { Message } from './message.ts'

/** What happened in the handler. `then`: messages that follow from it, stored in the same write. */
export type Attempt =
  | { readonly kind: 'done'; readonly result?: unknown; readonly then?: readonly Message[] }
  | { readonly kind: 'failed'; readonly error: unknown }

/** What the broker must make true, in one step. */
export type Outcome =
  | Attempt
  /** Run again later, one attempt more. */
  | { readonly kind: 'retry'; readonly afterMs: number; readonly error: unknown }
  /** Run again later at no cost: shutdown, rate limited. */
  | { readonly kind: 'release'; readonly afterMs: number; readonly reason: string }
  /** Keep it as a dead letter. `then`: `onExhausted`, `onFailure`, a group told of a lost member. */
  | { readonly kind: 'dead'; readonly reason: string; readonly error?: unknown; readonly then?: readonly Message[] }
