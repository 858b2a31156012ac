/**
 * Consumers and what they hold. The folder has one row a consumer: its deadline and the keys of what was leased to it. A row is
 * written when something is taken and when the lease is renewed, never for a settlement: a key that is gone was settled.
 *
 *   no row -(take)-> row    row -(take, renew)-> row    row -(reaped in parts)-> marked -> no row    row -(leave)-> no row
 *
 * The deadline alone fences nobody. A consumer that finds its row gone or marked has lost all it held, and goes on under a new number.
 */
import { SUSPECT_FROM } from '../../lib/broker.ts'
import { failpoint } from '../../lib/failpoint.ts'
import type { Band } from '../../lib/message.ts'
import type { Db } from './database.ts'
import { copied, firstKey, viewed } from './database.ts'
import type { Place } from './keys.ts'
import { AREA, after, keyOf, messageKey, newKey, placeAt, readNumber } from './keys.ts'
import type { Ledger } from './ledger.ts'
import type { LiveIds } from './live-ids.ts'
import type { Messages } from './messages.ts'
import type { Queue } from './queue.ts'
import { HEAD_BYTES, idEnd, lapsesOf, setLapses, slotOf } from './record.ts'
import type { DeliveryWriter } from './wire.ts'

export interface Held {
  readonly n: number
  readonly queue: number
  readonly area: number
  readonly seq: number
  readonly slot: number
  readonly bytes: number
  readonly suspect: boolean
  /** The id is bytes of this buffer, shared by what was taken together. */
  readonly ids: Buffer
  readonly start: number
  readonly end: number
}

export interface Consumer {
  /** The first number it had: what its tokens begin with. */
  readonly id: number
  /** Its number now; another one after each time it was fenced. */
  row: number
  readonly queues: readonly { readonly no: number; readonly name: string }[]
  readonly credit: number
  readonly leaseMs: number
  held: Map<number, Held>
  tokens: number
  /** Which queue is asked first next time. */
  turn: number
  /** When the row was last written; undefined: there is none. */
  renewedAt: number | undefined
}

/** A lease as it stands in the folder. */
export interface Lease {
  readonly row: number
  readonly engine: number
  readonly deadline: number
  readonly leaseMs: number
  readonly marked: boolean
  readonly keys: readonly (Place & { readonly queue: number })[]
}

const HEADER = 25,
  ENTRY = 13,
  CODE_C = 0x43
const ALL = keyOf('C')

export const leaseRows = function* (db: Db): Generator<Lease> {
  for (const { key, value } of db.getRange({ start: ALL, end: after(ALL) })) yield decodeLease(readNumber(key, 1), value)
}

function decodeLease(row: number, value: Buffer): Lease {
  const keys: (Place & { queue: number })[] = []
  for (let at = HEADER; at < value.length; at += ENTRY)
    keys.push({ queue: value.readUInt32LE(at), area: value[at + 4]!, a: value.readDoubleLE(at + 5), b: 0 })
  return {
    row,
    marked: value[0] === 1,
    engine: value.readDoubleLE(1),
    deadline: value.readDoubleLE(9),
    leaseMs: value.readDoubleLE(17),
    keys,
  }
}

function encodeLease({ engine, deadline, leaseMs, marked }: Omit<Lease, 'keys' | 'row'>, count: number): Buffer {
  const value = Buffer.allocUnsafe(HEADER + count * ENTRY)
  value[0] = marked ? 1 : 0
  value.writeDoubleLE(engine, 1)
  value.writeDoubleLE(deadline, 9)
  value.writeDoubleLE(leaseMs, 17)
  return value
}
function putEntry(value: Buffer, index: number, queue: number, area: number, seq: number): void {
  const at = HEADER + index * ENTRY
  value.writeUInt32LE(queue, at)
  value[at + 4] = area
  value.writeDoubleLE(seq, at + 5)
}

export interface Leases {
  join(queues: Consumer['queues'], credit: number, leaseMs: number): Consumer
  /** Writes up to `max` deliveries; answers how many. `room` is by the consumer's own order of queues. */
  take(consumer: Consumer, max: number, room: readonly (number | undefined)[] | undefined, out: DeliveryWriter): number
  /** What a token stands for, no longer held from here on; undefined: lost. */
  release(consumer: Consumer, n: number): Held | undefined
  /** Done with it: record and id go. */
  finish(held: Held): void
  /** Whether a consumer still has its lease; otherwise its tokens are lost, and answered. Call it first in a transaction. */
  check(consumer: Consumer): readonly number[]
  renew(consumer: Consumer): void
  /** Gives back, to the head and uncounted, what a consumer holds, and forgets it. */
  leave(consumer: Consumer): void
  /** Puts back, counted, what a lapsed lease covers, at most so many; true when it is through. */
  reap(lease: Lease, most: number): boolean
}

export function leases(book: Ledger, ids: LiveIds, kept: Messages, engine: () => number): Leases {
  const { db } = book,
    key = newKey(),
    rowKey = newKey()

  const keyOfRow = (row: number) => {
    rowKey.bytes[0] = CODE_C
    rowKey.bytes.writeUInt32BE(0, 1)
    rowKey.bytes.writeUInt32BE(row, 5)
    rowKey.length = 9
    return rowKey
  }

  function write(consumer: Consumer): void {
    const { row, held, leaseMs } = consumer,
      value = encodeLease({ engine: engine(), deadline: book.mono + leaseMs, leaseMs, marked: false }, held.size)
    let index = 0
    for (const { queue, area, seq } of held.values()) putEntry(value, index++, queue, area, seq)
    db.put(keyOfRow(row), value)
    const before = consumer.renewedAt
    if (before === undefined) {
      book.totals.consumers++
      book.changed()
    }
    consumer.renewedAt = book.mono
    book.onAbort(() => {
      consumer.renewedAt = before
    })
  }

  function hold(consumer: Consumer, queue: Queue, index: number, place: Place, record: Buffer, out: DeliveryWriter): void {
    const n = ++consumer.tokens,
      deliveries = lapsesOf(record) + 1,
      { ids: idBytes, start, end } = out.add(n, index, deliveries, record)
    consumer.held.set(n, {
      n,
      queue: queue.no,
      area: place.area,
      seq: place.a,
      slot: slotOf(record),
      bytes: record.length,
      suspect: deliveries >= SUSPECT_FROM,
      ids: idBytes,
      start,
      end,
    })
    queue.leased++
    queue.dirty = true
  }

  /** Of an area whose messages are moved to be held: what was given back, suspects. */
  function takeMoved(consumer: Consumer, queue: Queue, index: number, area: number, most: number, out: DeliveryWriter): number {
    const start = Buffer.from(messageKey(key, queue.no, area, 0).bytes.subarray(0, 6)),
      places: Place[] = []
    for (const at of db.getKeys({ start, end: after(start), limit: most })) places.push(placeAt(at, 5))
    let taken = 0
    for (const from of places) {
      if (out.full) break
      const record = kept.read(queue, from)!,
        to = { area: AREA.held, a: queue.next++, b: 0 }
      db.remove(messageKey(key, queue.no, from.area, from.a))
      db.put(messageKey(key, queue.no, to.area, to.a), record)
      ids.point(queue, slotOf(record), record, HEAD_BYTES, idEnd(record), key)
      hold(consumer, queue, index, to, record, out)
      taken++
    }
    return taken
  }

  function takeLog(consumer: Consumer, queue: Queue, index: number, area: Band, most: number, out: DeliveryWriter): number {
    const band = queue.bands[area]
    let taken = 0
    while (taken < most && band.logged > 0 && !out.full) {
      const record = db.getBinaryFast(messageKey(key, queue.no, area, band.head))
      if (!record) {
        // A hole where one was removed: go on behind it.
        const next = firstKey(db, Buffer.from(key.bytes.subarray(0, key.length)), after(key.bytes.subarray(0, 6)))
        band.head = next ? readNumber(next, 6) : band.tail
        if (!next) band.logged = 0
        continue
      }
      hold(consumer, queue, index, { area, a: band.head, b: 0 }, viewed(record), out)
      band.head++
      band.logged--
      taken++
    }
    return taken
  }

  function takeFrom(consumer: Consumer, queue: Queue, index: number, most: number, out: DeliveryWriter): number {
    if (queue.paused) return 0
    let taken = 0
    for (const area of [0, 1, 2] as const) {
      const band = queue.bands[area]
      if (band.returned > 0 && taken < most) {
        const moved = takeMoved(consumer, queue, index, AREA.back + area, Math.min(band.returned, most - taken), out)
        band.returned -= moved
        taken += moved
      }
      taken += takeLog(consumer, queue, index, area, most - taken, out)
    }
    return taken
  }

  function takeSuspect(consumer: Consumer, left: (index: number) => number, out: DeliveryWriter): number | undefined {
    for (const held of consumer.held.values()) if (held.suspect) return undefined
    for (let turn = 0; turn < consumer.queues.length; turn++) {
      const index = (consumer.turn + turn) % consumer.queues.length,
        queue = book.queue(consumer.queues[index]!.no)
      if (queue.suspect === 0 || queue.paused || left(index) < 1) continue
      queue.suspect -= takeMoved(consumer, queue, index, AREA.suspect, 1, out)
      return index
    }
    return undefined
  }

  return {
    join(queues, credit, leaseMs) {
      const id = book.nextNumber()
      return { id, row: id, queues, credit, leaseMs, held: new Map(), tokens: 0, turn: 0, renewedAt: undefined }
    },
    take(consumer, max, room, out) {
      const { queues, held } = consumer,
        { length } = queues,
        most = Math.min(max, consumer.credit - held.size)
      if (!(most >= 1)) return 0
      const before = consumer.tokens,
        used = Array<number>(length).fill(0)
      const left = (index: number) => (room?.[index] ?? Infinity) - used[index]!
      const suspect = takeSuspect(consumer, left, out)
      if (suspect !== undefined) used[suspect]!++
      let taken = suspect === undefined ? 0 : 1
      // Each queue gets its share first; what the others leave over is anyone's.
      for (let round = 0; round < 2 && taken < most; round++) {
        for (let turn = 0; turn < length && taken < most; turn++) {
          const index = (consumer.turn + turn) % length,
            rest = most - taken
          const share = round === 0 ? Math.ceil(rest / (length - turn)) : rest
          const got = takeFrom(consumer, book.queue(queues[index]!.no), index, Math.min(share, left(index)), out)
          used[index]! += got
          taken += got
        }
      }
      consumer.turn = (consumer.turn + 1) % length
      if (taken === 0) return 0
      book.onAbort(() => {
        for (let n = before + 1; n <= consumer.tokens; n++) held.delete(n)
        consumer.tokens = before
      })
      write(consumer)
      return taken
    },
    release(consumer, n) {
      const held = consumer.held.get(n)
      if (held) consumer.held.delete(n)
      return held
    },
    finish({ queue: no, area, seq, slot, ids: idBytes, start, end, bytes }) {
      const queue = book.queue(no)
      db.remove(messageKey(key, no, area, seq))
      ids.remove(queue, slot, idBytes, start, end)
      queue.leased--
      queue.bytes -= bytes
      queue.dirty = true
      book.totals.bytes -= bytes
      book.changed()
    },
    check(consumer) {
      if (consumer.renewedAt === undefined) return []
      const value = db.getBinaryFast(keyOfRow(consumer.row))
      if (value && value[0] === 0) return []
      const { held, row, renewedAt } = consumer
      book.onAbort(() => Object.assign(consumer, { held, row, renewedAt }))
      consumer.held = new Map()
      consumer.row = book.nextNumber()
      consumer.renewedAt = undefined
      return [...held.keys()]
    },
    renew(consumer) {
      write(consumer)
    },
    leave(consumer) {
      for (const { queue: no, area, seq } of [...consumer.held.values()].sort((a, b) => b.n - a.n)) {
        const queue = book.queue(no),
          place = { area, a: seq, b: 0 },
          record = kept.read(queue, place)
        if (record) kept.putBack(queue, place, record)
      }
      if (consumer.renewedAt === undefined) return
      db.remove(keyOfRow(consumer.row))
      book.totals.consumers++
      book.changed()
    },
    reap(lease, most) {
      const left = [...lease.keys],
        { row } = lease
      for (let moved = 0; left.length > 0 && moved < most; moved++) {
        const place = left.pop()!,
          queue = book.queue(place.queue),
          record = kept.read(queue, place)
        if (!record) continue
        failpoint?.('during-reap')
        setLapses(record, lapsesOf(record) + 1)
        kept.putBack(queue, place, record)
      }
      book.totals.consumers++
      book.changed()
      if (left.length === 0) {
        db.remove(keyOfRow(row))
        return true
      }
      const value = encodeLease({ ...lease, marked: true }, left.length)
      for (const [index, { queue, area, a }] of left.entries()) putEntry(value, index, queue, area, a)
      db.put(keyOfRow(row), value)
      return false
    },
  }
}

/** The lease of a row as it is now, inside a transaction. */
export function readLease(db: Db, row: number): Lease | undefined {
  const value = db.getBinaryFast(keyOf('C', row))
  return value && decodeLease(row, copied(value))
}
