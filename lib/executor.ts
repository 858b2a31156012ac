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
import { misuse, type Process } from './layers.ts'
import type { Live } from './live.ts'
import type { Message } from './message.ts'
import type { AbortReason, Sending } from './middleware.ts'
import { type OptionTable, resolve, type ResolvedOptions } from './options.ts'
import type { Outcome } from './outcome.ts'
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
  told(settled: Settled | undefined): void
}

export interface Executor {
  execute(delivery: Delivery): Promise<Executed>
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

interface Active {
  readonly run: Run
  readonly finish: (outcome: Outcome) => void
  moves: number
  since: number
}

export function createExecutor({ live, encoder, table, defaults, definitions, process, toSending }: ExecutorParts): Executor {
  const { events, services, clock, broker } = live
  const active = new Map<string, Active>()

  async function execute(delivery: Delivery): Promise<Executed> {
    const { envelope, token, deliveries } = delivery
    let run: Run
    try {
      run = toRun(envelope, deliveries)
    } catch (error) {
      const reason =
        error instanceof GreenroomError && error.code === 'BODY_UNDECODABLE'
          ? `undecodable: ${String(error.details?.['reason'])}`
          : `invalid options: ${failureOf(error).message}`
      return {
        settlement: settlementOf(token, { kind: 'dead', reason, error }, []),
        told: () => events.emit('rejected', { id: envelope.id, queue: envelope.queue, reason }),
      }
    }
    if (events.watched('started')) events.emit('started', { message: run.message, attempt: run.attempt, deliveries })
    const start = clock.monotonic()
    let outcome = await runOnce(token, run),
      then: readonly Envelope[] = []
    const bug = bugOf(outcome)
    if (bug) {
      events.emit('trouble', { what: bug.message, error: bug })
      run.log.error({ err: bug }, 'a middleware failed')
      if (outcome.kind === 'failed') outcome = rescue(bug, run)
    }
    if ((outcome.kind === 'done' || outcome.kind === 'dead') && outcome.then && outcome.then.length > 0) {
      try {
        then = await followUps(run.message, outcome.then)
      } catch (error) {
        outcome = rescue(error, run)
      }
    }
    const settled = outcome
    return {
      settlement: settlementOf(token, outcome, then),
      told(answer) {
        if (answer && events.watched('settled'))
          events.emit('settled', {
            message: run.message,
            outcome: settled,
            attempt: run.attempt,
            ms: clock.monotonic() - start,
            settled: answer,
          })
      },
    }
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

  function runOnce(token: string, run: Run): Promise<Outcome> {
    return new Promise(resolve => {
      const finish = (outcome: Outcome) => {
        active.delete(token)
        resolve(outcome)
      }
      active.set(token, { run, finish, moves: -1, since: 0 })
      void process(run).then(finish)
    })
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
        const { run, finish, moves, since } = item
        if (run.at === undefined || run.moves !== moves) {
          item.moves = run.moves
          item.since = now
        } else if (now - since > timeoutMs) {
          run.abort('lease lost') // whatever still runs below is no longer waited for
          finish({
            kind: 'failed',
            error: misuse(run.at, `did not go on for ${timeoutMs} ms around a run`, 'Give its own I/O a shorter deadline'),
          })
        }
      }
    },
  }
}
