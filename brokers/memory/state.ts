/**
 * What the reducer owns, and the steps that its commands are made of. A message is in exactly one place:
 *
 *   ready     in the list of its band             delayed   in the heap of all queues, by due time
 *   suspect   in its queue's list of suspects     leased    in the map of the consumer that holds it
 *   dead      in its queue's list of dead letters, oldest first
 */
import { SUSPECT_FROM } from '../../lib/broker.ts'
import type { Envelope, Place } from '../../lib/broker.ts'
import type { Due } from '../../lib/message.ts'
import { heap } from './heap.ts'
import type { Heap, Timed } from './heap.ts'
import { list } from './list.ts'
import type { Linked, List } from './list.ts'

export interface Kept extends Linked<Kept>, Timed {
  envelope: Envelope
  queue: Queue
  place: Place
  deliveries: number
  /** When it was pushed, or died. */
  at: number
  /** Since when it has been waiting; a put-back leaves it. */
  readyAt: number
  reason: string | undefined
  error: Uint8Array | undefined
}

export interface Queue {
  readonly name: string
  readonly bands: readonly [List<Kept>, List<Kept>, List<Kept>]
  readonly suspects: List<Kept>
  readonly dead: List<Kept>
  /** Everything in the queue by id, dead letters too. */
  readonly live: Map<string, Kept>
  /** Ids that were pushed with `onceMs` and may not come again yet. */
  readonly once: Map<string, Remembered>
  leased: number
  delayed: number
  paused: boolean
}

export interface Remembered extends Timed {
  readonly id: string
  readonly queue: Queue
}

/** A consumer as the reducer sees it. */
export interface Holder {
  readonly queues: readonly Queue[]
  readonly credit: number
  readonly leaseMs: number
  /** What it holds, in the order in which it was taken. */
  readonly held: Map<string, Kept>
  /** The token of the one suspect that it may hold. */
  suspect: string | undefined
  /** When its lease lapses, unless it is renewed. */
  deadline: number
  /** Which of its queues is asked first next time. */
  next: number
}

export interface DeadLimits {
  /** Dead letters kept a queue; the oldest go first. @default 10 000 */
  readonly maxDead?: number
  /** How long a dead letter is kept, ms. @default 30 days */
  readonly maxDeadMs?: number
}

const DAY_MS = 86_400_000

export interface State {
  readonly queues: Map<string, Queue>
  readonly holders: Set<Holder>
  readonly delayed: Heap<Kept>
  readonly once: Heap<Remembered>
  readonly maxDead: number
  readonly maxDeadMs: number
  /** Dead letters that the limits pushed out, by queue, since somebody last asked. */
  readonly forgotten: Map<string, number>
  tokens: number
}

export const emptyState = ({ maxDead = 10_000, maxDeadMs = 30 * DAY_MS }: DeadLimits): State => ({
  queues: new Map(),
  holders: new Set(),
  delayed: heap(),
  once: heap(),
  maxDead,
  maxDeadMs,
  forgotten: new Map(),
  tokens: 0,
})

export function queueOf(state: State, name: string): Queue {
  const known = state.queues.get(name)
  if (known) return known
  const made: Queue = {
    name,
    bands: [list(), list(), list()],
    suspects: list(),
    dead: list(),
    live: new Map(),
    once: new Map(),
    leased: 0,
    delayed: 0,
    paused: false,
  }
  state.queues.set(name, made)
  return made
}

export const dueAt = (due: Due, now: number) => ('at' in due ? due.at : now + due.afterMs)

/** Where a message waits when it waits now. A suspect stays one until it is settled with a retry. */
const waiting = ({ queue, envelope, deliveries }: Kept) =>
  deliveries >= SUSPECT_FROM ? queue.suspects : queue.bands[envelope.priority]
const waitingPlace = ({ deliveries }: Kept): Place => (deliveries >= SUSPECT_FROM ? 'suspect' : 'ready')

export function toTail(kept: Kept, now: number): void {
  kept.place = waitingPlace(kept)
  kept.readyAt = now
  waiting(kept).addLast(kept)
}

export function toHead(kept: Kept): void {
  kept.place = waitingPlace(kept)
  waiting(kept).addFirst(kept)
}

/** To the tail at once when that time is not in the future. */
export function until(state: State, kept: Kept, when: number, now: number): void {
  if (when <= now) return toTail(kept, now)
  kept.place = 'delayed'
  kept.when = when
  kept.queue.delayed++
  state.delayed.add(kept)
}

/** Out of the list or heap where it waits or lies dead; not for leased ones. */
export function unlink(state: State, kept: Kept): void {
  switch (kept.place) {
    case 'ready':
      return kept.queue.bands[kept.envelope.priority].remove(kept)
    case 'suspect':
      return kept.queue.suspects.remove(kept)
    case 'dead':
      return kept.queue.dead.remove(kept)
    case 'delayed':
      kept.queue.delayed--
      return state.delayed.remove(kept)
    case 'leased':
      throw new Error('a leased message is in no list')
    default:
      return kept.place satisfies never
  }
}

/** Gone from its queue. */
export const forget = (kept: Kept) => {
  kept.queue.live.delete(kept.envelope.id)
}

const GONE: Envelope = { id: '', queue: '', body: new Uint8Array(), attempt: 0, priority: 1 }

/**
 * Gone for good: it lets go of its envelope. A Map that is made anew leaves an old table behind, which keeps what was in it from being
 * young garbage; of this little is left to keep.
 */
export const finish = (kept: Kept) => {
  forget(kept)
  kept.envelope = GONE
}

export function bury(state: State, kept: Kept, now: number): void {
  kept.place = 'dead'
  kept.at = now
  kept.queue.dead.addLast(kept)
  trimDead(state, kept.queue, now)
}

/** Keeps a queue's dead letters within their limits, oldest out. */
export function trimDead(state: State, queue: Queue, now: number): void {
  for (let oldest = queue.dead.first; oldest; oldest = queue.dead.first) {
    if (queue.dead.size <= state.maxDead && oldest.at > now - state.maxDeadMs) return
    queue.dead.remove(oldest)
    forget(oldest)
    state.forgotten.set(queue.name, (state.forgotten.get(queue.name) ?? 0) + 1)
  }
}

/** What was delayed and is due goes to the tail, in the order of its times. It has been waiting since then, whoever looks when. */
export function promoteDue(state: State, now: number): void {
  for (let first = state.delayed.first; first && first.when <= now; first = state.delayed.first) {
    state.delayed.remove(first)
    first.queue.delayed--
    toTail(first, first.when)
  }
}
