/**
 * The process onion: each middleware around the next, with the checks that are always on. A layer never rejects: what a
 * middleware throws is its own bug, is reported by its name and counts as a failed attempt.
 */
import { GreenroomError } from './errors.ts'
import { LONGEST_MS, shown } from './duration.ts'
import type { AnyMiddleware, Next } from './middleware.ts'
import type { Outcome } from './outcome.ts'
import type { Run } from './run.ts'

/** Runs a message; never rejects. */
export type Process = (run: Run) => Promise<Outcome>

export function composeProcess(chain: readonly AnyMiddleware[], innermost: Process): Process {
  return chain.filter(({ process }) => process).reduceRight((inner, middleware) => layer(middleware, inner), innermost)
}

const IDLE = 0,
  RUNNING = 1,
  SETTLED = 2,
  MISUSED = 3

function layer(middleware: AnyMiddleware, inner: Process): Process {
  const { name } = middleware
  return async run => {
    let state: number = IDLE,
      below: Promise<Outcome> | undefined
    const next: Next = async () => {
      if (state !== IDLE) {
        state = MISUSED
        throw misuse(name, 'called next() twice', "Call it once; a second attempt is the retries middleware's")
      }
      state = RUNNING
      const outcome = await (below = inner(run))
      if (state === RUNNING) state = SETTLED
      run.move(name)
      return outcome
    }
    run.move(name)
    let outcome: Outcome
    try {
      outcome = await middleware.process!(run, next)
    } catch (error) {
      await below
      return failed(
        error instanceof GreenroomError && error.code === 'MIDDLEWARE_FAILED'
          ? error
          : misuse(name, 'threw', 'Fix it; the message is tried again', error),
      )
    }
    if (state === RUNNING) {
      await below // the handler must not go on behind a settled message
      return failed(misuse(name, 'returned before next() had settled', 'Await next()'))
    }
    if (state === MISUSED) return failed(misuse(name, 'called next() twice', 'Call it once'))
    return isOutcome(outcome)
      ? outcome
      : failed(
          misuse(
            name,
            `returned ${shown(outcome)} instead of an outcome`,
            "Return what next() gave, or an outcome: { kind: 'done' } …, with times from 0 to 365d",
          ),
        )
  }
}

const failed = (error: unknown): Outcome => ({ kind: 'failed', error })

export const misuse = (name: string, what: string, help: string, cause?: unknown) =>
  new GreenroomError('MIDDLEWARE_FAILED', `The middleware ${name} ${what}`, {
    help,
    retryable: true,
    details: { middleware: name },
    ...(cause === undefined ? {} : { cause }),
  })

const isWait = (ms: unknown) => typeof ms === 'number' && ms >= 0 && ms <= LONGEST_MS

function isOutcome(value: unknown): value is Outcome {
  const outcome = value as Outcome | null | undefined
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
