/**
 * The process onion: each middleware around the next, with the checks that are always on. A layer never rejects: what a
 * middleware throws is its own bug, is reported by its name and counts as a failed attempt.
 */
import { GreenroomError } from './errors.ts'
import { LONGEST_MS, shown } from './duration.ts'
import { failureOf } from './failure.ts'
import type { AnyMiddleware, Next } from './middleware.ts'
import type { ResolvedOptions } from './options.ts'
import type { Outcome } from './outcome.ts'
import type { Run } from './run.ts'
import { rescued } from './settlement.ts'

/** Runs a message; never rejects. Leaves in `run.frame` the frame of whoever made the promise. */
export type Process = (run: Run) => Promise<Outcome>

/** One layer of one run: what it has done, and what it waits for. */
export interface Frame {
  /** The middleware; undefined for the handler. */
  readonly name: string | undefined
  /** What its `next()` began. */
  inner: Frame | undefined
  state: State
  settled: boolean
}
type State = typeof IDLE | typeof RUNNING | typeof MISUSED | typeof OVER
const IDLE = 0,
  RUNNING = 1,
  MISUSED = 2,
  OVER = 3

export const newFrame = (name: string | undefined): Frame => ({ name, inner: undefined, state: IDLE, settled: false })

/** Whose code runs now, from the outermost frame inwards. */
export function inCharge(outermost: Frame): Frame {
  let frame = outermost
  while (frame.inner && !frame.inner.settled) frame = frame.inner
  return frame
}

/** The chain as it is for each set of options: without the middleware that have nothing to do there. */
export function composeProcess(chain: readonly AnyMiddleware[], innermost: Process): Process {
  const onions = new Map<string, Process>(), // by the middleware that take part
    known = new WeakMap<ResolvedOptions, Process>() // most messages have their actor's own options object
  const onionFor = (options: ResolvedOptions): Process => {
    const part = chain.filter(middleware => middleware.process && applies(middleware, options))
    const key = part.map(({ name }) => name).join(' ')
    const onion = onions.get(key) ?? compose(part, chain, innermost)
    onions.set(key, onion)
    known.set(options, onion)
    return onion
  }
  return run => (known.get(run.options) ?? onionFor(run.options))(run)
}

/** One that throws when it is asked takes part: what is wrong with it shows there, by its name. */
function applies(middleware: AnyMiddleware, options: ResolvedOptions): boolean {
  try {
    return middleware.applies?.(options) ?? true
  } catch {
    return true
  }
}

function compose(part: readonly AnyMiddleware[], chain: readonly AnyMiddleware[], innermost: Process): Process {
  const retries = chain.findIndex(({ name }) => name === 'retries')
  return part.reduceRight(
    (inner, middleware) => layer(middleware, inner, chain.indexOf(middleware) > retries && retries >= 0),
    innermost,
  )
}

/**
 * A middleware that only passes the call on (it returns what `next()` gave, without `async`) costs nothing: there is nothing of its
 * own left to check. Promises are what a message costs most, so only the others get one more.
 * @param retried whether retries further out make something of what fails here; where none do, the bug costs an attempt at once
 */
function layer(middleware: AnyMiddleware, inner: Process, retried: boolean): Process {
  const { name } = middleware
  return run => {
    const frame = newFrame(name)
    let below: Promise<Outcome> | undefined
    const next: Next = () => {
      if (frame.state !== IDLE) {
        if (frame.state !== OVER) frame.state = MISUSED
        return refusal(name, frame.state)
      }
      frame.state = RUNNING
      const outermost = run.frame
      below = inner(run)
      frame.inner = run.frame
      run.frame = outermost // where next() is called after a wait, the chain has long been entered
      return below
    }
    let answer: Promise<Outcome>
    try {
      answer = middleware.process!(run, next)
    } catch (error) {
      answer = Promise.reject<Outcome>(error)
    }
    if (answer === below && frame.state === RUNNING) {
      frame.state = OVER
      run.frame = frame.inner
      return answer
    }
    run.frame = frame
    return checked(run, frame, answer, () => below, retried)
  }
}

async function checked(
  run: Run,
  frame: Frame,
  answer: Promise<Outcome>,
  below: () => Promise<Outcome> | undefined,
  retried: boolean,
): Promise<Outcome> {
  const name = frame.name!
  let outcome: Outcome, wrong: GreenroomError | undefined
  try {
    outcome = await answer
    if (frame.state === MISUSED) wrong = misuse(name, 'called next() twice', 'Call it once')
    else if (frame.state === RUNNING && !frame.inner!.settled)
      wrong = misuse(name, 'returned before next() had settled', 'Await next()')
    else if (!isOutcome(outcome))
      wrong = misuse(
        name,
        `returned ${shown(outcome)} instead of an outcome`,
        "Return what next() gave, or an outcome: { kind: 'done' } …, with times from 0 to 365d",
      )
  } catch (error) {
    const known = error instanceof GreenroomError && error.code === 'MIDDLEWARE_FAILED'
    wrong = known ? error : misuse(name, `threw: ${failureOf(error).message}`, 'Fix it; the message is tried again', error)
  }
  if (wrong) await below() // the handler must not go on behind a settled message
  frame.state = OVER
  frame.settled = true
  if (!wrong) return outcome!
  return retried ? { kind: 'failed', error: wrong } : rescued(wrong, run.attempt, run.options['maxRetries'], run.random)
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
