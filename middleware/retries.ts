/** Tries a failed message again: exponential back-off with full jitter, until `maxRetries`; then a dead letter. */
import { backoffMs, DEFAULT_MAX_BACKOFF_MS, DEFAULT_MAX_RETRIES, DEFAULT_MIN_BACKOFF_MS } from '../lib/backoff.ts'
import { type Target, targetOf } from '../lib/definition.ts'
import type { Accepts } from '../lib/actor-types.ts'
import { type Duration, durationMs, shown } from '../lib/duration.ts'
import { GreenroomError } from '../lib/errors.ts'
import { asksForRetry, type Failure, failureOf, isGiveUp, retryAfterOf } from '../lib/failure.ts'
import type { Message } from '../lib/message.ts'
import { type Context, defineMiddleware, type Middleware } from '../lib/middleware.ts'
import { count, custom, duration, knownOptions, type Option, perMessage } from '../lib/options.ts'
import type { Outcome } from '../lib/outcome.ts'
import { callbackMessage } from './callback-message.ts'

/** A class of errors, e.g. `TypeError`. */
export type ErrorClass = abstract new (...args: any[]) => unknown
/** Says whether to try again. `attempt` is that of `current()` in the run that failed: 0 when the first run did. */
export type RetryWhen = (failure: { readonly attempt: number; readonly error: unknown }) => boolean
/** An actor that is sent the message that was given up, and its last failure. */
export type OnExhausted = Accepts<[message: Message, failure: Failure]>

/** The options of `retries()`. The first three may also be given to a message. */
export type RetriesSpecs = {
  maxRetries: Option<number, number, true>
  minBackoff: Option<Duration, number, true>
  maxBackoff: Option<Duration, number, true>
  throws: Option<readonly ErrorClass[], readonly ErrorClass[], false>
  retryWhen: Option<RetryWhen, RetryWhen | undefined, false>
  onExhausted: Option<OnExhausted, Target | undefined, false>
}

/** For actors that do not say. */
export interface RetriesDefaults {
  /** How often to try again: 0 is never. @default 20 */
  readonly maxRetries?: number | undefined
  /** Shortest wait before the next attempt. @default '15s' */
  readonly minBackoff?: Duration | undefined
  /** Longest wait. @default '7d' */
  readonly maxBackoff?: Duration | undefined
}

/** More attempts than this are a loop, not a retry. */
const MOST_RETRIES = 1_000

/**
 * Retries. Options: `maxRetries`, `minBackoff`, `maxBackoff` (also per message); `throws`, a list of error classes that
 * are not tried again; `retryWhen`, which may say no before `maxRetries` is reached (a `retryAfter()` is not asked about); `onExhausted`, an actor that is sent
 * `(message, failure)` when a message is given up. A handler may throw `retryAfter('30s')` or `giveUp('why')`.
 * @example app.actor(charge, { name: 'charge', maxRetries: 5, minBackoff: '1s', throws: [NotFound] })
 */
export function retries(defaults: RetriesDefaults = {}): Middleware<RetriesSpecs> {
  const {
    maxRetries = DEFAULT_MAX_RETRIES,
    minBackoff = DEFAULT_MIN_BACKOFF_MS,
    maxBackoff = DEFAULT_MAX_BACKOFF_MS,
  } = knownOptions(defaults, ['maxRetries', 'minBackoff', 'maxBackoff'], 'retries()')
  const options: RetriesSpecs = {
    maxRetries: perMessage(count(count(0, { max: MOST_RETRIES }).parse(maxRetries, 'maxRetries'), { max: MOST_RETRIES })),
    minBackoff: perMessage(duration(durationMs(minBackoff, 'minBackoff'))),
    maxBackoff: perMessage(duration(durationMs(maxBackoff, 'maxBackoff'))),
    throws: custom<readonly ErrorClass[]>({ default: [], parse: parseClasses }),
    retryWhen: custom<RetryWhen, RetryWhen | undefined>({ default: undefined, parse: parseRetryWhen }),
    onExhausted: custom<OnExhausted, Target | undefined>({ default: undefined, parse: parseTarget }),
  }
  return defineMiddleware({
    name: 'retries',
    options,
    after: (context, outcome) => (outcome.kind === 'failed' ? decide(context, outcome.error) : outcome),
  })
}

/** Again, or the end of it. */
function decide(context: Context<RetriesSpecs>, error: unknown): Outcome {
  const { attempt, clock, options, random, message } = context
  const reason = finalReason(error, attempt, options)
  if (reason === undefined)
    return { kind: 'retry', afterMs: retryAfterOf(error, clock.now()) ?? backoffMs(attempt, options, random), error }
  const { onExhausted } = options
  const then = onExhausted && [callbackMessage(context, 'onExhausted', onExhausted, [message, failureOf(error)])]
  return { kind: 'dead', reason, error, ...(then && { then }) }
}

/** Anything may have been thrown, also a proxy that throws when it is looked at. */
function isA(kind: ErrorClass, error: unknown): boolean {
  try {
    return error instanceof kind
  } catch {
    return false
  }
}

interface Policy {
  readonly maxRetries: number
  readonly throws: readonly ErrorClass[]
  readonly retryWhen: RetryWhen | undefined
}

/** A promise is true whatever it comes to: the message would be tried again for ever. */
function saysYes(retryWhen: RetryWhen, failure: Parameters<RetryWhen>[0]): boolean {
  const answer: unknown = retryWhen(failure)
  if (typeof answer !== 'object' || answer === null || !('then' in answer)) return Boolean(answer)
  Promise.resolve(answer).catch(() => {}) // nobody waits for it
  throw new TypeError('retryWhen returned a promise; it must answer at once, true or false')
}

/**
 * Why this failure is the last; undefined when it is tried again. Pure, but for the user's own `retryWhen`.
 * @param attempt of the run that failed: how often the message was tried again before
 */
export function finalReason(error: unknown, attempt: number, { maxRetries, throws, retryWhen }: Policy): string | undefined {
  if (isGiveUp(error)) return `gave up: ${failureOf(error).message}`
  const thrown = throws.find(kind => isA(kind, error))
  if (thrown) return `threw ${thrown.name}, which is not tried again: ${failureOf(error).message}`
  const after = `after ${attempt} ${attempt === 1 ? 'retry' : 'retries'}: ${failureOf(error).message}`
  if (attempt >= maxRetries) return `retries exhausted ${after}`
  if (!retryWhen || asksForRetry(error) || saysYes(retryWhen, { attempt, error })) return undefined
  return `retryWhen said no ${after}`
}

const refuse = (name: string, value: unknown, help: string): never => {
  throw new GreenroomError('OPTION_INVALID', `${name} cannot be ${shown(value)}`, { help })
}

function parseClasses(value: unknown, name: string): readonly ErrorClass[] {
  return Array.isArray(value) && value.every(item => typeof item === 'function' && typeof item.prototype === 'object')
    ? (value as ErrorClass[])
    : refuse(name, value, 'Give a list of error classes: [NotFound]')
}
function parseRetryWhen(value: unknown, name: string): RetryWhen {
  return typeof value === 'function'
    ? (value as RetryWhen)
    : refuse(name, value, 'Give a function ({ attempt, error }) => boolean')
}
/** An actor, for options that name one. */
export function parseTarget(value: unknown, name: string): Target {
  return targetOf(value) ?? refuse(name, value, 'Give an actor of this app, or one that app.declare() made')
}
