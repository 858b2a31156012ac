/**
 * The process onion: each middleware around the next, with the checks that are always on. A layer never rejects: what a
 * middleware throws is its own bug, is reported by its name and counts as a failed attempt.
 */
import { GreenroomError } from './errors.ts'
import { LONGEST_MS, shown } from './duration.ts'
import type { AnyMiddleware, Next } from './middleware.ts'
import type { Outcome } from './outcome.ts'
import type { Run } from './run.ts'
import { rescued } from './settlement.ts'

/** Runs a message; never rejects. */
export type Process = (run: Run) => Promise<Outcome>

export function composeProcess(chain: readonly AnyMiddleware[], innermost: Process): Process {
  const retries = chain.findIndex(({ name }) => name === 'retries')
  return chain.reduceRight(
    (inner, middleware, place) => (middleware.process ? layer(middleware, inner, place > retries && retries >= 0) : inner),
    innermost,
  )
}

const IDLE = 0,
  RUNNING = 1,
  SETTLED = 2,
  MISUSED = 3,
  OVER = 4

/** @param retried whether retries further out make something of what fails here; where none do, the bug costs an attempt at once */
function layer(middleware: AnyMiddleware, inner: Process, retried: boolean): Process {
  const { name } = middleware
  const failed = (error: unknown, run: Run): Outcome =>
    retried ? { kind: 'failed', error } : rescued(error, run.attempt, run.options['maxRetries'], run.random)
  return async run => {
    let state: number = IDLE,
      below: Promise<Outcome> | undefined
    const next: Next = () => {
      if (state !== IDLE) {
        if (state !== OVER) state = MISUSED
        return refusal(name, state)
      }
      state = RUNNING
      below = inner(run)
      return below.then(outcome => {
        if (state === RUNNING) state = SETTLED
        run.move(name)
        return outcome
      })
    }
    run.move(name)
    let outcome: Outcome
    try {
      outcome = await middleware.process!(run, next)
    } catch (error) {
      await below
      state = OVER
      return failed(
        error instanceof GreenroomError && error.code === 'MIDDLEWARE_FAILED'
          ? error
          : misuse(name, 'threw', 'Fix it; the message is tried again', error),
        run,
      )
    }
    const was = state
    if (was === RUNNING || was === MISUSED) await below // the handler must not go on behind a settled message
    state = OVER
    if (was === RUNNING) return failed(misuse(name, 'returned before next() had settled', 'Await next()'), run)
    if (was === MISUSED) return failed(misuse(name, 'called next() twice', 'Call it once'), run)
    return isOutcome(outcome)
      ? outcome
      : failed(
          misuse(
            name,
            `returned ${shown(outcome)} instead of an outcome`,
            "Return what next() gave, or an outcome: { kind: 'done' } …, with times from 0 to 365d",
          ),
          run,
        )
  }
}

/** What a call of next() that must not be answers. It is caught here too: nobody may wait for it, and the layer tells of it. */
function refusal(name: string, state: number): Promise<never> {
  const error =
    state === OVER
      ? misuse(name, 'called next() after it had answered', 'Wait for what it needs before it returns')
      : misuse(name, 'called next() twice', "Call it once; a second attempt is the retries middleware's")
  const rejected = Promise.reject<never>(error)
  rejected.catch(() => {})
  return rejected
}

export const misuse = (name: string, what: string, help: string, cause?: unknown) =>
  new GreenroomError('MIDDLEWARE_FAILED', `The middleware ${name} ${what}`, {
    help,
    retryable: true,
    details: { middleware: name },
    ...(cause === undefined ? {} : { cause }),
  })

const isWait = (ms: unknown) => typeof ms === 'number' && ms >= 0 && ms <= LONGEST_MS

function isOutcome(value: unknown): value is Outcome {
  try {
    return looksLikeOutcome(value as Outcome | null | undefined)
  } catch {
    return false // a proxy or a getter that throws
  }
}

function looksLikeOutcome(outcome: Outcome | null | undefined): boolean {
  switch (outcome?.kind) {
    case 'done':
    case 'failed':
      return true
    case 'retry':
    case 'release':
      return isWait(outcome.afterMs)
    case 'dead':
      return typeof outcome.reason === 'string'
    default:
      return false
  }
}
