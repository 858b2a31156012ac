/**
 * What brokers must do, once more and in the simplest way: one set of messages, each with its place and its rank there, filtered
 * and sorted at each question. Written from the contract (lib/broker.ts, docs/brokers.md) and nothing else, so that it is wrong
 * in other ways than a broker is. It knows nothing of transactions, heaps, lists or threads.
 *
 * Where the contract leaves a choice (which of several queues a take serves first) it judges the broker's answer and follows it.
 * Where it leaves a while open (a delay may be late by `delayMs`, a lease lapses somewhen), `rest()` says how far to move the clock.
 */
import assert from 'node:assert/strict'
import { SUSPECT_FROM } from '../../lib/broker.ts'
import type { Capabilities, Counts, Delivery, Entry, Envelope, Place, Settled, Settlement } from '../../lib/broker.ts'
import type { Band, Due } from '../../lib/message.ts'
import { refusal } from '../../lib/refusal.ts'

/** A live message. */
interface Item {
  readonly id: string
  queue: string
  body: Uint8Array
  attempt: number
  priority: Band
  lapses: number
  place: Place
  /** Its order in its place: the head counts down, the tail counts up. */
  rank: number
  at: number
  /** Since when it has been waiting: was ready, before it was last taken. */
  since: number
  dueAt?: number | undefined
  reason?: string | undefined
  error?: Uint8Array | undefined
  token?: string | undefined
  holder?: Holder | undefined
}

/** A consumer. */
export interface Holder {
  readonly queues: readonly string[]
  readonly credit: number
  frozenAt: number | undefined
  /** What it ever lost: it is told of that by its next call at the latest. */
  readonly lost: Set<string>
  /** How many full takes in a row passed over a queue that had something to give. */
  readonly passed: Map<string, number>
}

const text = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString('latin1')
/** What is compared of an entry: its bytes as text. */
export const shownEntry = (entry: Entry | undefined) =>
  entry && {
    id: entry.envelope.id,
    queue: entry.envelope.queue,
    body: text(entry.envelope.body),
    attempt: entry.envelope.attempt,
    priority: entry.envelope.priority,
    place: entry.place,
    deliveries: entry.deliveries,
    at: entry.at,
    dueAt: entry.place === 'delayed' ? entry.dueAt : undefined,
    reason: entry.reason,
    error: text(entry.error),
  }

export type Reference = ReturnType<typeof reference>

/** @param now what the broker's clock says, epoch ms */
export function reference({ delayMs }: Pick<Capabilities, 'delayMs'>, leaseMs: number, now: number) {
  const items = new Set<Item>(),
    once = new Map<string, number>(),
    paused = new Set<string>(),
    holders = new Set<Holder>(),
    tokens = new Set<string>()
  let count = 0

  const inPlace = (queue: string, place: Place) =>
    [...items]
      .filter(item => item.queue === queue && item.place === place)
      .sort((a, b) => {
        const first = place === 'ready' ? a.priority - b.priority : place === 'delayed' ? a.dueAt! - b.dueAt! : 0
        return first !== 0 ? first : a.rank - b.rank
      })
  const one = (queue: string, id: string) => [...items].find(item => item.queue === queue && item.id === id)
  /** What was taken last first: so putting all of it back to the head keeps the order in which it was taken. */
  const held = (holder: Holder) => [...items].filter(item => item.holder === holder).sort((a, b) => b.rank - a.rank)
  const isSuspect = ({ lapses }: Item) => lapses + 1 >= SUSPECT_FROM

  function put(item: Item, place: Place, rank = ++count): void {
    Object.assign(item, { place, rank, token: undefined, holder: undefined, dueAt: undefined })
  }
  function toTail(item: Item, since = now): void {
    put(item, isSuspect(item) ? 'suspect' : 'ready')
    item.since = since
  }
  const toHead = (item: Item) => put(item, isSuspect(item) ? 'suspect' : 'ready', -++count)
  function at(item: Item, dueAt: number): void {
    if (dueAt <= now) return toTail(item)
    put(item, 'delayed')
    item.dueAt = dueAt
  }
  const timeOf = (due: Due) => ('at' in due ? due.at : now + due.afterMs)

  function store(envelope: Envelope): 'stored' | 'duplicate' | 'refused' {
    if (refusal(envelope)) return 'refused'
    const { id, queue, body, attempt, priority, due, onceMs } = envelope,
      key = `${queue} ${id}`
    if (one(queue, id) || (once.get(key) ?? 0) > now) return 'duplicate'
    const item: Item = { id, queue, body, attempt, priority, lapses: 0, place: 'ready', rank: 0, at: now, since: now }
    items.add(item)
    at(item, due ? timeOf(due) : now)
    if (onceMs !== undefined) once.set(key, now + onceMs)
    return 'stored'
  }

  const lapsesAt = ({ frozenAt = Infinity }: Holder) => ({ from: frozenAt + leaseMs / 2, to: frozenAt + (leaseMs * 9) / 4 })

  return {
    holders,
    push: (batch: readonly Envelope[]) => batch.map(store),
    consume(queues: readonly string[], credit: number): Holder {
      const holder: Holder = { queues, credit, frozenAt: undefined, lost: new Set(), passed: new Map() }
      holders.add(holder)
      return holder
    },
    /** Judges what a take brought, and believes it. */
    take(holder: Holder, max: number, room: Readonly<Record<string, number>> | undefined, got: readonly Delivery[]): void {
      // A take of nothing need not ask anybody.
      if (max >= 1) holder.frozenAt = undefined
      const open = holder.queues.filter(queue => !paused.has(queue)),
        most = Math.max(0, Math.min(max, holder.credit - held(holder).length)),
        left = new Map(open.map(queue => [queue, room?.[queue] ?? Infinity])),
        waiting = open.filter(queue => left.get(queue)! >= 1 && inPlace(queue, 'ready').length > 0)
      const suspects = held(holder).some(isSuspect)
        ? []
        : open.filter(queue => left.get(queue)! >= 1).flatMap(queue => inPlace(queue, 'suspect').slice(0, 1))
      let hasSuspect = false
      const served = new Set<string>()
      for (const { envelope, token, deliveries } of got) {
        const { id, queue, body, attempt, priority } = envelope
        const next = served.size === 0 && suspects.length > 0 ? suspects : inPlace(queue, 'ready').slice(0, 1)
        const item = next.find(candidate => candidate.queue === queue && candidate.id === id)
        assert.ok(item, `took ${queue}/${id}, and next is ${next.map(other => `${other.queue}/${other.id}`).join(' or ')}`)
        assert.deepEqual(
          { body: text(body), attempt, priority, deliveries },
          { body: text(item.body), attempt: item.attempt, priority: item.priority, deliveries: item.lapses + 1 },
          `the delivery of ${id}`,
        )
        assert.ok(!tokens.has(token), `the token ${token} was used before`)
        tokens.add(token)
        hasSuspect ||= isSuspect(item)
        put(item, 'leased')
        Object.assign(item, { token, holder })
        left.set(queue, left.get(queue)! - 1)
        assert.ok(left.get(queue)! >= 0, `more of ${queue} than there is room for`)
        served.add(queue)
      }
      const more = open.reduce((sum, queue) => sum + Math.min(left.get(queue)!, inPlace(queue, 'ready').length), 0)
      // What is still there: nothing, or nobody asked for more. A suspect that should have come first is one too.
      const missed = got.length === 0 ? suspects.length : 0
      assert.equal(got.length, Math.min(most, got.length + more + missed), 'how many were taken')
      for (const queue of holder.queues) {
        const isPassed = waiting.includes(queue) && !served.has(queue) && !hasSuspect && got.length > 0
        holder.passed.set(queue, isPassed ? (holder.passed.get(queue) ?? 0) + 1 : 0)
        assert.ok(holder.passed.get(queue)! < holder.queues.length, `${queue} does not get its turn`)
      }
    },
    settle(holder: Holder, batch: readonly Settlement[]): Settled[] {
      holder.frozenAt = undefined
      const heads: Item[] = []
      const settled = batch.map((settlement): Settled => {
        const item = held(holder).find(({ token }) => token === settlement.token)
        if (!item) return 'lost'
        switch (settlement.kind) {
          case 'retry':
            Object.assign(item, { attempt: item.attempt + 1, lapses: 0, body: settlement.body ?? item.body })
            at(item, now + settlement.afterMs)
            break
          case 'release':
            if (settlement.afterMs > 0) at(item, now + settlement.afterMs)
            else {
              heads.push(item)
              item.holder = undefined
            }
            break
          case 'dead':
            put(item, 'dead')
            Object.assign(item, { at: now, reason: settlement.reason, error: settlement.error })
            settlement.then?.forEach(store)
            break
          default:
            items.delete(item)
            settlement.then?.forEach(store)
        }
        return 'ok'
      })
      // What is given back together keeps the order in which it was taken.
      for (const item of heads.sort((a, b) => b.rank - a.rank)) toHead(item)
      return settled
    },
    /** How far the clock must move to have moved by `ms` and to a moment at which nothing is open. */
    rest(ms: number): number {
      let to = now + ms
      const open = [
        ...[...items].flatMap(({ dueAt }) => (dueAt === undefined ? [] : [{ from: dueAt, to: dueAt + delayMs }])),
        ...[...holders].filter(holder => held(holder).length > 0).map(lapsesAt),
      ].sort((a, b) => a.from - b.from)
      for (const span of open) if (to >= span.from) to = Math.max(to, span.to)
      return to - now
    },
    advance(ms: number): void {
      now += ms
      for (const holder of holders) {
        if (now < lapsesAt(holder).to) continue
        for (const item of held(holder)) {
          item.lapses++
          holder.lost.add(item.token!)
          toHead(item)
        }
      }
      const due = [...items].filter(({ dueAt = Infinity }) => dueAt <= now)
      for (const item of due.sort((a, b) => a.dueAt! - b.dueAt! || a.rank - b.rank)) toTail(item, item.dueAt)
    },
    freeze(holder: Holder): void {
      holder.frozenAt = now
    },
    /** Whether it can be used: it lives, or its lease has lapsed. */
    held: (holder: Holder) => held(holder).map(({ token }) => token!),
    isUsable: (holder: Holder) => holder.frozenAt === undefined || now >= lapsesAt(holder).to,
    dispose(holder: Holder): void {
      held(holder).forEach(toHead)
      holders.delete(holder)
    },

    counts(queue: string): Counts {
      const size = (place: Place) => inPlace(queue, place).length,
        since = Math.min(now, ...inPlace(queue, 'ready').map(item => item.since))
      return {
        ready: size('ready'),
        delayed: size('delayed'),
        leased: size('leased'),
        suspect: size('suspect'),
        dead: size('dead'),
        oldestMs: now - since,
        paused: paused.has(queue),
      }
    },
    list: (queue: string, place: Place) => inPlace(queue, place).map(({ id }) => id),
    find(id: string, queue: string) {
      const item = one(queue, id)
      return item && shownEntry({ ...item, envelope: { ...item }, deliveries: item.lapses + 1 } as Entry)
    },
    remove(queue: string, id: string) {
      const item = one(queue, id)
      if (item?.place === 'leased') return 'leased'
      return item && items.delete(item) ? 'removed' : 'missing'
    },
    promote(queue: string, id: string) {
      const item = one(queue, id)
      if (item?.place !== 'delayed') return item ? 'not delayed' : 'missing'
      toTail(item)
      return 'promoted'
    },
    reschedule(queue: string, id: string, { due, priority }: { readonly due?: Due; readonly priority?: Band }) {
      const item = one(queue, id)
      if (item?.place === 'leased') return 'leased'
      if (!item || item.place === 'dead') return 'missing'
      item.priority = priority ?? item.priority
      at(item, due ? timeOf(due) : (item.dueAt ?? now))
      return 'changed'
    },
    revive(queue: string, ids: readonly string[], to = queue): number {
      return ids.filter(id => {
        const item = one(queue, id)
        if (item?.place !== 'dead' || (to !== queue && one(to, id))) return false
        Object.assign(item, { queue: to, attempt: 0, lapses: 0, at: now, reason: undefined, error: undefined })
        toTail(item)
        return true
      }).length
    },
    drop: (queue: string, ids: readonly string[]) =>
      ids.filter(id => {
        const item = one(queue, id)
        return item?.place === 'dead' && items.delete(item)
      }).length,
    purge: (queue: string) =>
      (['ready', 'delayed', 'suspect'] as const).flatMap(place => inPlace(queue, place)).filter(item => items.delete(item))
        .length,
    pause: (queue: string) => void paused.add(queue),
    resume: (queue: string) => void paused.delete(queue),
  }
}
