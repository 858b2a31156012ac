/**
 * What goes wrong with messages, in words: one line each, the same on the command line and in the log of an app whose
 * worker was started in code. Nothing that goes well is looked at twice: a message that is done costs two comparisons. Lines are
 * bounded in rate, by kind: whoever can write to a queue must not be able to fill a disk with what is said of it.
 */
import type { Clock, Timer } from './clock.ts'
import { PROBLEM_LINES, PROBLEM_LINES_MS } from './defaults.ts'
import { shortDuration } from './duration.ts'
import type { Events, EventStream } from './events.ts'
import { type Failure, failureOf } from './failure.ts'
import { isJsonLog } from './json-line.ts'
import { consoleLogger, type Logger } from './log.ts'
import type { Outcome } from './outcome.ts'
import { oneLine } from './printable.ts'
import { redactText } from './redact.ts'

/** Whether somebody should hear of the end of a run. A release is no problem: it costs nothing, and the message runs again. */
export const isProblem = ({ kind }: Outcome, settled: Events['settled']['settled']): boolean =>
  settled === 'lost' || (kind !== 'done' && kind !== 'release')

/** `retry charge inv-1 12ms  run 1 failed: Error: no answer; again in 15s`. */
export function settledLine({ message, outcome, attempt, ms, settled }: Events['settled']): string {
  const isLost = settled === 'lost'
  const what = isLost ? 'its lease lapsed, it runs again' : outcomeText(outcome, attempt)
  const took = hasRun(outcome) ? ` ${shortDuration(ms)}` : ''
  const head = `${isLost ? 'lost' : outcome.kind} ${message.actor} ${message.id}${took}`
  return oneLine(redactText(what === '' ? head : `${head}  ${what}`))
}

const CRASH_LOOP = 'crash loop: '
/** Why a message is given up that so many workers did not survive. */
export const crashLoopText = (deaths: number): string => `${CRASH_LOOP}${deaths} workers died or froze with it`
/** Whether a dead letter was given up so: its last delivery did not run. */
export const isCrashLoop = (reason: string | undefined): boolean => reason?.startsWith(CRASH_LOOP) ?? false

/** What it took is told of a run alone. */
const hasRun = (outcome: Outcome): boolean => outcome.kind !== 'dead' || !isCrashLoop(outcome.reason)

/** What is tried again by itself is no error yet. */
export const levelOf = ({ outcome, settled }: Events['settled']): 'warn' | 'error' =>
  settled === 'lost' || outcome.kind === 'retry' ? 'warn' : 'error'

/** The same, for programs. */
export function settledFacts({ message, outcome, attempt, deliveries, ms, settled }: Events['settled']): object {
  const { actor, id } = message
  const error = 'error' in outcome && outcome.error !== undefined ? errorFacts(outcome.error) : undefined
  const again = 'afterMs' in outcome ? { againMs: outcome.afterMs } : {}
  const kind = settled === 'lost' ? 'lost' : outcome.kind
  const reason = 'reason' in outcome ? { reason: outcome.reason } : {}
  return {
    kind,
    actor,
    id,
    queue: message.queue,
    attempt,
    deliveries,
    ...(hasRun(outcome) && { ms }),
    ...again,
    ...reason,
    ...(error && { error }),
  }
}

/** Without its stack. */
export function errorFacts(error: unknown): object {
  const { type, message, code } = failureOf(error)
  return { type, message, ...(code !== undefined && { code }) }
}

export const rejectedLine = ({ id, queue, reason }: Events['rejected']): string =>
  oneLine(`dead ${id} of the queue ${queue}: ${reason}`)
export const rejectedFacts = (rejected: Events['rejected']): object => ({ kind: 'dead', ...rejected })

/** `Error: no such host`. */
export const errorText = ({ type, message }: Failure): string => `${type}: ${message}`

/** A reason with its error, unless it tells it already. */
export const reasonText = (reason: string, failure: Failure | undefined): string =>
  failure && !reason.includes(failure.message) ? `${reason}: ${errorText(failure)}` : reason

const againText = (afterMs: number) => (afterMs > 0 ? `again in ${shortDuration(afterMs)}` : 'again at once')

function outcomeText(outcome: Outcome, attempt: number): string {
  switch (outcome.kind) {
    case 'done':
      return ''
    case 'failed':
      return errorText(failureOf(outcome.error))
    case 'retry':
      return `run ${attempt + 1} failed: ${errorText(failureOf(outcome.error))}; ${againText(outcome.afterMs)}`
    case 'release':
      return `${outcome.reason}; ${againText(outcome.afterMs)}`
    case 'dead':
      return reasonText(outcome.reason, outcome.error === undefined ? undefined : failureOf(outcome.error))
    default:
      return outcome satisfies never
  }
}

/** What a problem counts as: a flood of one kind leaves the lines of the others. */
export type ProblemKind = Outcome['kind'] | 'lost' | 'rejected'
export const problemOf = ({ outcome, settled }: Events['settled']): ProblemKind => (settled === 'lost' ? 'lost' : outcome.kind)

/** `dead 2980 more that could not be read, within 1s`. */
export const leftOutLine = (kind: ProblemKind, count: number): string => {
  const what = kind === 'rejected' ? `dead ${count} more that could not be read` : `${kind} ${count} more`
  return `${what}, within ${shortDuration(PROBLEM_LINES_MS)}`
}

export const leftOutFacts = (kind: ProblemKind, count: number): object => ({
  kind: 'left out',
  of: kind,
  count,
  withinMs: PROBLEM_LINES_MS,
})
export const levelOfKind = (kind: ProblemKind): 'warn' | 'error' => (kind === 'lost' || kind === 'retry' ? 'warn' : 'error')

export interface LineLimit {
  /** Whether one more line of this kind may be written now; if not, it is counted. */
  allows(kind: ProblemKind): boolean
  /** Tells at once what was left out. */
  flush(): void
}

/** @param tell is called once a kind and second in which lines were left out, when that second is over */
export function lineLimit(clock: Clock, tell: (kind: ProblemKind, count: number) => void): LineLimit {
  interface Second {
    readonly since: number
    lines: number
    leftOut: number
    timer?: Timer
  }
  const seconds = new Map<ProblemKind, Second>()
  function end(kind: ProblemKind, { timer, leftOut }: Second): void {
    timer?.cancel()
    seconds.delete(kind)
    if (leftOut > 0) tell(kind, leftOut)
  }
  return {
    allows(kind) {
      const now = clock.monotonic()
      let second = seconds.get(kind)
      if (second && now - second.since >= PROBLEM_LINES_MS) {
        end(kind, second)
        second = undefined
      }
      if (!second) seconds.set(kind, (second = { since: now, lines: 0, leftOut: 0 }))
      if (second.lines < PROBLEM_LINES) return ++second.lines > 0
      const full = second
      full.leftOut++
      full.timer ??= clock.after(full.since + PROBLEM_LINES_MS - now, () => end(kind, full), { ref: false })
      return false
    },
    flush() {
      for (const [kind, second] of seconds) end(kind, second)
    },
  }
}

/** The same events, with a line in the log for each problem; and what tells, when they end, of those left out. */
export function reporting(events: EventStream, log: Logger, clock: Clock): EventStream & { flush(): void } {
  const say = (level: 'warn' | 'error', text: string, facts: () => object) =>
    log === consoleLogger && isJsonLog() ? log[level](facts(), text) : log[level](text)
  const limit = lineLimit(clock, (kind, count) =>
    say(levelOfKind(kind), leftOutLine(kind, count), () => leftOutFacts(kind, count)),
  )
  return {
    flush: limit.flush,
    watched: (kind, isProblem) => isProblem === true || events.watched(kind),
    emit(kind, event) {
      events.emit(kind, event)
      if (kind === 'rejected' && limit.allows('rejected')) {
        const rejected = event as Events['rejected']
        say('error', rejectedLine(rejected), () => rejectedFacts(rejected))
      }
      if (kind !== 'settled') return
      const end = event as Events['settled']
      if (isProblem(end.outcome, end.settled) && limit.allows(problemOf(end)))
        say(levelOf(end), settledLine(end), () => settledFacts(end))
    },
  }
}
