/**
 * What a worker process says of itself to probes: facts of its workers, what follows from them, and how many messages its queues
 * hold. The port is health-server.ts; with `--processes` the parent has it, and answers for its children (children-health.ts).
 */
import type { Broker, Counts } from '../../lib/broker.ts'
import { type Clock, within } from '../../lib/clock.ts'
import { shortDuration } from '../../lib/duration.ts'
import { BROKER_AWAY_MS, type Health } from '../../lib/health.ts'
import type { Worker } from '../../lib/worker.ts'
import type { Answer, Probes } from './health-server.ts'

/** `worker.health()` of all workers of a process; and `starting`, while there is none. */
export type Facts = Omit<Health, 'state'> & { readonly state: 'starting' | 'working' | 'draining' }

/** What a process can be asked. */
export interface Source {
  facts(): Facts
  queues(): Promise<Answer>
}

/** Where a process tells how it is: to nobody, at a port of its own, or to the parent that has the port. */
export type Expose = (source: Source) => Exposed
export interface Exposed {
  /** It is in another state, and who is told now and then should hear it now. */
  changed(): void
  end(): void
}
export const UNEXPOSED: Exposed = { changed() {}, end() {} }

export function factsOf(workers: readonly Worker[], phase: Facts['state']): Facts {
  const all = workers.map(worker => worker.health()),
    // One that has ended by itself hears of its broker no more.
    going = all.filter(({ state }) => state !== 'stopped')
  const sum = (key: 'running' | 'held' | 'stuck') => all.reduce((total, health) => total + health[key], 0)
  const most = (key: 'brokerMs' | 'lagMs') => Math.round(Math.max(0, ...going.map(health => health[key])))
  return {
    state: phase,
    running: sum('running'),
    held: sum('held'),
    stuck: sum('stuck'),
    brokerMs: most('brokerMs'),
    lagMs: most('lagMs'),
  }
}

/** Why a process takes no messages; undefined: it does. */
export function unready({ state, brokerMs }: Facts): string | undefined {
  if (state !== 'working') return state
  return brokerMs > BROKER_AWAY_MS ? `the broker has not answered for ${shortDuration(brokerMs)}` : undefined
}

/** The probes of a process without a parent. That it answers is what `/live` asks. */
export const probesOf = (source: Source, clock: Clock): Probes => ({
  live: () => ({ ok: true, body: { live: true } }),
  ready() {
    const facts = source.facts(),
      reason = unready(facts)
    return { ok: reason === undefined, body: { ready: reason === undefined, ...(reason && { reason }), ...facts } }
  },
  queues: cached(clock, source.queues),
})

/** Until there is somebody who answers. */
export const NOT_YET: Probes = {
  live: () => ({ ok: true, body: { live: true } }),
  ready: () => ({ ok: false, body: { ready: false, reason: 'starting' } }),
  queues: async () => unknown('starting'),
}

const unknown = (reason: string): Answer => ({ ok: false, body: { error: `The queues cannot be counted: ${reason}` } })

/** Each is a question to the broker. */
const MOST_QUEUES = 100
const CACHE_MS = 1_000
/** Kubernetes waits a second for an answer unless told, KEDA three. */
const LONGEST_MS = 2_000

/** However often it is asked, the broker is asked once a second, and never twice at a time. */
export function cached(clock: Clock, ask: () => Promise<Answer>): () => Promise<Answer> {
  let asking: Promise<Answer> | undefined, last: { readonly answer: Answer; readonly at: number } | undefined
  return async () => {
    if (last && clock.monotonic() - last.at < CACHE_MS) return last.answer
    asking ??= ask()
      .catch(() => unknown('the broker does not answer')) // what it said is in the log; here it might name more than queues
      .then(answer => {
        last = { answer, at: clock.monotonic() }
        asking = undefined
        return answer
      })
    return within(asking, LONGEST_MS, clock, () => new Error('late')).catch(() => unknown('no answer within 2s'))
  }
}

const NONE: Counts = { ready: 0, delayed: 0, leased: 0, suspect: 0, dead: 0, oldestMs: 0, paused: false }
const added = (a: Counts, b: Counts): Counts => ({
  ready: a.ready + b.ready,
  delayed: a.delayed + b.delayed,
  leased: a.leased + b.leased,
  suspect: a.suspect + b.suspect,
  dead: a.dead + b.dead,
  oldestMs: Math.max(a.oldestMs, b.oldestMs),
  paused: a.paused || b.paused,
})

/** The served queues by name and in all, with the broker's words as in `greenroom queues --json`. Two apps may each have a queue of one name. */
export async function countQueues(served: ReadonlyMap<Broker, ReadonlySet<string>>): Promise<Answer> {
  if (served.size === 0) return unknown('starting')
  const wanted = [...served].flatMap(([broker, names]) => [...names].map(name => ({ broker, name })))
  const queues: Record<string, Counts> = Object.create(null)
  let total = NONE
  const counts = await Promise.all(wanted.slice(0, MOST_QUEUES).map(({ broker, name }) => broker.inspector?.counts(name)))
  for (const [index, count] of counts.entries()) {
    const { broker, name } = wanted[index]!
    if (!count) return unknown(`${broker.name} cannot be looked into`)
    queues[name] = added(queues[name] ?? NONE, count)
    total = added(total, count)
  }
  const { paused: _, ...sums } = total
  return { ok: true, body: { queues, total: sums, ...(wanted.length > MOST_QUEUES && { leftOut: wanted.length - MOST_QUEUES }) } }
}
