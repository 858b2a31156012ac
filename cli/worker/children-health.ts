/**
 * The probes of a parent: it answers for its children from what they told it last. A child tells each second how it is, from its
 * event loop, so that one that is blocked falls silent; and it counts its queues when it is asked, as the parent has no broker.
 */
import { type Clock, within } from '../../lib/clock.ts'
import { shortDuration } from '../../lib/duration.ts'
import type { Child, Io } from '../command.ts'
import { cached, type Exposed, type Facts, type Source, unready } from './health.ts'
import type { Answer, Probes } from './health-server.ts'

/** What goes over the channel to the parent. */
export type Report = { readonly facts: Facts } | { readonly queues: Answer }

export const REPORT_MS = 1_000
/** A child that was silent for longer does not turn its loop. */
export const SILENT_MS = 5_000
const ASK_MS = 2_000
/** What a child said is true for so long: two reports, and what a busy loop is late. */
const FRESH_MS = 2_500

/** A child as its parent sees it. */
export interface Member {
  readonly child: Child
  readonly place: number
  readonly isReady: boolean
  readonly isDismissed: boolean
}

/** The child's side. Tells how it is at once, each second, and when that changes. */
export function reportTo({ clock, parent }: Io, source: Source): Exposed {
  let timer = clock.after(REPORT_MS, tick, { ref: false })
  const changed = () => parent?.report({ facts: source.facts() })
  function tick(): void {
    changed()
    timer = clock.after(REPORT_MS, tick, { ref: false })
  }
  const queues = cached(clock, source.queues)
  const off = parent?.onAsk(() => {
    void queues().then(queues => parent.report({ queues }))
  })
  changed()
  return {
    changed,
    end() {
      timer.cancel()
      off?.()
    },
  }
}

export interface ChildrenHealth {
  readonly probes: Probes
  heard(member: Member, report: Report): void
}

/** @param members those that are alive @param processes how many there should be */
export function childrenHealth(
  clock: Clock,
  processes: number,
  members: () => Iterable<Member>,
  isStopping: () => boolean,
): ChildrenHealth {
  const heard = new WeakMap<Member, { readonly facts: Facts; readonly at: number }>()
  let counted: ((queues: Answer) => void) | undefined
  const name = ({ place, child: { pid } }: Member) => `process ${place} (pid ${pid})`
  const silentMs = (member: Member) => clock.monotonic() - (heard.get(member)?.at ?? -Infinity)
  /** Those that should be well: not one that was told to end, which is killed if it does not, nor one that loads its modules. */
  const serving = () => [...members()].filter(({ isReady, isDismissed }) => isReady && !isDismissed)

  function live(): Answer {
    const silent = serving().filter(member => silentMs(member) > SILENT_MS)
    const reason = silent.map(
      member => `${name(member)} has not turned its event loop for ${shortDuration(Math.round(silentMs(member)))}`,
    )
    return {
      ok: silent.length === 0,
      body: { live: silent.length === 0, ...(silent.length > 0 && { reason: reason.join('; ') }) },
    }
  }

  function ready(): Answer {
    const well: Facts[] = [],
      fresh: Facts[] = [],
      reasons: string[] = []
    for (const member of serving()) {
      const last = heard.get(member)
      if (!last) continue
      // What it said of its broker was true then.
      const facts = { ...last.facts, brokerMs: Math.round(last.facts.brokerMs + silentMs(member)) },
        reason = unready(facts)
      if (reason !== undefined) reasons.push(`${name(member)}: ${reason}`)
      else {
        well.push(facts)
        if (silentMs(member) <= FRESH_MS) fresh.push(facts)
      }
    }
    const missing = processes - well.length - reasons.length
    if (missing > 0) reasons.push(`${missing} of ${processes} processes starting`)
    const reason = isStopping() ? 'draining' : reasons.join('; ')
    const sum = (key: 'running' | 'held' | 'stuck') => fresh.reduce((total, facts) => total + facts[key], 0)
    return {
      ok: reason === '',
      body: {
        ready: reason === '',
        ...(reason !== '' && { reason }),
        processes: well.length,
        ...(fresh.length < well.length && { silent: well.length - fresh.length }),
        running: sum('running'),
        held: sum('held'),
        stuck: sum('stuck'),
      },
    }
  }

  /** Asks the child that was heard last: it is the likeliest to answer. */
  async function queues(): Promise<Answer> {
    const [best] = serving().toSorted((a, b) => silentMs(a) - silentMs(b))
    if (!best) throw new Error('no process is ready')
    const answered = new Promise<Answer>(resolve => {
      counted = resolve
    })
    best.child.order('count')
    return within(answered, ASK_MS, clock, () => new Error('late'))
  }
  return {
    probes: { live, ready, queues: cached(clock, queues) },
    heard(member, report) {
      if ('facts' in report) heard.set(member, { facts: report.facts, at: clock.monotonic() })
      else counted?.(report.queues)
    },
  }
}
