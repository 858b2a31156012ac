/**
 * The innermost layer: decides whether a message can run here at all, calls the handler, and gives up on one that does not
 * end. It always answers, so `next()` always settles; and everything it refuses is an outcome, so that results, callbacks
 * and groups outside of it hear of it.
 */
import type { Clock, Timer } from './clock.ts'
import { UNKNOWN_ACTOR_MS, UNKNOWN_MAX_MS, UNKNOWN_MIN_MS } from './defaults.ts'
import { DEFAULT_QUEUE, type Definition } from './definition.ts'
import { nearest } from './did-you-mean.ts'
import { shortDuration } from './duration.ts'
import { GreenroomError } from './errors.ts'
import type { EventStream } from './events.ts'
import { asksForRetry, isGiveUp } from './failure.ts'
import { board } from './keeper/board.ts'
import type { End, Stage } from './layers.ts'
import type { Logger } from './log.ts'
import type { Message } from './message.ts'
import type { AbortReason } from './middleware.ts'
import type { Outcome } from './outcome.ts'
import { crashLoopText } from './problems.ts'
import { shared } from './registry.ts'
import { interrupted, type Run } from './run.ts'
import { isMismatch, validate } from './schema.ts'
import type { Stuck } from './stuck.ts'

export interface InnermostParts {
  readonly definitions: ReadonlyMap<string, Definition>
  readonly clock: Clock
  readonly events: EventStream
  readonly maxDeliveries: number
  readonly abortGraceMs: number
  readonly stuck: Stuck
  /** Runs isolated actors; left out, they run here as all others. */
  readonly isolated?: ((run: Run, definition: Definition, end: End) => void) | undefined
}

export function createInnermost(parts: InnermostParts): Stage {
  const { definitions, clock, events, maxDeliveries, abortGraceMs, stuck, isolated } = parts
  const unknown = unknownActors(clock, definitions)

  /** Why a message does not run here at all. */
  function refusal(run: Run, definition: Definition | undefined): Outcome | undefined {
    const { message, deliveries, reason } = run
    if (deliveries > maxDeliveries) return { kind: 'dead', reason: crashLoopText(deliveries - 1) }
    if (reason) return interrupted(reason, message.actor)
    return definition?.handler ? undefined : unknown(message, run.log)
  }

  const giveUp = (run: Run, reason: AbortReason): Outcome => {
    const count = stuck.count + 1
    if (events.watched('stuck')) events.emit('stuck', { message: run.message, reason, stuck: count })
    run.log.warn(
      { reason, stuck: count },
      `the handler went on for ${shortDuration(abortGraceMs)} after its signal was aborted; its message is settled without it`,
    )
    stuck.add()
    return interrupted(reason, run.message.actor)
  }
  const here: Parts = { clock, abortGraceMs, giveUp, back: stuck.end }
  return (run, end) => {
    const definition = definitions.get(run.message.actor)
    const refused = refusal(run, definition)
    if (refused) end(run, refused)
    else if (isolated && definition!.isolate) isolated(run, definition!, end)
    else new Execution(run, end, here).start(definition!)
  }
}

interface Parts {
  readonly clock: Clock
  readonly abortGraceMs: number
  /** The handler did not end in time. */
  giveUp(run: Run, reason: AbortReason): Outcome
  /** It did in the end. */
  back(): void
}

/** A handler that runs, given up a grace time after an abort. A class, and not closures: one is made a message. */
class Execution {
  readonly #run: Run
  readonly #end: End
  readonly #parts: Parts
  #grace: Timer | undefined
  #left = false
  #place = 0
  constructor(run: Run, end: End, parts: Parts) {
    this.#run = run
    this.#end = end
    this.#parts = parts
  }
  start(definition: Definition): void {
    const run = this.#run
    run.execution = this
    this.#place = board.enter(definition.name, run.deadline - run.startedAt)
    try {
      const ran = callHandler(run, definition)
      if (typeof ran !== 'object' || ran === null) return this.#over(doneOutcome(run, ran))
      const promise = ran instanceof Promise ? ran : Promise.resolve(ran)
      promise.then(
        result => this.#over(doneOutcome(run, result)),
        error => this.#over(failedOutcome(run, error)),
      )
    } catch (error) {
      this.#over(failedOutcome(run, error))
    }
  }
  abort(reason: AbortReason): void {
    const { clock, abortGraceMs, giveUp } = this.#parts
    this.#grace = clock.after(
      abortGraceMs,
      () => {
        this.#left = true
        this.#run.execution = undefined
        this.#end(this.#run, giveUp(this.#run, reason))
      },
      { ref: false },
    )
  }
  #over(outcome: Outcome): void {
    this.#run.over = true
    board.leave(this.#place)
    this.#grace?.cancel()
    if (this.#left) return void this.#parts.back()
    this.#run.execution = undefined
    this.#end(this.#run, outcome)
  }
}

/** The handler's own answer, whatever it is; or a `Refused` where the argument does not fit. */
export const callHandler = (run: Run, definition: Definition): unknown =>
  definition.input ? validated(run, definition) : shared.runs.run(run, definition.handler!, ...run.message.args)

/** What a schema makes of the argument, given to the handler. An outcome where there is nothing to run. */
async function validated(run: Run, { input, name, handler }: Definition): Promise<unknown> {
  let value: unknown
  try {
    value = await validate(input!, run.message.args[0], name)
  } catch (error) {
    if (isMismatch(error)) return new Refused({ kind: 'dead', reason: 'schema mismatch', error })
    throw error // the schema itself failed, e.g. one that asks a database: tried again as any failure
  }
  if (run.reason) return new Refused(interrupted(run.reason, name))
  return shared.runs.run(run, handler!, value)
}

/** An outcome in the place of a result. */
export class Refused {
  readonly outcome: Outcome
  constructor(outcome: Outcome) {
    this.outcome = outcome
  }
}

function doneOutcome({ followUps }: Run, result: unknown): Outcome {
  if (result instanceof Refused) return result.outcome
  return followUps ? { kind: 'done', result, then: followUps } : { kind: 'done', result }
}

/** A throw after an abort is put down to the abort, unless it says what it wants. */
export function failedOutcome(run: Run, error: unknown): Outcome {
  const says = isGiveUp(error) || asksForRetry(error)
  return run.reason && !says ? interrupted(run.reason, run.message.actor, error) : { kind: 'failed', error }
}

/** A hostile sender must not grow the table. */
const MOST_NAMES = 1_000

/** When this process first met each name: for all its workers, and apart for each clock that a test moves. */
const met = new WeakMap<Clock, Map<string, number>>()

/** Releases a message for an actor that is not here, longer each time, until a deploy should long be over; then it is dead. */
function unknownActors(clock: Clock, definitions: ReadonlyMap<string, Definition>): (message: Message, log: Logger) => Outcome {
  const firstMet = met.get(clock) ?? new Map<string, number>()
  met.set(clock, firstMet)
  return ({ actor, queue }, log) => {
    const now = clock.monotonic(),
      since = firstMet.get(actor) ?? now
    if (!firstMet.has(actor)) {
      if (firstMet.size >= MOST_NAMES) firstMet.delete(firstMet.keys().next().value!)
      firstMet.set(actor, now)
      log.warn(
        `no actor ${JSON.stringify(actor)} is here, and the queue ${queue} has a message for it; its messages wait for a worker that has it, ${shortDuration(UNKNOWN_ACTOR_MS)} at most: ${fixOf(actor, queue, definitions)}`,
      )
    }
    const elapsed = now - since
    if (elapsed < UNKNOWN_ACTOR_MS)
      return {
        kind: 'release',
        afterMs: Math.min(UNKNOWN_MAX_MS, Math.max(UNKNOWN_MIN_MS, elapsed)),
        reason: `unknown actor ${actor}`,
      }
    const error = new GreenroomError('ACTOR_UNKNOWN', `No actor ${JSON.stringify(actor)} in this worker`, {
      help: 'Import the module that defines it before work(), or give its queue to the workers that have it',
    })
    return { kind: 'dead', reason: `unknown actor: not met here for ${shortDuration(UNKNOWN_ACTOR_MS)}`, error }
  }
}

/** What a person most likely forgot. */
function fixOf(actor: string, queue: string, definitions: ReadonlyMap<string, Definition>): string {
  if (definitions.has(actor)) return 'it is only declared here: call implement()'
  const here = [...definitions.values()].flatMap(({ name, handler }) => (handler ? [name] : [])),
    near = nearest(actor, here)
  const fix = near ? `did the sender mean ${near}?` : 'import the module that implements it'
  if (queue !== DEFAULT_QUEUE) return fix
  return `${near ? fix : `${fix}.`} If its queue is another one: greenroom send without --queue goes to ${DEFAULT_QUEUE}`
}
