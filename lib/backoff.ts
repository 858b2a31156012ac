/** When to try again. Pure. */

export const DEFAULT_MAX_RETRIES = 20
export const DEFAULT_MIN_BACKOFF_MS = 15_000
/** Seven days. */
export const DEFAULT_MAX_BACKOFF_MS = 7 * 86_400_000

export interface Backoff {
  /** Shortest wait, ms. */
  readonly minBackoff: number
  /** Longest wait, ms; also keeps 2ⁿ from overflowing. */
  readonly maxBackoff: number
}

/**
 * Wait before the next attempt: exponential with full jitter above the shortest wait, so that messages which failed together do not return together.
 * @param attempt failed attempts before this one, 0 after the first failure
 * @returns an integer number of ms in [minBackoff, min(maxBackoff, minBackoff · 2 ** (attempt + 1))]
 * @see M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015
 */
export function backoffMs(attempt: number, { minBackoff, maxBackoff }: Backoff, random: () => number): number {
  const longest = Math.max(minBackoff, Math.min(maxBackoff, minBackoff * 2 ** (attempt + 1)))
  return Math.round(Math.min(minBackoff, longest) + random() * (longest - Math.min(minBackoff, longest)))
}
