/** `current()`: the run that this code belongs to, wherever a handler runs: in a worker, in a test, called directly. */
import { GreenroomError } from './errors.ts'
import type { Logger } from './log.ts'
import type { Message } from './message.ts'
import { shared } from './registry.ts'
import type { Run } from './run.ts'

/** What a handler may know of its run, and ask of it. Reading it after the run has ended is allowed. */
export interface Current {
  /** Aborted at the time limit, on cancel, when the lease is lost and on shutdown; `reason` is a GreenroomError that says which. */
  readonly signal: AbortSignal
  /** The message's id; the same over retries. */
  readonly id: string
  /** Failed attempts so far: 0 on the first run. */
  readonly attempt: number
  /** 1, and one more for each worker that died with this message. */
  readonly deliveries: number
  /** As it was sent: arguments, options, timestamp. */
  readonly message: Message
  /** The app's logger with id, actor and attempt bound. */
  readonly log: Logger
  /**
   * Sends messages if, and only if, this run succeeds; in the same write where the broker can. A rerun sends the same ids.
   * In a direct call they are sent when the call has succeeded.
   * @example current().after(receipt.message(order.id))
   */
  after(...messages: readonly Message[]): void
}

/** Getters, so that a handler that reads nothing pays nothing, and everything works after destructuring. */
class CurrentRun implements Current {
  readonly #run: Run
  constructor(run: Run) {
    this.#run = run
  }
  get signal() {
    return this.#run.signal
  }
  get id() {
    return this.#run.message.id
  }
  get attempt() {
    return this.#run.attempt
  }
  get deliveries() {
    return this.#run.deliveries
  }
  get message() {
    return this.#run.message
  }
  get log() {
    return this.#run.log
  }
  get after() {
    return (...messages: readonly Message[]) => {
      const run = this.#run
      if (!run.over) (run.followUps ??= []).push(...messages)
      else
        run.log.error({ count: messages.length }, 'after() was called when the handler had ended: await what calls it. Not sent')
    }
  }
}

function maybe(): Current | undefined {
  const run = shared.runs.getStore() as Run | undefined
  return run && new CurrentRun(run)
}

/**
 * The run that this code belongs to. In a direct call it is an inert one: attempt 0, a signal that nobody aborts.
 * @throws {GreenroomError} `NO_CONTEXT` outside a handler; `current.maybe()` is undefined there
 * @example const { signal, attempt } = current()
 */
export const current: {
  (): Current
  /** The run, or undefined outside a handler: for code that runs in both. */
  maybe(): Current | undefined
} = Object.assign(
  () => {
    const run = maybe()
    if (run) return run
    throw new GreenroomError('NO_CONTEXT', 'current() was called outside a handler', {
      help: 'Call it while the actor runs (not at the top of a module), or use current.maybe()',
    })
  },
  { maybe },
)
