/**
 * The onion around a run, made once for each set of options: a stage runs a message and calls `end` once with its outcome.
 *
 *   looking   a group of middleware with `before` and `after`: plain calls, and no promise
 *   around    one with `process`: a promise for its `next()`, and one to learn what it made of it
 *
 * A stage never throws: what a middleware throws is its own bug, is reported by its name and counts as a failed attempt.
 */
import { GreenroomError } from './errors.ts'
import { LONGEST_MS, shown } from './duration.ts'
import { failureOf } from './failure.ts'
import type { AnyMiddleware, Next } from './middleware.ts'
import type { ResolvedOptions } from './options.ts'
import type { Outcome } from './outcome.ts'
import type { Run } from './run.ts'
import { rescued } from './settlement.ts'

/** Told once what a run came to. It must not throw. */
export type End = (run: Run, outcome: Outcome) => void
/** Runs a message. The handler counts as running while `run.execution` is set. */
export type Stage = (run: Run, end: End) => void

/** A `process` that is under way. */
export interface Frame {
  readonly name: string
  /** The one around it. */
  readonly outer: Frame | undefined
  state: State
  /** `next()` was called more than once. */
  twice: boolean
}
/** Before `next()`, while it runs, after it settled; answered. */
type State = 'before' | 'within' | 'after' | 'over'

/** Whose code a run waits for: the innermost `process` under way; undefined for the handler. */
export const inCharge = ({ execution, frame }: Run): Frame | undefined => (execution ? undefined : frame)

/** The chain as it is for each set of options: without the middleware that have nothing to do there. */
export function composeStages(chain: readonly AnyMiddleware[], innermost: Stage): Stage {
  const onions = new Map<string, Stage>(), // by the middleware that take part
    known = new WeakMap<ResolvedOptions, Stage>() // most messages have their actor's own options object
  const onionFor = (options: ResolvedOptions): Stage => {
    const part = chain.filter(middleware => acts(middleware) && applies(middleware, options))
    const key = part.map(({ name }) => name).join(' ')
    const onion = onions.get(key) ?? compose(part, chain, innermost)
    onions.set(key, onion)
    known.set(options, onion)
    return onion
  }
  return (run, end) => (known.get(run.options) ?? onionFor(run.options))(run, end)
}

const acts = ({ process, before, after }: AnyMiddleware) => process !== undefined || before !== undefined || after !== undefined

/** One that throws when it is asked takes part: what is wrong with it shows there, by its name. */
function applies(middleware: AnyMiddleware, options: ResolvedOptions): boolean {
  try {
    return middleware.applies?.(options) ?? true
  } catch {
    return true
  }
}

interface Layer extends AnyMiddleware {
  /** Whether retries further out make something of what fails here; where none do, a bug costs an attempt at once. */
  readonly retried: boolean
}

/** From the inside out; neighbours that only look share a stage. One with `process` too looks outside of it. */
function compose(part: readonly AnyMiddleware[], chain: readonly AnyMiddleware[], innermost: Stage): Stage {
  const retries = chain.findIndex(({ name }) => name === 'retries')
  let stage = innermost,
    group: Layer[] = []
  const close = () => {
    if (group.length > 0) stage = looking(group, stage)
    group = []
  }
  for (const middleware of part.toReversed()) {
    const layer: Layer = { ...middleware, retried: retries >= 0 && chain.indexOf(middleware) > retries }
    if (layer.process) {
      close()
      stage = around(layer, stage)
    }
    if (layer.before || layer.after) group.unshift(layer)
  }
  close()
  return stage
}

function looking(group: readonly Layer[], inner: Stage): Stage {
  const outwards = (run: Run, outcome: Outcome, from: number): Outcome => {
    let made = outcome
    for (let i = from; i >= 0; i--) if (group[i]!.after) made = lookedAt(group[i]!, run, made)
    return made
  }
  const wrap =
    (end: End): End =>
    (run, outcome) =>
      end(run, outwards(run, outcome, group.length - 1))
  const entering = group.flatMap((layer, index) => (layer.before ? [{ layer, index }] : []))
  let before: End | undefined, wrapped: End | undefined // the outermost group meets one `end` for all runs
  return (run, end) => {
    for (const { layer, index } of entering) {
      const instead = entered(layer, run)
      if (instead) return end(run, outwards(run, instead, index - 1))
    }
    if (end !== before) {
      before = end
      wrapped = wrap(end)
    }
    inner(run, wrapped!)
  }
}

/** What its `before` answers in the place of a run. */
function entered({ name, before, retried }: Layer, run: Run): Outcome | undefined {
  try {
    const answer: unknown = before!(run)
    if (answer === undefined) return undefined
    return checked(name, 'before()', answer)
  } catch (error) {
    return afterBug(run, bugOf(name, 'before()', error), retried)
  }
}

function lookedAt({ name, after, retried }: Layer, run: Run, outcome: Outcome): Outcome {
  try {
    return checked(name, 'after()', after!(run, outcome))
  } catch (error) {
    return afterBug(run, bugOf(name, 'after()', error), retried)
  }
}

function checked(name: string, hook: string, answer: unknown): Outcome {
  if (isOutcome(answer)) return answer
  if (!(answer instanceof Promise)) throw misuse(name, `returned ${shown(answer)} from ${hook} instead of an outcome`, OUTCOMES)
  answer.catch(() => {}) // nobody waits for it
  throw misuse(name, `returned a promise from ${hook}`, 'before() and after() answer at once; what must wait is a process()')
}

const OUTCOMES = "Return what next() gave, or an outcome: { kind: 'done' } …, with times from 0 to 365d"

/** What a bug of a middleware makes of a run. */
const afterBug = (run: Run, error: GreenroomError, retried: boolean): Outcome =>
  retried ? { kind: 'failed', error } : rescued(error, run.attempt, run.options['maxRetries'], run.random)

const bugOf = (name: string, hook: string, error: unknown): GreenroomError =>
  error instanceof GreenroomError && error.code === 'MIDDLEWARE_FAILED'
    ? error
    : misuse(name, `threw in ${hook}: ${failureOf(error).message}`, 'Fix it; the message is tried again', error)

function around({ name, process, retried }: Layer, inner: Stage): Stage {
  return (run, end) => {
    const frame: Frame = { name, outer: run.frame, state: 'before', twice: false }
    let below: Promise<Outcome> | undefined
    const next: Next = () => {
      if (frame.state !== 'before') return refusal(frame)
      frame.state = 'within'
      below = new Promise(resolve => {
        inner(run, (_, outcome) => {
          frame.state = 'after'
          resolve(outcome)
        })
      })
      return below
    }
    const finish = (outcome: Outcome) => {
      frame.state = 'over'
      run.frame = frame.outer
      end(run, outcome)
    }
    const wrong = async (error: GreenroomError) => {
      if (frame.state === 'within') await below // the handler must not go on behind a settled message
      finish(afterBug(run, error, retried))
    }
    run.frame = frame
    let answer: Promise<Outcome>
    try {
      answer = Promise.resolve(process!(run, next))
    } catch (error) {
      answer = Promise.reject<Outcome>(error)
    }
    void answer.then(
      outcome => {
        const misused = misuseOf(frame, outcome)
        if (misused) void wrong(misused)
        else finish(outcome)
      },
      (error: unknown) => wrong(bugOf(name, 'process()', error)),
    )
  }
}

function misuseOf({ name, state, twice }: Frame, outcome: Outcome): GreenroomError | undefined {
  if (twice) return misuse(name, 'called next() twice', 'Call it once')
  if (state === 'within') return misuse(name, 'returned before next() had settled', 'Await next()')
  return isOutcome(outcome) ? undefined : misuse(name, `returned ${shown(outcome)} instead of an outcome`, OUTCOMES)
}

/** What a call of next() that must not be answers. It is caught here too: nobody may wait for it, and the layer tells of it. */
function refusal(frame: Frame): Promise<never> {
  const late = frame.state === 'over'
  if (!late) frame.twice = true
  const rejected = Promise.reject<never>(
    late
      ? misuse(frame.name, 'called next() after it had answered', 'Wait for what it needs before it returns')
      : misuse(frame.name, 'called next() twice', "Call it once; a second attempt is the retries middleware's"),
  )
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
