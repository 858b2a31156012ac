/**
 * The state machine of a broker as a reducer: no clock, no randomness, no I/O. It owns its state and changes it in place;
 * every command takes `now` (epoch ms). The memory broker is this and a few timers; other brokers are tested against it.
 *
 *   push -> ready | delayed       delayed -(its time)-> ready      ready -(take)-> leased
 *   leased -(settle)-> gone | ready | delayed | dead
 *   leased -(reap)-> ready at the head and counted, a suspect from the third delivery on
 *   leased -(leave)-> ready at the head, uncounted
 */
import type { ConsumeOptions, Delivery, Envelope, Pushed, Settled, Settlement, TakeOptions } from '../../lib/broker.ts'
import { inspection } from './inspection.ts'
import type { Inspection } from './inspection.ts'
import { refusal } from '../../lib/refusal.ts'
import { bury, dueAt, emptyState, finish, promoteDue, queueOf, toHead, toTail, until } from './state.ts'
import type { DeadLimits, Holder, Kept, Queue } from './state.ts'

export interface ReducerOptions extends DeadLimits {
  /** Every token begins with it: what makes tokens unique beyond this state. */
  readonly prefix: string
}

/** Whose lease lapsed, and the tokens that are worth nothing now. */
export interface Lapsed {
  readonly holder: Holder
  readonly tokens: readonly string[]
}

export interface Reducer extends Inspection {
  open(queues: readonly string[]): void
  push(batch: readonly Envelope[], now: number): Pushed[]
  /** A new consumer, holding nothing. */
  join(options: Pick<ConsumeOptions, 'queues' | 'credit' | 'leaseMs'>): Holder
  take(holder: Holder, max: number, room: TakeOptions['room'], now: number): Delivery[]
  /** @throws {GreenroomError} when a follow-up could not be stored; then nothing of the batch was done */
  settle(holder: Holder, batch: readonly Settlement[], now: number): Settled[]
  renew(holder: Holder, now: number): void
  /** Puts back what lapsed leases held. */
  reap(now: number): Lapsed[]
  /** Gives back what a consumer holds, uncounted, and forgets the consumer. */
  leave(holder: Holder): void
  /** Lets time pass: what is due becomes ready, ids may come again. Every other command does so first. */
  pass(now: number): void
  /** When the next delayed message is due. */
  nextDue(): number | undefined
  /** Dead letters that were pushed out by the limits since the last call, by queue; undefined when none was. */
  forgotten(): ReadonlyMap<string, number> | undefined
}

export function reducer({ prefix, ...limits }: ReducerOptions): Reducer {
  const state = emptyState(limits)

  function store(envelope: Envelope, now: number): 'stored' | 'duplicate' {
    const queue = queueOf(state, envelope.queue),
      { id, due, onceMs } = envelope
    if (queue.live.has(id) || queue.once.has(id)) return 'duplicate'
    const kept: Kept = {
      envelope,
      queue,
      place: 'ready',
      deliveries: 1,
      at: now,
      readyAt: now,
      reason: undefined,
      error: undefined,
      prev: undefined,
      next: undefined,
      order: 0,
      when: 0,
      index: -1,
    }
    queue.live.set(id, kept)
    if (onceMs !== undefined) remember(queue, id, now + onceMs)
    if (due === undefined) toTail(kept, now)
    else until(state, kept, dueAt(due, now), now)
    return 'stored'
  }

  function remember(queue: Queue, id: string, when: number): void {
    const remembered = { id, queue, when, order: 0, index: -1 }
    queue.once.set(id, remembered)
    state.once.add(remembered)
  }

  /** What time alone changes: every command begins with it. */
  function pass(now: number): void {
    promoteDue(state, now)
    for (let first = state.once.first; first && first.when <= now; first = state.once.first) {
      state.once.remove(first)
      first.queue.once.delete(first.id)
    }
  }

  function lease(holder: Holder, kept: Kept): Delivery {
    const token = prefix + ++state.tokens
    kept.place = 'leased'
    kept.order = state.tokens
    kept.queue.leased++
    holder.held.set(token, kept)
    return { envelope: kept.envelope, token, deliveries: kept.deliveries }
  }

  /** One suspect at most beside other work: if it kills this worker too, it is the only one that goes on counting. */
  function takeSuspect(holder: Holder, room: TakeOptions['room'], taken: Delivery[]): void {
    for (let turn = 0; turn < holder.queues.length; turn++) {
      const queue = served(holder, turn),
        { first } = queue.suspects
      if (!first || queue.paused || roomIn(room, queue, taken) < 1) continue
      queue.suspects.remove(first)
      const delivery = lease(holder, first)
      holder.suspect = delivery.token
      taken.push(delivery)
      return
    }
  }

  function takeFrom(holder: Holder, queue: Queue, most: number, taken: Delivery[]): number {
    if (queue.paused) return 0
    let left = most
    for (const band of queue.bands) {
      for (let first = band.first; first && left > 0; first = band.first, left--) {
        band.remove(first)
        taken.push(lease(holder, first))
      }
    }
    return most - left
  }

  /** `heads`: what goes to the head. */
  function settleOne(holder: Holder, settlement: Settlement, heads: Kept[], now: number): Settled {
    const { token } = settlement,
      kept = holder.held.get(token)
    if (!kept) return 'lost'
    holder.held.delete(token)
    if (holder.suspect === token) holder.suspect = undefined
    kept.queue.leased--
    switch (settlement.kind) {
      case 'done':
        finish(kept)
        break
      case 'retry': {
        const { due: _, ...envelope } = kept.envelope
        kept.envelope = { ...envelope, attempt: envelope.attempt + 1, body: settlement.body ?? envelope.body }
        kept.deliveries = 1
        until(state, kept, now + settlement.afterMs, now)
        return 'ok'
      }
      case 'release':
        if (settlement.afterMs > 0) until(state, kept, now + settlement.afterMs, now)
        else heads.push(kept)
        return 'ok'
      case 'dead':
        kept.reason = settlement.reason
        kept.error = settlement.error
        bury(state, kept, now)
        break
      default:
        return settlement satisfies never
    }
    if (settlement.then) for (const envelope of settlement.then) store(envelope, now)
    return 'ok'
  }

  /** Back to the heads, last first, so that the order in which they were taken is kept. */
  function putBack(holder: Holder, counted: 0 | 1): void {
    for (const kept of [...holder.held.values()].reverse()) {
      kept.queue.leased--
      kept.deliveries += counted
      toHead(kept)
    }
    holder.held.clear()
    holder.suspect = undefined
  }

  return {
    ...inspection(state, pass),
    open(queues) {
      for (const name of queues) queueOf(state, name)
    },
    push(batch, now) {
      pass(now)
      return batch.map(envelope => refusal(envelope) ?? store(envelope, now))
    },
    join({ queues, credit, leaseMs }) {
      const names = [...new Set(queues)]
      const holder: Holder = {
        queues: names.map(name => queueOf(state, name)),
        credit,
        leaseMs,
        held: new Map(),
        suspect: undefined,
        deadline: Infinity,
        next: 0,
      }
      state.holders.add(holder)
      return holder
    },
    take(holder, max, room, now) {
      pass(now)
      const taken: Delivery[] = [],
        most = Math.min(max, holder.credit - holder.held.size),
        { length } = holder.queues
      holder.deadline = now + holder.leaseMs
      if (!(most >= 1)) return taken
      if (holder.suspect === undefined) takeSuspect(holder, room, taken)
      // Each queue gets its share first; what the others leave over is anyone's.
      for (let round = 0, turn = 0; round < 2 && taken.length < most; turn++) {
        const queue = served(holder, turn),
          left = most - taken.length
        const share = round === 0 ? Math.ceil(left / (length - turn)) : left
        takeFrom(holder, queue, Math.min(share, roomIn(room, queue, taken)), taken)
        if (turn === length - 1) {
          round++
          turn = -1
        }
      }
      holder.next = (holder.next + 1) % length
      return taken
    },
    settle(holder, batch, now) {
      pass(now)
      for (const settlement of batch) checkThen(settlement)
      holder.deadline = now + holder.leaseMs
      const heads: Kept[] = [],
        settled = batch.map(settlement => settleOne(holder, settlement, heads, now))
      // Last first, so that what was taken first is first again.
      for (const kept of heads.sort((a, b) => b.order - a.order)) toHead(kept)
      return settled
    },
    renew(holder, now) {
      holder.deadline = now + holder.leaseMs
    },
    reap(now) {
      pass(now)
      const lapsed: Lapsed[] = []
      for (const holder of state.holders) {
        if (holder.held.size === 0 || holder.deadline > now) continue
        lapsed.push({ holder, tokens: [...holder.held.keys()] })
        putBack(holder, 1)
      }
      return lapsed
    },
    leave(holder) {
      putBack(holder, 0)
      state.holders.delete(holder)
    },
    pass,
    nextDue: () => state.delayed.first?.when,
    forgotten() {
      if (state.forgotten.size === 0) return undefined
      const counts = new Map(state.forgotten)
      state.forgotten.clear()
      return counts
    },
  }
}

const served = ({ queues, next }: Holder, turn: number) => queues[(next + turn) % queues.length]!

/** How many more of this queue the call may return. `room` is a plain object: a queue may be named like something it inherits. */
function roomIn(room: TakeOptions['room'], { name }: Queue, taken: readonly Delivery[]): number {
  if (room === undefined || !Object.hasOwn(room, name)) return Infinity
  let left = room[name]!
  for (const { envelope } of taken) if (envelope.queue === name) left--
  return left
}

/** A follow-up that cannot be stored is a bug of the caller: refuse the call before anything is changed, lose nothing in silence. */
function checkThen(settlement: Settlement): void {
  if (!('then' in settlement) || !settlement.then) return
  for (const envelope of settlement.then) {
    const error = refusal(envelope)
    if (error) throw error
  }
}
