/**
 * One delivery from its bytes to its settlement: decode, resolve options, run the chain, make follow-ups. Never throws: a
 * failure is an outcome. Keeps the runs that are under way, so that they can be aborted and one that hangs be found.
 */
import type { Delivery, Envelope, Settled, Settlement } from './broker.ts'
import { derivedId } from './ids.ts'
import type { Definition } from './definition.ts'
import type { Encoder } from './encoder.ts'
import { GreenroomError } from './errors.ts'
import { failureOf } from './failure.ts'
import { type Frame, inCharge, misuse, type Process } from './layers.ts'
import type { Live } from './live.ts'
import type { Message } from './message.ts'
import type { AbortReason, Sending } from './middleware.ts'
import { type OptionTable, resolve, type ResolvedOptions } from './options.ts'
import type { Outcome } from './outcome.ts'
import { isProblem } from './problems.ts'
import { Run } from './run.ts'
import { hasGeneratedId } from './sender.ts'
import { rescued, settlementOf } from './settlement.ts'

export interface ExecutorParts {
  readonly live: Live
  readonly encoder: Encoder
  readonly table: OptionTable
  readonly defaults: ResolvedOptions
  readonly definitions: ReadonlyMap<string, Definition>
  readonly process: Process
  toSending(message: Message): Sending
}

/** What to tell the broker, and what to tell observers once it answered. */
export interface Executed {
  readonly settlement: Settlement
  told(settled: Settled): void
}

export interface Executor {
  /** Runs a delivery; `done` is called exactly once, never before `execute` returned unless the body cannot be decoded. */
  execute(delivery: Delivery, done: (executed: Executed) => void): void
  /** Aborts the run of one delivery; says whether there was one. */
  abort(reason: AbortReason, token: string): boolean
  abortAll(reason: AbortReason): void
  /** What runs now. */
  messages(): readonly Message[]
  /** Ends runs whose middleware has not moved for so long. */
  endHung(now: number, timeoutMs: number): void
}

/** What a middleware did wrong, whatever was made of it further out. */
const bugOf = (outcome: Outcome): GreenroomError | undefined =>
  'error' in outcome && outcome.error instanceof GreenroomError && outcome.error.code === 'MIDDLEWARE_FAILED'
    ? outcome.error
    : undefined

const NONE: readonly Envelope[] = []

/** A class, and not a closure: one is made a message. */
class Ended implements Executed {
  readonly settlement: Settlement
  readonly #run: Run
  readonly #outcome: Outcome
  readonly #start: number
  readonly #live: Live
  constructor(settlement: Settlement, run: Run, outcome: Outcome, start: number, live: Live) {
    this.settlement = settlement
    this.#run = run
    this.#outcome = outcome
    this.#start = start
    this.#live = live
  }
  told(settled: Settled): void {
    const { events, clock } = this.#live
    if (!events.watched('settled', isProblem(this.#outcome, settled))) return
    const { message, attempt } = this.#run
    events.emit('settled', { message, outcome: this.#outcome, attempt, ms: clock.monotonic() - this.#start, settled })
  }
}

interface Active {
  readonly run: Run
  readonly finish: (outcome: Outcome) => void
  /** Whose code ran at the last look, whether before or after its `next()`, and since when. */
  seen: Frame | undefined
  after: boolean
  since: number
}

export function createExecutor({ live, encoder, table, defaults, definitions, process, toSending }: ExecutorParts): Executor {
  const { events, services, clock, broker } = live
  const active = new Map<string, Active>()

  function execute({ envelope, token, deliveries }: Delivery, done: (executed: Executed) => void): void {
    let run: Run
    try {
      run = toRun(envelope, deliveries)
    } catch (error) {
      return done(undecodable(envelope, token, error))
    }
    if (events.watched('started')) events.emit('started', { message: run.message, attempt: run.attempt, deliveries })
    const start = clock.monotonic()
    const finish = (outcome: Outcome) => {
      if (active.delete(token)) conclude(run, token, outcome, start, done)
    }
    active.set(token, { run, finish, seen: undefined, after: false, since: 0 })
    void process(run).then(finish)
  }

  function undecodable(envelope: Envelope, token: string, error: unknown): Executed {
    const reason =
      error instanceof GreenroomError && error.code === 'BODY_UNDECODABLE'
        ? `undecodable: ${String(error.details?.['reason'])}`
        : `invalid options: ${failureOf(error).message}`
    return {
      settlement: settlementOf(token, { kind: 'dead', reason, error }, []),
      told: () => events.emit('rejected', { id: envelope.id, queue: envelope.queue, reason }),
    }
  }

  /** From what the chain made of a run to its settlement. Waits only for follow-ups that must pass the send chain. */
  function conclude(run: Run, token: string, made: Outcome, start: number, done: (executed: Executed) => void): void {
    let outcome = made
    const bug = bugOf(outcome)
    if (bug) {
      events.emit('trouble', { what: bug.message, error: bug })
      run.log.error({ err: bug }, 'a middleware failed')
      if (outcome.kind === 'failed') outcome = rescue(bug, run)
    }
    const end = (outcome: Outcome, then: readonly Envelope[]) =>
      done(new Ended(settlementOf(token, outcome, then), run, outcome, start, live))
    const follow = outcome.kind === 'done' || outcome.kind === 'dead' ? outcome.then : undefined
    if (!follow || follow.length === 0) return end(outcome, NONE)
    followUps(run.message, follow).then(
      then => end(outcome, then),
      error => end(rescue(error, run), NONE),
    )
  }

  const rescue = (error: unknown, run: Run) => rescued(error, run.attempt, run.options['maxRetries'], live.random)

  function toRun(envelope: Envelope, deliveries: number): Run {
    const body = encoder.decode(envelope.body)
    // What travels in the clear is what counts: a revived dead letter may be in another queue than its body says.
    const message: Message =
      body.id === envelope.id && body.queue === envelope.queue ? body : { ...body, id: envelope.id, queue: envelope.queue }
    const options = resolve(table, definitions.get(message.actor)?.options ?? defaults, message.options, 'message')
    return new Run(message, envelope.attempt, deliveries, options, services)
  }

  /** Follow-ups as envelopes, through the send chain, before the settlement is queued. Throws when one cannot be sent. */
  async function followUps(parent: Message, messages: readonly Message[]): Promise<readonly Envelope[]> {
    const batch = messages.map((message, n) =>
      toSending(hasGeneratedId(message) ? { ...message, id: derivedId(parent.id, n) } : message),
    )
    if (broker.capabilities.atomicThen === 'always') return live.prepare(batch)
    for (const verdict of await live.store(batch)) if ('failed' in verdict) throw verdict.failed
    return []
  }

  return {
    execute,
    abort(reason, token) {
      const item = active.get(token)
      item?.run.abort(reason)
      return item !== undefined
    },
    messages: () => Array.from(active.values(), ({ run }) => run.message),
    abortAll(reason) {
      for (const { run } of active.values()) run.abort(reason)
    },
    endHung(now, timeoutMs) {
      for (const item of active.values()) {
        const { run, finish } = item,
          frame = inCharge(run.frame!),
          after = frame.inner !== undefined
        if (frame.name === undefined || frame !== item.seen || after !== item.after) {
          Object.assign(item, { seen: frame, after, since: now })
        } else if (now - item.since > timeoutMs) {
          run.abort('lease lost') // whatever still runs below is no longer waited for
          const error = misuse(
            frame.name,
            `did not go on for ${timeoutMs} ms around a run`,
            'Give its own I/O a shorter deadline',
          )
          finish({ kind: 'failed', error })
        }
      }
    },
  }
}
