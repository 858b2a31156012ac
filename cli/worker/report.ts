/** What a worker tells the person who started it: a few lines at the start, then one a problem, so many a second; with --verbose one a message. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { type Clock, systemClock } from '../../lib/clock.ts'
import { listed } from '../../lib/errors.ts'
import type { Events } from '../../lib/events.ts'
import {
  isProblem,
  leftOutFacts,
  leftOutLine,
  levelOf,
  levelOfKind,
  lineLimit,
  problemOf,
  rejectedFacts,
  rejectedLine,
  settledFacts,
  settledLine,
} from '../../lib/problems.ts'
import type { WorkOptions } from '../../lib/work-options.ts'
import type { Found } from '../apps.ts'
import type { Io } from '../command.ts'
import { stackOf } from '../failure.ts'
import { facts } from '../text.ts'
import { queuesText } from './options.ts'

/** @param broker its name: where it is, without credentials */
export function sayFirst(io: Io, broker: string, options: WorkOptions, found: Found): void {
  const {
    app,
    actors,
    internals: { namespace },
  } = found
  const queues = queuesText(options, found)
  const [first = '', ...more] = facts([
    ['  broker', `${broker} (namespace ${namespace})`],
    ['  queues', queues],
    ['  actors', listed(actors)],
    ['  middleware', app.chain.length > 0 ? app.chain.join(' > ') : 'none'],
  ])
  io.print(first, { msg: `works on ${broker}`, broker, namespace, queues, actors, middleware: app.chain }, more)
}

/** Prints what becomes of messages until the returned function is called. An app that logs by itself reports its own problems. */
export function report(
  io: Io,
  { verbose, problems, clock = systemClock }: { readonly verbose: boolean; readonly problems: boolean; readonly clock?: Clock },
): () => void {
  const limit = lineLimit(clock, (kind, count) => {
    const msg = leftOutLine(kind, count)
    io.error(inColumns(msg), { level: levelOfKind(kind), msg, ...leftOutFacts(kind, count) })
  })
  const settled = (event: unknown) => {
    const end = event as Events['settled'],
      { outcome } = end,
      isBad = isProblem(outcome, end.settled)
    if (!verbose && !(isBad && problems && limit.allows(problemOf(end)))) return
    const msg = settledLine(end),
      facts = { msg, ...settledFacts(end) }
    const stack = verbose && 'error' in outcome && outcome.error !== undefined ? stackOf(outcome.error) : []
    if (!isBad) return io.print(inColumns(msg), facts)
    const level = levelOf(end)
    io.error(
      inColumns(msg),
      { level, ...facts, ...(stack.length > 0 && { stack: stack.join('\n') }) },
      stack.map(frame => `        ${frame}`),
    )
  }
  const rejected = (event: unknown) => {
    if (!verbose && !(problems && limit.allows('rejected'))) return
    const end = event as Events['rejected'],
      msg = rejectedLine(end)
    io.error(inColumns(msg), { level: 'error', msg, ...rejectedFacts(end) })
  }
  subscribe('greenroom:settled', settled)
  subscribe('greenroom:rejected', rejected)
  return () => {
    unsubscribe('greenroom:settled', settled)
    unsubscribe('greenroom:rejected', rejected)
    limit.flush()
  }
}

const LONGEST_KIND = 'release'.length
const inColumns = (line: string): string => line.replace(/^\w+/, kind => kind.padEnd(LONGEST_KIND))
