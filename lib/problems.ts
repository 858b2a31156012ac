/**
 * What goes wrong with messages, in words: one line each, the same on the command line and in the log of an app whose
 * worker was started in code. Nothing that goes well is looked at twice: a message that is done costs two comparisons.
 */
import { shortDuration } from './duration.ts'
import type { Events, EventStream } from './events.ts'
import { type Failure, failureOf } from './failure.ts'
import { type Logger, oneLine } from './log.ts'
import type { Outcome } from './outcome.ts'
import { redactText } from './redact.ts'

/** Whether somebody should hear of the end of a run. A release is no problem: it costs nothing, and the message runs again. */
export const isProblem = ({ kind }: Outcome, settled: Events['settled']['settled']): boolean =>
  settled === 'lost' || (kind !== 'done' && kind !== 'release')

/** `retry charge inv-1 12ms  run 1 failed: Error: no answer; again in 15s`. */
export function settledLine({ message, outcome, attempt, ms, settled }: Events['settled']): string {
  const isLost = settled === 'lost'
  const what = isLost ? 'its lease lapsed, it runs again' : outcomeText(outcome, attempt)
  const head = `${isLost ? 'lost' : outcome.kind} ${message.actor} ${message.id} ${shortDuration(ms)}`
  return oneLine(redactText(what === '' ? head : `${head}  ${what}`))
}

export const rejectedLine = ({ id, queue, reason }: Events['rejected']): string =>
  oneLine(`dead ${id} of the queue ${queue}: ${reason}`)

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

/** The same events, with a line in the log for each problem. */
export function reporting(events: EventStream, log: Logger): EventStream {
  return {
    watched: (kind, isProblem) => isProblem === true || events.watched(kind),
    emit(kind, event) {
      events.emit(kind, event)
      if (kind === 'rejected') log.error(rejectedLine(event as Events['rejected']))
      if (kind !== 'settled') return
      const end = event as Events['settled']
      if (!isProblem(end.outcome, end.settled)) return
      if (end.settled === 'lost' || end.outcome.kind === 'retry') log.warn(settledLine(end))
      else log.error(settledLine(end))
    },
  }
}
