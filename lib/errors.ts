/**
 * Every error that Greenroom makes: one class, a stable code, what happened, and what to do next.
 *
 * Codes are listed in docs/errors.md; adding one is a minor change, renaming one a major change. The wording lives here,
 * one function an error, so that a caller states facts and this file states sentences. Recognised by a brand and not by
 * its class, so that two copies of the library in one process know each other's errors.
 */

/** Stable codes, one section each in docs/errors.md. */
export type Code =
  | 'ACTOR_ANONYMOUS'
  | 'ACTOR_DUPLICATE'
  | 'ACTOR_UNKNOWN'
  | 'ACTOR_NOT_IMPLEMENTED'
  | 'ACTOR_INVALID'
  | 'APP_CLOSED'
  | 'BROKER_NOT_SET'
  | 'BROKER_UNKNOWN'
  | 'BROKER_DENIED'
  | 'BROKER_DOWN'
  | 'BROKER_FULL'
  | 'BROKER_INVALID'
  | 'BROKER_UNSUPPORTED'
  | 'BODY_TOO_LARGE'
  | 'BODY_UNDECODABLE'
  | 'NOT_DATA'
  | 'SCHEMA_MISMATCH'
  | 'SCHEMA_INVALID'
  | 'CHAIN_CYCLE'
  | 'CHAIN_DUPLICATE'
  | 'MIDDLEWARE_FAILED'
  | 'MIDDLEWARE_INVALID'
  | 'OPTION_CLASH'
  | 'OPTION_INVALID'
  | 'OPTION_UNKNOWN'
  | 'DRIVER_MISSING'
  | 'DURATION_INVALID'
  | 'NAME_INVALID'
  | 'HANDLERS_STUCK'
  | 'ID_INVALID'
  | 'MESSAGE_INVALID'
  | 'DISK_FULL'
  | 'ENGINE_MISSING'
  | 'FOLDER_INVALID'
  | 'LEAK'
  | 'NO_CONTEXT'
  | 'SEND_ABORTED'
  | 'SEND_PARTIAL'
  | 'SEND_PENDING'
  | 'SEND_REFUSED'
  | 'STORE_MISSING'
  | 'THREAD_BROKER'
  | 'THREAD_ENDED'
  | 'THREAD_MODULE'
  | 'TIME_LIMIT'
  | 'CANCELLED'
  | 'LEASE_LOST'
  | 'SHUTDOWN'
  | 'TEST_UNBOUNDED'
  | 'WORKER_INVALID'

const BRAND = Symbol.for('greenroom/error')

/** What an error may carry beside its sentence. */
export interface ErrorDetails {
  /** What to do next, a sentence without its full stop. */
  readonly help: string
  /** The error behind it, as of any `Error`. */
  readonly cause?: unknown
  /** True when the same call may succeed later. @default false */
  readonly retryable?: boolean
  /** Whether the message of a failed `send()` may be in the broker all the same. */
  readonly stored?: 'no' | 'maybe'
  /** More facts for programs: a path, the issues of a schema, the verdict of each message. */
  readonly details?: Readonly<Record<string, unknown>>
}

/**
 * An error of Greenroom. `code` is stable, `help` says what to do next, `retryable` whether the same call may succeed later.
 *
 * @example
 * try { await resize.send(url) } catch (error) {
 *   if (error instanceof GreenroomError && error.code === 'BROKER_DOWN') return res.status(503).end()
 *   throw error
 * }
 */
export class GreenroomError extends Error {
  /** Always `GreenroomError`; the code tells errors apart. */
  override readonly name = 'GreenroomError'
  /** Stable over versions; each has a section in docs/errors.md. */
  readonly code: Code
  /** What to do next. It is also in `message`. */
  readonly help: string
  /** True when the same call may succeed later. */
  readonly retryable: boolean
  /** Of a `send()` that failed: whether the message may be in the broker all the same. */
  readonly stored?: 'no' | 'maybe'
  /** More facts for programs: a path, the issues of a schema, the verdict of each message. */
  readonly details?: Readonly<Record<string, unknown>>
  /** For brokers and middleware of one's own. @param what a sentence without its full stop */
  constructor(code: Code, what: string, { help, cause, retryable = false, stored, details }: ErrorDetails) {
    super(`${what}. ${help} [${code}]`, cause === undefined ? {} : { cause })
    Object.defineProperty(this, BRAND, { value: true })
    this.code = code
    this.help = help
    this.retryable = retryable
    if (stored !== undefined) this.stored = stored
    if (details !== undefined) this.details = details
  }
  /** By a brand: an error of another copy of the library in this process is one too. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    try {
      return typeof value === 'object' && value !== null && (value as Record<symbol, unknown>)[BRAND] === true
    } catch {
      return false // a proxy that throws: anything may have been thrown
    }
  }
}

/** An error of a send that went no further than this process: nothing was stored. What says so itself, or is no error of ours, stays as it is. */
export function notStored(error: unknown): unknown {
  if (error instanceof GreenroomError && error.stored === undefined) (error as { stored?: 'no' | 'maybe' }).stored = 'no'
  return error
}
export function rejectNotStored(error: unknown): never {
  throw notStored(error)
}

/** `"a, b, c"`, or a word for none. */
export const listed = (names: Iterable<string>, none = 'none') => [...names].join(', ') || none
