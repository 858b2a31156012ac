/** The reducer's commands for people and tools: `Inspector`, with `now` and without promises. None of them is on the way of a message. */
import type { Counts, Entry, Inspector, ListOptions, Page, Place } from '../../lib/broker.ts'
import { GreenroomError } from '../../lib/errors.ts'
import { before } from './heap.ts'
import type { List } from './list.ts'
import { isDue } from '../../lib/refusal.ts'
import { dueAt, forget, queueOf, toTail, trimDead, unlink, until } from './state.ts'
import type { Kept, Queue, State } from './state.ts'

type Unwrapped<P> = P extends Promise<infer T> ? T : P
/** Each method of `Inspector` with the time as its last argument, at once instead of later. */
export type Inspection = {
  readonly [K in keyof Inspector]: (now: number, ...args: Parameters<Inspector[K]>) => Unwrapped<ReturnType<Inspector[K]>>
}

const PAGE = 100
const LONGEST_PAGE = 1_000

export function inspection(state: State, pass: (now: number) => void): Inspection {
  /** Of a queue that nobody has used there is nothing to see, and looking makes none. */
  function look(now: number, name: string): Queue | undefined {
    pass(now)
    const queue = state.queues.get(name)
    if (queue) trimDead(state, queue, now)
    return queue
  }

  function takeAway(kept: Kept): void {
    unlink(state, kept)
    forget(kept)
  }

  return {
    queues: () => [...state.queues.keys()].sort(),
    counts(now, name): Counts {
      const queue = look(now, name)
      if (!queue) return { ready: 0, delayed: 0, leased: 0, suspect: 0, dead: 0, oldestMs: 0, paused: false }
      const ready = queue.bands.reduce((sum, band) => sum + band.size, 0)
      const oldest = Math.min(now, ...queue.bands.map(oldestIn))
      return {
        ready,
        delayed: queue.delayed,
        leased: queue.leased,
        suspect: queue.suspects.size,
        dead: queue.dead.size,
        oldestMs: now - oldest,
        paused: queue.paused,
      }
    },
    list(now, name, place, options = {}) {
      const queue = look(now, name)
      return queue ? listed(queue, place, options) : { entries: [] }
    },
    find(now, id, name) {
      for (const known of name === undefined ? state.queues.keys() : [name]) {
        const kept = look(now, known)?.live.get(id)
        if (kept) return entry(kept)
      }
      return undefined
    },
    remove(now, name, id) {
      const kept = look(now, name)?.live.get(id)
      if (!kept) return 'missing'
      if (kept.place === 'leased') return 'leased'
      takeAway(kept)
      return 'removed'
    },
    promote(now, name, id) {
      const kept = look(now, name)?.live.get(id)
      if (!kept) return 'missing'
      if (kept.place !== 'delayed') return 'not delayed'
      unlink(state, kept)
      toTail(kept, now)
      return 'promoted'
    },
    reschedule(now, name, id, { due, priority }) {
      const kept = look(now, name)?.live.get(id)
      if (due !== undefined && !isDue(due))
        throw new GreenroomError('OPTION_INVALID', 'A message cannot be rescheduled to no time', {
          help: 'Give { afterMs } from 0 or { at } in milliseconds since 1970',
        })
      if (!kept || kept.place === 'dead') return 'missing'
      if (kept.place === 'leased') return 'leased'
      const when = due !== undefined ? dueAt(due, now) : kept.place === 'delayed' ? kept.when : now
      unlink(state, kept)
      if (priority !== undefined) kept.envelope = { ...kept.envelope, priority }
      until(state, kept, when, now)
      return 'changed'
    },
    revive(now, name, ids, { to = name } = {}) {
      const queue = look(now, name)
      let revived = 0
      for (const kept of dead(queue, ids)) {
        // Of two with one id in one queue, the one that is alive there stays, and the dead letter stays a dead letter.
        if (to !== name && state.queues.get(to)?.live.has(kept.envelope.id)) continue
        takeAway(kept)
        revive(kept, queueOf(state, to), now)
        revived++
      }
      return revived
    },
    drop(now, name, ids) {
      const found = dead(look(now, name), ids)
      for (const kept of found) takeAway(kept)
      return found.length
    },
    purge(now, name) {
      const waiting = [...(look(now, name)?.live.values() ?? [])].filter(({ place }) => place !== 'leased' && place !== 'dead')
      for (const kept of waiting) takeAway(kept)
      return waiting.length
    },
    pause(_now, name) {
      queueOf(state, name).paused = true
    },
    resume(_now, name) {
      queueOf(state, name).paused = false
    },
  }
}

/** Since when the oldest has been waiting. The tail is in the order of time, and what several consumers gave back before it is not. */
function oldestIn({ first }: List<Kept>): number {
  let oldest = Infinity
  for (let kept = first; kept; kept = kept.order < 0 ? kept.next : undefined) oldest = Math.min(oldest, kept.readyAt)
  return oldest
}

function dead(queue: Queue | undefined, ids: readonly string[]): Kept[] {
  return [...new Set(ids)].map(id => queue?.live.get(id)).filter((kept): kept is Kept => kept?.place === 'dead')
}

function revive(kept: Kept, queue: Queue, now: number): void {
  const { due: _, ...envelope } = kept.envelope
  kept.envelope = { ...envelope, queue: queue.name, attempt: 0 }
  kept.queue = queue
  kept.deliveries = 1
  kept.at = now
  kept.reason = kept.error = undefined
  queue.live.set(envelope.id, kept)
  toTail(kept, now)
}

function entry({ envelope, place, deliveries, at, when, reason, error }: Kept): Entry {
  return {
    envelope,
    place,
    deliveries,
    at,
    ...(place === 'delayed' && { dueAt: when }),
    ...(reason !== undefined && { reason }),
    ...(error !== undefined && { error }),
  }
}

function listed(queue: Queue, place: Place, { cursor, limit = PAGE }: ListOptions): Page {
  const most = Math.max(1, Math.min(limit, LONGEST_PAGE))
  const found =
    place === 'ready'
      ? inBands(queue, cursor, most)
      : place === 'suspect'
        ? inList(queue.suspects, cursor, most)
        : place === 'dead'
          ? inList(queue.dead, cursor, most)
          : inMap(queue, place, cursor, most)
  // One more than was asked for tells whether there is another page.
  const shown = found.slice(0, most),
    last = shown.at(-1)
  return { entries: shown.map(entry), ...(found.length > most && last && { cursor: cursorOf(last) }) }
}

/** Band or due time, then the order within: both only rise along a listing. */
const major = ({ place, envelope, when }: Kept) => (place === 'ready' ? envelope.priority : place === 'delayed' ? when : 0)
const cursorOf = (kept: Kept) => `${major(kept)}:${kept.order}`
const parsed = (cursor: string | undefined): readonly [major: number, order: number] => {
  const [first = -Infinity, order = -Infinity] = cursor?.split(':').map(Number) ?? []
  return [first, order]
}

function inList(nodes: List<Kept>, cursor: string | undefined, most: number): Kept[] {
  const [, after] = parsed(cursor),
    found: Kept[] = []
  for (let kept = nodes.first; kept && found.length <= most; kept = kept.next) if (kept.order > after) found.push(kept)
  return found
}

function inBands({ bands }: Queue, cursor: string | undefined, most: number): Kept[] {
  const [band, after] = parsed(cursor),
    found: Kept[] = []
  for (const [index, nodes] of bands.entries()) {
    if (index < band) continue
    found.push(...inList(nodes, index === band ? `0:${after}` : undefined, most - found.length))
  }
  return found
}

/** Leased by the order in which they were taken, delayed by their times: sorted here, as nothing else needs them sorted. */
function inMap({ live }: Queue, place: 'leased' | 'delayed', cursor: string | undefined, most: number): Kept[] {
  const [first, after] = parsed(cursor),
    timed = place === 'delayed'
  const found = [...live.values()].filter(
    kept => kept.place === place && (major(kept) > first || (major(kept) === first && kept.order > after)),
  )
  return found.sort(timed ? (a, b) => (before(a, b) ? -1 : 1) : (a, b) => a.order - b.order).slice(0, most + 1)
}
