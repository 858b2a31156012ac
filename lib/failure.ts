/**
 * Errors that a handler throws to say what should happen, and errors as bytes. Recognised by a brand on the global symbol
 * registry and never by text or class, so that two copies of the library agree.
 */
import { type Duration, durationMs, LONGEST_MS } from './duration.ts'

const RETRY_AFTER = Symbol.for('greenroom/retry-after')
const RETRY_AT = Symbol.for('greenroom/retry-at')
const GIVE_UP = Symbol.for('greenroom/give-up')

/**
 * Throw it from a handler to be tried again after exactly that long, or at that time, whatever the back-off says. It counts as
 * an attempt. A time that has passed is at once; one that is more than 365 days away is 365 days.
 * An HTTP `Retry-After` is seconds: `retryAfter(Number(header) * 1000)`, or a date: `retryAfter(new Date(header))`.
 * @throws {GreenroomError} `DURATION_INVALID`
 * @example if (response.status === 429) throw retryAfter('30s')
 */
export function retryAfter(delay: Duration | Date): Error {
  if (delay instanceof Date && !Number.isNaN(delay.getTime()))
    return Object.defineProperty(new Error(`asked to be tried again at ${delay.toISOString()}`), RETRY_AT, {
      value: delay.getTime(),
    })
  const ms = durationMs(delay, 'retryAfter')
  return Object.defineProperty(new Error(`asked to be tried again after ${ms} ms`), RETRY_AFTER, { value: ms })
}

/**
 * Throw it from a handler to stop trying: the message becomes a dead letter with this reason.
 * @example if (response.status === 404) throw giveUp('no such user')
 */
export function giveUp(why: string): Error {
  return Object.defineProperty(new Error(why), GIVE_UP, { value: true })
}

/** The wait that `retryAfter()` asked for, in ms from `now`. */
export function retryAfterOf(error: unknown, now: number): number | undefined {
  const ms = read(error, RETRY_AFTER),
    at = read(error, RETRY_AT)
  if (typeof at === 'number') return Math.min(LONGEST_MS, Math.max(0, at - now))
  return typeof ms === 'number' && ms >= 0 ? ms : undefined
}
export const asksForRetry = (error: unknown): boolean => retryAfterOf(error, 0) !== undefined
export const isGiveUp = (error: unknown): boolean => read(error, GIVE_UP) === true

/** Anything may have been thrown: a proxy that throws, a frozen object, nothing. */
function read(value: unknown, key: PropertyKey): unknown {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return undefined
  try {
    return (value as Record<PropertyKey, unknown>)[key]
  } catch {
    return undefined
  }
}

/** An error as data: what a dead letter keeps and what callbacks are given. */
export interface Failure {
  /** The class, e.g. `TypeError`. */
  readonly type: string
  readonly message: string
  readonly code?: string
  readonly stack?: string
  readonly cause?: Failure
}

const LONGEST_MESSAGE = 8_192
const LONGEST_STACK = 16_384
const DEEPEST_CAUSE = 5

/**
 * A picture of anything that was thrown, safe to store: never throws, bounded in size and depth.
 * @param withStack it is nearly all of what a picture costs; where a sentence of ours tells all, nobody needs it
 */
export function failureOf(error: unknown, depth = 0, withStack = true): Failure {
  const text = (key: string, longest: number) => {
    const value = read(error, key)
    return typeof value === 'string' || typeof value === 'number' ? `${value}`.slice(0, longest) : undefined
  }
  if (typeof error === 'function') return { type: 'function', message: 'a function was thrown' }
  if (typeof error !== 'object' || error === null) return { type: typeof error, message: String(error).slice(0, LONGEST_MESSAGE) }
  const code = text('code', 128),
    stack = withStack ? text('stack', LONGEST_STACK) : undefined,
    cause = read(error, 'cause')
  return {
    type: text('name', 128) ?? 'Error',
    message: text('message', LONGEST_MESSAGE) ?? 'something without a message was thrown',
    ...(code === undefined ? {} : { code }),
    ...(stack === undefined ? {} : { stack }),
    ...(cause === undefined || depth >= DEEPEST_CAUSE ? {} : { cause: failureOf(cause, depth + 1, withStack) }),
  }
}

export const encodeFailure = (error: unknown, withStack = true): Uint8Array =>
  Buffer.from(JSON.stringify(failureOf(error, 0, withStack)))

/** The failure that a dead letter keeps; undefined when the bytes are not one. */
export function decodeFailure(bytes: Uint8Array | undefined): Failure | undefined {
  if (!bytes) return undefined
  try {
    return JSON.parse(Buffer.from(bytes).toString()) as Failure
  } catch {
    return undefined
  }
}
