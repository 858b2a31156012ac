/**
 * Who waits in this engine: takes that found nothing, readers of topics. A take that finds nothing puts a row for its queues, in the
 * transaction in which it looked, so nothing can come in between; whoever makes a queue takeable reads those rows. Rows stay while the engine is
 * idle now and then, and go when it has been busy for a while: a worker that gets one message at a time need not write one row more for each.
 */
import type { TopicEntry } from '../../lib/store.ts'
import { after, keyOf, readNumber } from './keys.ts'
import type { Ledger } from './ledger.ts'
import { PROMOTED } from './limits.ts'
import type { Consumer, Leases } from './leases.ts'
import type { Messages } from './messages.ts'
import type { Input } from './protocol.ts'
import type { Queue } from './queue.ts'
import { isTakeable } from './queue.ts'
import type { Shelf } from './shelf.ts'
import { deliveryWriter } from './wire.ts'

/** Takes in a row that found something, after which this engine is not idle. */
const BUSY_TAKES = 16

interface Take {
  readonly id: number
  readonly max: number
  readonly until: number
  readonly room: readonly (number | undefined)[] | undefined
}
interface Read {
  readonly id: number
  readonly reader: number
  readonly topics: Input<'read'>['topics']
  readonly shelf: Shelf
  readonly until: number
}
interface Working {
  readonly consumer: Consumer
  take: Take | undefined
  look: boolean
  /** For tests: as if its process stood still. */
  stopped: boolean
}

export interface Waiters {
  add(consumer: Consumer): void
  delete(id: number): void
  /** A consumer that asks for something: what is settled may be what its waiting take waits for. */
  consumer(id: number): Consumer | undefined
  /** Those whose leases are to be renewed. */
  living(): readonly Consumer[]
  stop(id: number): void
  owns(row: number): boolean
  /** What there is, or undefined: it waits. */
  take(id: number, take: Take): Uint8Array | undefined
  cancel(id: number): void
  read(read: Read): void
  unread(reader: number): void
  appended(shelf: Shelf, topics: readonly string[], wake: (engine: number) => void): void
  /** Inside a transaction, last: gives waiting takes what there is now, and tells idle engines what is left. */
  serve(wake: (engine: number) => void): void
  /** Consumers whose lease was taken away. Call it first in a transaction. */
  fenced(asking: ReadonlySet<number>): { readonly consumer: number; readonly tokens: readonly number[] }[]
  /** Somebody rang: look. */
  wake(): void
  /** Looks, without the lock, whether there is something to take. */
  poll(): void
  /** Time has passed. */
  expire(): void
  /** Whether a transaction should be run for those who wait. */
  eager(): boolean
  busy(): boolean
  shortestLease(): number
  /** When something is due for somebody who waits, on the monotonic clock. */
  nextAt(now: number, mono: number): number
  /** Removes the rows of an engine. */
  forget(engine: number): void
}

const idleKey = (queue: number, engine: number) => keyOf('W', queue, engine)
const EMPTY = () => new Uint8Array()

export function waiters(
  book: Ledger,
  leases: Leases,
  kept: Messages,
  engine: () => number,
  answer: (id: number, value: unknown) => void,
): Waiters {
  const { db } = book,
    working = new Map<number, Working>(),
    reads = new Map<number, Read>(),
    idle = new Set<number>(),
    dueAt = new Map<number, number>()
  let streak = 0,
    expired = false,
    lookAtTopics = false

  function attempt({ consumer }: Working, { max, room }: Omit<Take, 'id' | 'until'>): Uint8Array | undefined {
    for (const { no } of consumer.queues) {
      const queue = book.queue(no)
      if (queue.delayed > 0) kept.promoteDue(queue, PROMOTED)
    }
    if (!consumer.queues.some(({ no }) => isTakeable(book.queue(no)))) return undefined
    const out = deliveryWriter()
    return leases.take(consumer, max, room, out) > 0 ? out.bytes() : undefined
  }

  function wait(work: Working, take: Take): void {
    const before = work.take
    book.onAbort(() => {
      work.take = before
    })
    work.take = take
    streak = 0
    for (const { no } of work.consumer.queues) {
      const queue = book.queue(no)
      if (queue.delayed > 0 && !queue.paused) dueAt.set(no, queue.nextDue)
      else dueAt.delete(no)
      if (idle.has(no)) continue
      db.put(idleKey(no, engine()), Buffer.of(1))
      queue.idlers++
      queue.dirty = true
      idle.add(no)
      book.onAbort(() => idle.delete(no))
    }
  }

  function found(): void {
    if (++streak !== BUSY_TAKES) return
    for (const no of idle) {
      if ([...working.values()].some(({ take, consumer }) => take && consumer.queues.some(queue => queue.no === no))) continue
      leaveQueue(no, engine())
      idle.delete(no)
      book.onAbort(() => idle.add(no))
    }
  }

  function leaveQueue(no: number, other: number): void {
    const key = idleKey(no, other),
      queue = book.queue(no)
    if (!db.getBinaryFast(key)) return
    db.remove(key)
    queue.idlers--
    queue.dirty = true
  }

  function end(work: Working, value: Uint8Array): void {
    const { take } = work
    work.take = undefined
    work.look = false
    book.onAbort(() => {
      work.take = take
    })
    answer(take!.id, value)
  }

  function tellOthers(queue: Queue, wake: (engine: number) => void): void {
    if (queue.idlers === 0 || !(queue.woken ? isTakeable(queue) || queue.sooner : queue.sooner)) return
    const prefix = keyOf('W', queue.no),
      me = engine()
    for (const key of db.getKeys({ start: prefix, end: after(prefix) })) {
      const other = readNumber(key, 9)
      if (other !== me) wake(other)
    }
  }

  function endRead(read: Read, value: readonly (readonly TopicEntry[])[]): void {
    reads.delete(read.reader)
    book.onAbort(() => reads.set(read.reader, read))
    for (const { topic } of read.topics)
      if (![...reads.values()].some(other => other.topics.some(each => each.topic === topic))) read.shelf.unwait(topic, engine())
    answer(read.id, value)
  }

  function serveReads(): void {
    for (const read of Array.from(reads.values())) {
      if (!lookAtTopics && read.until > book.mono) continue
      const entries = read.shelf.read(read.topics)
      if (read.until <= book.mono || entries.some(each => each.length > 0)) endRead(read, entries)
    }
    lookAtTopics = false
  }

  const self: Waiters = {
    add(consumer) {
      working.set(consumer.id, { consumer, take: undefined, look: false, stopped: false })
      book.onAbort(() => working.delete(consumer.id))
    },
    delete(id) {
      const work = working.get(id)
      working.delete(id)
      if (work) book.onAbort(() => working.set(id, work))
    },
    consumer(id) {
      const work = working.get(id)
      if (work) work.look = work.take !== undefined
      return work?.consumer
    },
    living: () => [...working.values()].filter(({ stopped }) => !stopped).map(({ consumer }) => consumer),
    stop(id) {
      self.cancel(id)
      const work = working.get(id)
      if (work) work.stopped = true
    },
    owns(row) {
      for (const { consumer, stopped } of working.values()) if (!stopped && consumer.row === row) return true
      return false
    },
    take(id, take) {
      const work = working.get(id)
      if (!work) return EMPTY()
      const bytes = attempt(work, take)
      if (bytes) {
        found()
        return bytes
      }
      if (take.until <= book.mono) return EMPTY()
      wait(work, take)
      return undefined
    },
    cancel(id) {
      const work = working.get(id)
      if (work?.take) end(work, EMPTY())
    },
    read(read) {
      reads.set(read.reader, read)
      book.onAbort(() => reads.delete(read.reader))
      for (const { topic } of read.topics) read.shelf.wait(topic, engine())
    },
    unread(reader) {
      const read = reads.get(reader)
      if (read)
        endRead(
          read,
          read.topics.map(() => []),
        )
    },
    appended(shelf, topics, wake) {
      if (reads.size > 0) lookAtTopics = true
      for (const topic of topics) for (const other of shelf.waiting(topic)) if (other !== engine()) wake(other)
    },
    serve(wake) {
      for (const work of working.values()) {
        const { take, look, consumer } = work
        if (!take) continue
        const isDue =
          look ||
          take.until <= book.mono ||
          consumer.queues.some(({ no }) => book.seen.get(no)?.woken === true || (dueAt.get(no) ?? Infinity) <= book.now)
        if (!isDue) continue
        work.look = false
        const bytes = attempt(work, take)
        if (bytes) {
          end(work, bytes)
          found()
        } else if (take.until <= book.mono) end(work, EMPTY())
        else wait(work, take)
      }
      for (const { consumer, take } of working.values()) {
        if (take)
          for (const { no } of consumer.queues) {
            const queue = book.seen.get(no)
            if (queue && queue.delayed > 0 && !queue.paused) dueAt.set(no, queue.nextDue)
            else if (queue) dueAt.delete(no)
          }
      }
      serveReads()
      expired = false
      for (const queue of book.seen.values()) tellOthers(queue, wake)
    },
    fenced(asking) {
      const lost: { consumer: number; tokens: readonly number[] }[] = []
      for (const work of working.values()) {
        const { consumer } = work
        if (asking.has(consumer.id)) work.stopped = false
        const tokens = work.stopped ? [] : leases.check(consumer)
        if (tokens.length > 0) lost.push({ consumer: consumer.id, tokens })
      }
      return lost
    },
    wake() {
      for (const work of working.values()) work.look = work.take !== undefined
      lookAtTopics = reads.size > 0
    },
    poll() {
      for (const work of working.values()) {
        if (!work.take) continue
        work.look ||= work.consumer.queues.some(({ no }) => {
          const queue = book.queue(no)
          if (queue.delayed > 0 && !queue.paused) dueAt.set(no, queue.nextDue)
          return isTakeable(queue) || (queue.delayed > 0 && !queue.paused && queue.nextDue <= book.now)
        })
      }
      lookAtTopics ||= [...reads.values()].some(({ shelf, topics }) => shelf.read(topics).some(entries => entries.length > 0))
    },
    expire() {
      expired = true
    },
    eager: () => expired || (lookAtTopics && reads.size > 0) || [...working.values()].some(({ take, look }) => take && look),
    busy: () => working.size > 0 || reads.size > 0,
    shortestLease: () => Math.min(Infinity, ...[...working.values()].map(({ consumer }) => consumer.leaseMs)),
    nextAt(now, mono) {
      let at = Infinity
      for (const { take, consumer } of working.values()) {
        if (!take) continue
        at = Math.min(at, take.until)
        for (const { no } of consumer.queues) {
          const due = dueAt.get(no)
          if (due !== undefined) at = Math.min(at, mono + Math.max(0, Math.ceil(due) - now))
        }
      }
      for (const { until } of reads.values()) at = Math.min(at, until)
      return at
    },
    forget(other) {
      const all = keyOf('W')
      for (const key of Array.from(db.getKeys({ start: all, end: after(all) })))
        if (readNumber(key, 9) === other) leaveQueue(readNumber(key, 1), other)
      const topics = keyOf('V')
      for (const key of Array.from(db.getKeys({ start: topics, end: after(topics) }))) {
        if (readNumber(key, key.length - 8) !== other) continue
        db.remove(key)
        book.totals.waiters--
        book.changed()
      }
    },
  }
  return self
}
