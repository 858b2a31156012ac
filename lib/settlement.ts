/** From an outcome to what is asked of the broker. Pure. */
import type { Envelope, Settlement } from './broker.ts'
import { backoffMs, DEFAULT_MAX_BACKOFF_MS, DEFAULT_MAX_RETRIES, DEFAULT_MIN_BACKOFF_MS } from './backoff.ts'
import { encodeFailure, failureOf } from './failure.ts'
import type { Outcome } from './outcome.ts'

/** A new kind of outcome fails to compile here. */
export function settlementOf(token: string, outcome: Outcome, then: readonly Envelope[]): Settlement {
  switch (outcome.kind) {
    case 'done':
      return then.length > 0 ? { token, kind: 'done', then } : { token, kind: 'done' }
    case 'retry':
      return { token, kind: 'retry', afterMs: outcome.afterMs }
    case 'release':
      return { token, kind: 'release', afterMs: outcome.afterMs }
    case 'dead':
      return {
        token,
        kind: 'dead',
        reason: reasonOf(outcome.reason),
        ...(outcome.error === undefined ? {} : { error: encodeFailure(outcome.error) }),
        ...(then.length > 0 && { then }),
      }
    case 'failed':
      return {
        token,
        kind: 'dead',
        reason: reasonOf(`failed, and no middleware retries it: ${failureOf(outcome.error).message}`),
        error: encodeFailure(outcome.error),
      }
    default:
      return outcome satisfies never
  }
}

const LONGEST_REASON = 500
export const reasonOf = (reason: string) => reason.slice(0, LONGEST_REASON)

/**
 * What a bug of a middleware, or a follow-up that cannot be sent, costs a message: one attempt, with the default back-off.
 * It can delay a message, never lose it.
 */
export function rescued(error: unknown, attempt: number, maxRetries: unknown, random: () => number): Outcome {
  const most = typeof maxRetries === 'number' ? maxRetries : DEFAULT_MAX_RETRIES
  if (attempt >= most) return { kind: 'dead', reason: failureOf(error).message, error }
  return {
    kind: 'retry',
    afterMs: backoffMs(attempt, { minBackoff: DEFAULT_MIN_BACKOFF_MS, maxBackoff: DEFAULT_MAX_BACKOFF_MS }, random),
    error,
  }
}
