/**
 * The transitions of single messages, each inside a transaction of the engine:
 *
 *   arrive -> log of its band | delayed         promote: delayed -> log | suspect
 *   hold: log (in place), back, suspect -> held   finish: gone   retry -> log | delayed   giveBack -> back | suspect | delayed   bury -> dead
 *
 * A message of the log is held where it stands; only what was given back, or is a suspect, is moved to be held.
 */
import { SUSPECT_FROM } from '../../lib/broker.ts'
import type { Place as PublicPlace } from '../../lib/broker.ts'
import type { Band } from '../../lib/message.ts'
import type { Place } from './keys.ts'
import { AREA, after, messageKey, newKey, placeAt } from './keys.ts'
import type { Ledger } from './ledger.ts'
import { PROMOTED } from './limits.ts'
import type { LiveIds } from './live-ids.ts'
import type { Queue } from './queue.ts'
import {
  HEAD_BYTES,
  atOf,
  bandOf,
  buried,
  idEnd,
  lapsesOf,
  setAt,
  setAttempt,
  setBand,
  setLapses,
  setSince,
  setSlot,
  sinceOf,
  slotOf,
  unburied,
} from './record.ts'

export interface DeadLimits {
  /** Dead letters kept a queue; the oldest go first. @default 10 000 */
  readonly maxDead?: number
  /** How long a dead letter is kept, ms. @default 30 days */
  readonly maxDeadMs?: number
}
const DAY_MS = 86_400_000

export interface Messages {
  /** Stores a fresh record; false when its id is live. */
  arrive(queue: Queue, record: Buffer, due: number | undefined): boolean
  /** The record at a place, copied. */
  read(queue: Queue, place: Place): Buffer | undefined
  publicPlace(queue: Queue, place: Place): PublicPlace
  /** Makes a message ready, from wherever it was. `record` is changed. */
  ready(queue: Queue, place: Place, record: Buffer): void
  /** Waits until `due`, or not at all when that has passed. */
  until(queue: Queue, place: Place, record: Buffer, due: number, band?: Band): void
  /** To the head of where it waits. */
  putBack(queue: Queue, place: Place, record: Buffer): void
  /** Call `trimDead` afterwards: once for many, as to look for the oldest costs as much as to bury one. */
  bury(queue: Queue, place: Place, record: Buffer, reason: string, error: Uint8Array | undefined): void
  revive(queue: Queue, place: Place, record: Buffer, to: Queue): boolean
  /** Takes a message away: its record and its id. */
  erase(queue: Queue, place: Place, record: Buffer): void
  /** Makes ready what is due, at most so many; true when there may be more. */
  promoteDue(queue: Queue, most: number): boolean
  /** Dead letters past their limits go, at most so many. */
  trimDead(queue: Queue, most: number): void
  /** Says that a record got longer or shorter. */
  resize(queue: Queue, bytes: number): void
  /** Dead letters that the limits pushed out, by the number of their queue. Whoever reads it clears it. */
  readonly forgotten: Map<number, number>
  /** Whether the oldest dead letter has been kept for long enough. */
  overdue(queue: Queue): boolean
}

export function messages(book: Ledger, ids: LiveIds, { maxDead = 10_000, maxDeadMs = 30 * DAY_MS }: DeadLimits): Messages {
  const { db } = book,
    key = newKey(),
    old = newKey(),
    forgotten = new Map<number, number>()

  function drop({ no }: Queue, { area, a, b }: Place): void {
    db.remove(messageKey(old, no, area, a, b))
  }

  /** Counts a message out of where it was. What is held is counted by the queue alone. */
  function leave(queue: Queue, place: Place, record: Buffer): void {
    queue.dirty = true
    switch (publicPlace(queue, place)) {
      case 'ready': {
        const band = queue.bands[bandOf(record)]
        if (place.area < AREA.back) band.logged--
        else band.returned--
        break
      }
      case 'leased':
        queue.leased--
        break
      case 'suspect':
        queue.suspect--
        break
      case 'delayed':
        queue.delayed--
        break
      default:
        queue.dead--
    }
  }

  function place(queue: Queue, record: Buffer, area: number, a: number, b = 0): void {
    db.put(messageKey(key, queue.no, area, a, b), record)
    ids.point(queue, slotOf(record), record, HEAD_BYTES, idEnd(record), key)
    queue.dirty = true
  }

  function toTail(queue: Queue, record: Buffer, since: number): void {
    setSince(record, since)
    queue.woken = true
    if (lapsesOf(record) + 1 >= SUSPECT_FROM) {
      queue.suspect++
      return place(queue, record, AREA.suspect, queue.next++)
    }
    const band = queue.bands[bandOf(record)]
    band.logged++
    place(queue, record, AREA.log + bandOf(record), band.tail++)
  }

  function toDelayed(queue: Queue, record: Buffer, due: number): void {
    setSince(record, due)
    queue.delayed++
    if (queue.nextDue === 0 || due < queue.nextDue || queue.delayed === 1) {
      queue.nextDue = due
      queue.sooner = true
    }
    place(queue, record, AREA.delayed, Math.max(0, Math.ceil(due)), queue.next++)
  }

  function publicPlace(queue: Queue, { area, a }: Place): PublicPlace {
    if (area < AREA.back) return a < queue.bands[area as Band].head ? 'leased' : 'ready'
    if (area < AREA.held) return 'ready'
    return area === AREA.held ? 'leased' : area === AREA.suspect ? 'suspect' : area === AREA.delayed ? 'delayed' : 'dead'
  }

  function forgetId(queue: Queue, record: Buffer): void {
    ids.remove(queue, slotOf(record), record, HEAD_BYTES, idEnd(record))
  }

  function weigh(queue: Queue, bytes: number): void {
    queue.bytes += bytes
    book.totals.bytes += bytes
    queue.dirty = true
    book.changed()
  }

  function oldestDead({ no }: Queue, most: number): Place[] {
    const start = Buffer.from(messageKey(key, no, AREA.dead, 0).bytes.subarray(0, 6))
    return Array.from(db.getKeys({ start, end: after(start), limit: most }), at => placeAt(at, 5))
  }

  const self: Messages = {
    forgotten,
    publicPlace,
    resize: weigh,
    arrive(queue, record, due) {
      const end = idEnd(record)
      if (ids.has(queue, record, HEAD_BYTES, end)) return false
      // What was due before stands before what comes now.
      self.promoteDue(queue, PROMOTED)
      setSlot(record, ids.claim(queue, record, HEAD_BYTES, end))
      setAt(record, book.now)
      weigh(queue, record.length)
      if (due !== undefined && due > book.now) toDelayed(queue, record, due)
      else toTail(queue, record, book.now)
      return true
    },
    read(queue, { area, a, b }) {
      const found = db.getBinary(messageKey(old, queue.no, area, a, b))
      return found && Buffer.from(found.buffer, found.byteOffset, found.length)
    },
    ready(queue, from, record) {
      self.until(queue, from, record, book.now)
    },
    until(queue, from, record, due, band) {
      leave(queue, from, record)
      drop(queue, from)
      if (band !== undefined) setBand(record, band)
      if (due > book.now) toDelayed(queue, record, due)
      else toTail(queue, record, book.now)
    },
    putBack(queue, from, record) {
      leave(queue, from, record)
      drop(queue, from)
      queue.woken = true
      if (lapsesOf(record) + 1 >= SUSPECT_FROM) {
        queue.suspect++
        return place(queue, record, AREA.suspect, --queue.suspectFront)
      }
      const band = queue.bands[bandOf(record)]
      band.returned++
      place(queue, record, AREA.back + bandOf(record), --band.front)
    },
    bury(queue, from, record, reason, error) {
      leave(queue, from, record)
      drop(queue, from)
      const dead = buried(record, reason, error)
      setAt(dead, book.now)
      weigh(queue, dead.length - record.length)
      queue.dead++
      place(queue, dead, AREA.dead, queue.next++)
    },
    revive(queue, from, record, to) {
      const end = idEnd(record)
      // Of two with one id in one queue, the one that is alive there stays, and the dead letter stays a dead letter.
      if (to !== queue && ids.has(to, record, HEAD_BYTES, end)) return false
      self.erase(queue, from, record)
      const live = unburied(record)
      setAttempt(live, 0)
      setLapses(live, 0)
      return self.arrive(to, live, undefined)
    },
    erase(queue, from, record) {
      leave(queue, from, record)
      drop(queue, from)
      forgetId(queue, record)
      weigh(queue, -record.length)
    },
    promoteDue(queue, most) {
      if (queue.delayed === 0 || queue.nextDue > book.now) return false
      const prefix = messageKey(key, queue.no, AREA.delayed, 0),
        start = Buffer.from(prefix.bytes.subarray(0, 6)),
        end = after(start)
      const due: Place[] = []
      queue.nextDue = 0
      queue.dirty = true
      for (const at of db.getKeys({ start, end, limit: most + 1 })) {
        const found = placeAt(at, 5)
        if (found.a > book.now || due.length === most) {
          queue.nextDue = found.a
          break
        }
        due.push(found)
      }
      for (const from of due) {
        const record = self.read(queue, from)!
        leave(queue, from, record)
        drop(queue, from)
        setSlot(record, ids.regroup(queue, slotOf(record), record, HEAD_BYTES, idEnd(record)))
        // It has been waiting since then, whoever looks when.
        toTail(queue, record, sinceOf(record))
      }
      return due.length === most
    },
    trimDead(queue, most) {
      if (queue.dead <= maxDead && !self.overdue(queue)) return
      for (const from of oldestDead(queue, most)) {
        const record = self.read(queue, from)!
        if (queue.dead <= maxDead && atOf(record) > book.now - maxDeadMs) return
        self.erase(queue, from, record)
        const dropped = (forgotten.get(queue.no) ?? 0) + 1
        book.onCommit(() => forgotten.set(queue.no, dropped))
      }
    },
    overdue(queue) {
      const [oldest] = oldestDead(queue, 1)
      return oldest !== undefined && atOf(self.read(queue, oldest)!) <= book.now - maxDeadMs
    },
  }
  return self
}
