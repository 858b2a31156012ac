/**
 * One run of a message: what middleware see as their context. A class for once: one is made a message, so it must be one
 * allocation, with everything dear (signal, bound logger) made only when it is read.
 */
import type { Deadlines, Timed } from './deadlines.ts'
import { GreenroomError } from './errors.ts'
import type { Frame } from './layers.ts'
import { bound, type Logger } from './log.ts'
import type { Message } from './message.ts'
import type { AbortReason, AnyContext, Services } from './middleware.ts'
import type { ResolvedOptions } from './options.ts'
import { shared } from './registry.ts'
import type { Outcome } from './outcome.ts'

const ABORTS: Readonly<Record<AbortReason, (actor: string) => GreenroomError>> = {
  'time limit': actor =>
    new GreenroomError('TIME_LIMIT', `${actor} ran longer than its time limit`, {
      help: `Raise timeLimit, let the handler watch current().signal, or, where it computes, make the actor with isolate: 'thread'`,
      retryable: true,
    }),
  cancelled: actor =>
    new GreenroomError('CANCELLED', `${actor} was cancelled`, { help: 'Someone asked for it; nothing is to be done' }),
  'lease lost': actor =>
    new GreenroomError('LEASE_LOST', `This worker lost its lease on a message of ${actor}`, {
      help: 'It runs again elsewhere; end soon, this result is not used',
      retryable: true,
    }),
  shutdown: actor =>
    new GreenroomError('SHUTDOWN', `The worker that runs ${actor} is stopping`, {
      help: 'The message is given back and runs again, at no cost',
      retryable: true,
    }),
}

export class Run implements AnyContext, Timed {
  readonly message: Message
  readonly options: ResolvedOptions
  readonly attempt: number
  readonly deliveries: number
  /** Why it was asked to end, once it was. */
  reason: AbortReason | undefined
  /** Among the runs of its worker; -1: not there. */
  place = -1
  /** By the monotonic clock. */
  startedAt = 0
  /** By the monotonic clock; Infinity: none. */
  deadline = Infinity
  /** The innermost `process` that is under way. */
  frame: Frame | undefined
  /** Messages to be stored if this run succeeds. */
  followUps: Message[] | undefined
  /** Whether the handler has ended: a message that is added now would be lost. */
  over = false
  /** The handler, while it runs. */
  execution: { abort(reason: AbortReason): void } | undefined
  readonly #services: Services
  /** Those of its worker; a run without one ends when its caller says. */
  readonly #deadlines: Deadlines | undefined
  #deadlineReason: AbortReason = 'time limit'
  #controller: AbortController | undefined
  #log: Logger | undefined

  constructor(
    message: Message,
    attempt: number,
    deliveries: number,
    options: ResolvedOptions,
    services: Services,
    deadlines?: Deadlines,
  ) {
    this.message = message
    this.attempt = attempt
    this.deliveries = deliveries
    this.options = options
    this.#services = services
    this.#deadlines = deadlines
  }
  get clock() {
    return this.#services.clock
  }
  get random() {
    return this.#services.random
  }
  get newId() {
    return this.#services.newId
  }
  get store() {
    return this.#services.store
  }
  get push() {
    return this.#services.push
  }
  get log(): Logger {
    return (this.#log ??= bound(this.#services.log, { id: this.message.id, actor: this.message.actor, attempt: this.attempt }))
  }
  get ageMs() {
    return Math.max(0, this.#services.clock.now() - this.message.timestamp)
  }
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController()
      if (this.reason) this.#controller.abort(this.#error(this.reason))
    }
    return this.#controller.signal
  }
  /** A property that holds a function, so that it works after destructuring. */
  get abort(): (reason: AbortReason) => void {
    return reason => {
      if (this.reason) return
      this.reason = reason
      if (this.#controller) shared.runs.run(this, () => this.#controller!.abort(this.#error(reason))) // listeners have current()
      this.execution?.abort(reason)
    }
  }
  get abortAfter(): (ms: number, reason: AbortReason) => void {
    return (ms, reason) => {
      const deadline = this.#services.clock.monotonic() + ms
      if (!(deadline < this.deadline)) return
      this.deadline = deadline
      this.#deadlineReason = reason
      this.#deadlines?.heed(deadline)
    }
  }
  /** What comes now is no running time. @returns what ends the pause */
  pause(): () => void {
    const left = this.deadline - this.#services.clock.monotonic()
    this.deadline = Infinity
    return () => this.abortAfter(left, this.#deadlineReason)
  }
  expire(): void {
    this.deadline = Infinity
    this.abort(this.#deadlineReason)
  }
  #error(reason: AbortReason) {
    return ABORTS[reason](this.message.actor)
  }
}

/** What `after()` was given, once a run without a worker has succeeded. @throws what the first that was not stored says */
export async function sendFollowUps(run: Run): Promise<void> {
  run.over = true
  const { followUps, push } = run
  if (!followUps) return
  for (const pushed of await push(followUps)) if (pushed instanceof GreenroomError) throw pushed
}

/** What an aborted run comes to when it did not succeed all the same. Shutdown costs no attempt; a cancelled one is not tried again. */
export function interrupted(reason: AbortReason, actor: string, thrown?: unknown): Outcome {
  switch (reason) {
    case 'time limit': {
      const error = ABORTS[reason](actor)
      if (thrown !== undefined && !(thrown instanceof GreenroomError))
        Object.defineProperty(error, 'cause', { value: thrown, configurable: true, writable: true })
      return { kind: 'failed', error }
    }
    case 'cancelled':
      return { kind: 'dead', reason: 'cancelled', error: ABORTS[reason](actor) }
    case 'shutdown':
      return { kind: 'release', afterMs: 0, reason: 'shutdown' }
    case 'lease lost':
      return { kind: 'release', afterMs: 0, reason: 'lease lost' }
    default:
      return reason satisfies never
  }
}
