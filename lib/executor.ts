/**
 * One delivery from its bytes to its settlement: decode, resolve options, run the chain, make follow-ups. Never throws: a
 * failure is an outcome. Keeps the runs that are under way, so that they can be aborted and one that hangs be found.
 */
import { activeRuns } from './active.ts'
import type { Delivery, Envelope, Settled, Settlement } from './broker.ts'
import { createDeadlines } from './deadlines.ts'
import { derivedId } from './ids.ts'
import { UNKNOWN_MAX_MS } from './defaults.ts'
import type { Definition } from './definition.ts'
import type { Encoder } from './encoder.ts'
import { GreenroomError } from './errors.ts'
import { failpoint } from './failpoint.ts'
import { encodeFailure, failureOf } from './failure.ts'
import { type Frame, inCharge, misuse, type Stage } from './layers.ts'
import type { Live } from './live.ts'
import type { Message } from './message.ts'
import type { AbortReason, Sending } from './middleware.ts'
import { type OptionTable, resolve, type ResolvedOptions } from './options.ts'
import type { Outcome } from './outcome.ts'
import { isProblem } from './problems.ts'
import { Run } from './run.ts'
import { hasGeneratedId } from './sender.ts'
import { reasonOf, rescued, settlementOf } from './settlement.ts'

export interface ExecutorParts {
  readonly live: Live
  readonly encoder: Encoder
  readonly table: OptionTable
  readonly defaults: ResolvedOptions
  readonly definitions: ReadonlyMap<string, Definition>
  readonly stage: Stage
  toSending(message: Message): Sending
  /** Called once for each run, also before `execute` returned. */
  ended(delivery: Delivery, executed: Executed): void
}

/** What to tell the broker, and what to tell observers once it answered. */
export interface Executed {
  readonly settlement: Settlement
  told(settled: Settled): void
}

export interface Executor {
  /** What there is to run of a delivery; where its body is no message, what to settle instead. Costs a run slot in neither case. */
  read(delivery: Delivery): Run | Executed
  execute(run: Run, delivery: Delivery): void
  /** Aborts the run of one delivery; says whether there was one. */
  abort(reason: AbortReason, token: string): boolean
  abortAll(reason: AbortReason): void
  /** What runs now. */
  messages(): readonly Message[]
  /** The longest time limit of what runs now, ms: Infinity when one has none, 0 when nothing runs. */
  longestLimitMs(): number
  /** Ends runs whose middleware has not moved for so long. */
  endHung(now: number, timeoutMs: number): void
  /** Heeds no deadlines any more. */
  end(): void
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
  readonly #live: Live
  constructor(settlement: Settlement, run: Run, outcome: Outcome, live: Live) {
    this.settlement = settlement
    this.#run = run
    this.#outcome = outcome
    this.#live = live
  }
  told(settled: Settled): void {
    const { events, clock } = this.#live
    if (!events.watched('settled', isProblem(this.#outcome, settled))) return
    const { message, attempt, deliveries, startedAt } = this.#run
    events.emit('settled', { message, outcome: this.#outcome, attempt, deliveries, ms: clock.monotonic() - startedAt, settled })
  }
}

/** Whose code a run waited for at the last look, and since when. */
interface Look {
  readonly frame: Frame
  readonly state: Frame['state']
  readonly since: number
}

export function createExecutor(parts: ExecutorParts): Executor {
  const { live, encoder, table, defaults, definitions, stage, toSending, ended } = parts
  const { events, services, clock, broker } = live
  const active = activeRuns()
  const deadlines = createDeadlines(clock, active.all)
  let looks = new Map<Run, Look>()

  function read(delivery: Delivery): Run | Executed {
    try {
      return toRun(delivery)
    } catch (error) {
      return undecodable(delivery.envelope, delivery.token, error)
    }
  }

  function execute(run: Run, delivery: Delivery): void {
    const { message, attempt, deliveries } = run
    if (events.watched('started')) events.emit('started', { message, attempt, deliveries })
    run.startedAt = clock.monotonic()
    active.add(run, delivery)
    failpoint?.('before-run')
    stage(run, conclude)
  }

  function undecodable(envelope: Envelope, token: string, error: unknown): Executed {
    if (error instanceof GreenroomError && error.retryable) return unread(envelope, token, error)
    const reason =
      error instanceof GreenroomError && error.code === 'BODY_UNDECODABLE'
        ? `undecodable: ${String(error.details?.['reason'])}`
        : `invalid options: ${failureOf(error).message}`
    return {
      settlement: {
        token,
        kind: 'dead',
        reason: reasonOf(reason),
        error: encodeFailure(error, !(error instanceof GreenroomError)),
      },
      told: () => events.emit('rejected', { id: envelope.id, queue: envelope.queue, reason }),
    }
  }

  /** It is this worker that cannot read it: another one may. */
  const unread = ({ id }: Envelope, token: string, error: GreenroomError): Executed => ({
    settlement: settlementOf(token, { kind: 'release', afterMs: UNKNOWN_MAX_MS, reason: error.code }, []),
    told: () => {
      events.emit('trouble', { what: `the message ${id} was put back: ${error.message}`, error })
      services.log.error({ err: error, id }, 'a message was put back: this worker cannot decode it')
    },
  })

  /** From what the chain made of a run to its settlement. Waits only for follow-ups that must pass the send chain. */
  function conclude(run: Run, made: Outcome): void {
    const delivery = active.remove(run)
    if (!delivery) return // it was ended because its middleware hung
    failpoint?.('after-run')
    const { token } = delivery
    const outcome = afterBug(run, made)
    const end = (outcome: Outcome, then: readonly Envelope[]) =>
      ended(delivery, new Ended(settlementOf(token, outcome, then), run, outcome, live))
    const follow = outcome.kind === 'done' || outcome.kind === 'dead' ? outcome.then : undefined
    if (!follow || follow.length === 0) return end(outcome, NONE)
    followUps(run.message, follow).then(
      then => end(outcome, then),
      error => end(rescue(error, run), NONE),
    )
  }

  /** A bug of a middleware is told once, and costs an attempt where nothing further out made something of it. */
  function afterBug(run: Run, outcome: Outcome): Outcome {
    const bug = bugOf(outcome)
    if (!bug) return outcome
    events.emit('trouble', { what: bug.message, error: bug })
    run.log.error({ err: bug }, 'a middleware failed')
    return outcome.kind === 'failed' ? rescue(bug, run) : outcome
  }

  const rescue = (error: unknown, run: Run) => rescued(error, run.attempt, run.options['maxRetries'], live.random)

  function toRun({ envelope, deliveries }: Delivery): Run {
    const body = encoder.decode(envelope.body)
    // What travels in the clear is what counts: a revived dead letter may be in another queue than its body says.
    const message: Message =
      body.id === envelope.id && body.queue === envelope.queue ? body : { ...body, id: envelope.id, queue: envelope.queue }
    const options = resolve(table, definitions.get(message.actor)?.options ?? defaults, message.options, 'message')
    return new Run(message, envelope.attempt, deliveries, options, services, deadlines)
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
    read,
    execute,
    abort(reason, token) {
      const run = active.find(token)
      run?.abort(reason)
      return run !== undefined
    },
    messages: () => active.all().map(({ message }) => message),
    longestLimitMs() {
      let longest = 0
      // Who was told to end has had his time.
      for (const { reason, deadline, startedAt } of active.all()) if (!reason) longest = Math.max(longest, deadline - startedAt)
      return longest
    },
    abortAll(reason) {
      for (const run of active.all()) run.abort(reason)
    },
    endHung(now, timeoutMs) {
      const before = looks
      looks = new Map()
      for (const run of active.all()) {
        const frame = inCharge(run)
        if (!frame) continue
        const last = before.get(run)
        const look = last && last.frame === frame && last.state === frame.state ? last : { frame, state: frame.state, since: now }
        if (now - look.since <= timeoutMs) looks.set(run, look)
        else endOne(run, frame.name, timeoutMs)
      }
    },
    end: deadlines.end,
  }

  function endOne(run: Run, name: string, timeoutMs: number): void {
    run.abort('lease lost') // whatever still runs below is no longer waited for
    const what = `did not go on for ${timeoutMs} ms around a run`
    conclude(run, { kind: 'failed', error: misuse(name, what, 'Give its own I/O a shorter deadline') })
  }
}
