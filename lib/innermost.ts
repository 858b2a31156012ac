/**
 * The innermost layer: decides whether a message can run here at all, calls the handler, and gives up on one that does not
 * end. It always answers, so `next()` always settles; and everything it refuses is an outcome, so that results, callbacks
 * and groups outside of it hear of it.
 */
import type { Clock, Timer } from './clock.ts'
import { UNKNOWN_ACTOR_MS, UNKNOWN_MAX_MS, UNKNOWN_MIN_MS } from './defaults.ts'
import type { Definition, Handler } from './definition.ts'
import { shortDuration } from './duration.ts'
import { GreenroomError } from './errors.ts'
import type { EventStream } from './events.ts'
import { isGiveUp, retryAfterOf } from './failure.ts'
import type { Process } from './layers.ts'
import type { Outcome } from './outcome.ts'
import { shared } from './registry.ts'
import { interrupted, type Run } from './run.ts'
import { isMismatch, validate } from './schema.ts'

export interface InnermostParts {
  readonly definitions: ReadonlyMap<string, Definition>
  readonly clock: Clock
  readonly events: EventStream
  readonly maxDeliveries: number
  readonly abortGraceMs: number
}

export interface Innermost {
  readonly process: Process
  /** Handlers that went on after their message was settled, and still do. */
  readonly stuck: number
}

export function createInnermost({ definitions, clock, events, maxDeliveries, abortGraceMs }: InnermostParts): Innermost {
  const unknown = unknownActors(clock)
  let stuck = 0

  const process: Process = async run => {
    const {
      message: { actor },
      deliveries,
    } = run
    if (deliveries > maxDeliveries) return { kind: 'dead', reason: `crash loop: ${deliveries - 1} workers died or froze with it` }
    if (run.reason) return interrupted(run.reason, actor)
    const definition = definitions.get(actor)
    if (!definition?.handler) return unknown(actor)
    return execute(run, () => handle(run, definition, definition.handler!))
  }

  /** @param body what may hang: given up a grace time after an abort */
  function execute(run: Run, body: () => Promise<Outcome>): Promise<Outcome> {
    run.move(undefined)
    return new Promise(resolve => {
      let ended = false,
        left = false,
        grace: Timer | undefined
      const finish = (outcome: Outcome) => {
        ended = true
        run.onAbort = undefined
        grace?.cancel()
        if (left) stuck--
        resolve(outcome)
      }
      run.onAbort = reason => {
        grace = clock.after(
          abortGraceMs,
          () => {
            if (ended) return
            left = true
            stuck++
            if (events.watched('stuck')) events.emit('stuck', { message: run.message, reason, stuck })
            run.log.warn(
              { reason, stuck },
              `the handler went on for ${shortDuration(abortGraceMs)} after its signal was aborted; its message is settled without it`,
            )
            resolve(interrupted(reason, run.message.actor))
          },
          { ref: false },
        )
      }
      body().then(finish, error => finish(failedOutcome(run, error)))
    })
  }
  return {
    process,
    get stuck() {
      return stuck
    },
  }
}

/** `async`: a throw of a handler that is not asynchronous is a rejection too. */
async function handle(run: Run, { input, name }: Definition, handler: Handler): Promise<Outcome> {
  let { args } = run.message
  if (input) {
    try {
      args = [await validate(input, args[0], name)]
    } catch (error) {
      if (isMismatch(error)) return { kind: 'dead', reason: 'schema mismatch', error }
      throw error // the schema itself failed, e.g. one that asks a database: tried again as any failure
    }
    if (run.reason) return interrupted(run.reason, name)
  }
  const result = await shared.runs.run(run, handler, ...args)
  return { kind: 'done', result, ...(run.followUps && { then: run.followUps }) }
}

/** A throw after an abort is put down to the abort, unless it says what it wants. */
function failedOutcome(run: Run, error: unknown): Outcome {
  const says = isGiveUp(error) || retryAfterOf(error) !== undefined
  return run.reason && !says ? interrupted(run.reason, run.message.actor, error) : { kind: 'failed', error }
}

/** A hostile sender must not grow the table. */
const MOST_NAMES = 1_000

/** Releases a message for an actor that is not here, longer each time, until a deploy should long be over; then it is dead. */
function unknownActors(clock: Clock): (actor: string) => Outcome {
  const firstMet = new Map<string, number>()
  return actor => {
    const now = clock.monotonic(),
      since = firstMet.get(actor) ?? now
    if (!firstMet.has(actor)) {
      if (firstMet.size >= MOST_NAMES) firstMet.delete(firstMet.keys().next().value!)
      firstMet.set(actor, now)
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
