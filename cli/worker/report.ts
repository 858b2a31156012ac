/** What a worker tells the person who started it: a few lines at the start, then one a problem; with --verbose one a message. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { shortDuration } from '../../lib/duration.ts'
import { listed } from '../../lib/errors.ts'
import type { Events } from '../../lib/events.ts'
import { failureOf } from '../../lib/failure.ts'
import type { Outcome } from '../../lib/outcome.ts'
import type { WorkOptions } from '../../lib/work-options.ts'
import type { Found } from '../apps.ts'
import type { Io } from '../command.ts'
import { errorText, reasonText } from '../entry.ts'
import { stackOf } from '../failure.ts'
import { facts, redactText, safe } from '../text.ts'
import { queuesText } from './options.ts'

/** @param broker its name: where it is, without credentials */
export function firstLines(broker: string, options: WorkOptions, found: Found): string[] {
  const {
    app,
    actors,
    internals: { namespace },
  } = found
  return facts([
    ['  broker', `${broker} (namespace ${namespace})`],
    ['  queues', queuesText(options, found)],
    ['  actors', listed(actors)],
    ['  middleware', app.chain.length > 0 ? app.chain.join(' > ') : 'none'],
  ])
}

/** Prints what becomes of messages until the returned function is called. An app that logs by itself reports its own problems. */
export function report(io: Io, { verbose, problems }: { readonly verbose: boolean; readonly problems: boolean }): () => void {
  const settled = (event: unknown) => {
    const { message, outcome, attempt, ms, settled } = event as Events['settled']
    const isProblem = settled === 'lost' || (outcome.kind !== 'done' && outcome.kind !== 'release')
    if (isProblem ? !problems && !verbose : !verbose) return
    const what = settled === 'lost' ? 'lost: its lease lapsed, it runs again' : outcomeText(outcome, attempt)
    const line = safe(
      redactText(
        `${(settled === 'lost' ? 'lost' : outcome.kind).padEnd(7)} ${message.actor} ${message.id} ${shortDuration(ms)}${what === '' ? '' : `  ${what}`}`,
      ),
    )
    if (isProblem) io.error(line)
    else io.print(line)
    if (verbose && 'error' in outcome && outcome.error !== undefined)
      for (const frame of stackOf(outcome.error)) io.error(`        ${frame}`)
  }
  const rejected = (event: unknown) => {
    if (!problems && !verbose) return
    const { id, queue, reason } = event as Events['rejected']
    io.error(safe(`dead    ${id} of the queue ${queue}: ${reason}`))
  }
  subscribe('greenroom:settled', settled)
  subscribe('greenroom:rejected', rejected)
  return () => {
    unsubscribe('greenroom:settled', settled)
    unsubscribe('greenroom:rejected', rejected)
  }
}

function outcomeText(outcome: Outcome, attempt: number): string {
  switch (outcome.kind) {
    case 'done':
      return ''
    case 'failed':
      return errorText(failureOf(outcome.error))
    case 'retry':
      return `attempt ${attempt + 1} failed: ${errorText(failureOf(outcome.error))}; again in ${shortDuration(outcome.afterMs)}`
    case 'release':
      return `${outcome.reason}; again ${outcome.afterMs > 0 ? `in ${shortDuration(outcome.afterMs)}` : 'at once'}`
    case 'dead':
      return reasonText(outcome.reason, outcome.error === undefined ? undefined : failureOf(outcome.error))
    default:
      return outcome satisfies never
  }
}
