/**
 * What travels between the event loop and the engine thread: one buffer a batch, transferred and not copied. The records in it are
 * the ones that are stored, so nothing is encoded twice.
 *
 *   a pushed one     queue (u16: index into the batch's names) | due kind (u8) | due (f64) | once for (f64) | length (u32) | record
 *   a delivered one  token (f64) | queue (u16: index into the consumer's) | deliveries (u16) | length (u32) | record
 */
import type { Delivery, Envelope } from '../../lib/broker.ts'
import { MOST_BYTES } from './limits.ts'
import type { PushedBatch } from './protocol.ts'
import { HEAD_BYTES, attemptOf, bandOf, bodyOf, idEnd, idOf, recordBytes, writeRecord } from './record.ts'

const PUSH_HEAD = 23,
  DELIVERY_HEAD = 16
const DUE = { none: 0, after: 1, at: 2 } as const

export function packPush(batch: readonly Envelope[]): PushedBatch {
  const queues = new Map<string, number>()
  let size = 0
  for (const { id, body } of batch) size += PUSH_HEAD + recordBytes(id, body)
  const bytes = Buffer.from(new ArrayBuffer(size))
  let at = 0
  for (const { id, queue, body, attempt, priority: band, due, onceMs = 0 } of batch) {
    let index = queues.get(queue)
    if (index === undefined) queues.set(queue, (index = queues.size))
    bytes.writeUInt16LE(index, at)
    bytes[at + 2] = due === undefined ? DUE.none : 'at' in due ? DUE.at : DUE.after
    bytes.writeDoubleLE(due === undefined ? 0 : 'at' in due ? due.at : due.afterMs, at + 3)
    bytes.writeDoubleLE(onceMs, at + 11)
    const end = writeRecord(bytes, at + PUSH_HEAD, { id, band, attempt, body })
    bytes.writeUInt32LE(end - at - PUSH_HEAD, at + 19)
    at = end
  }
  return { queues: [...queues.keys()], count: batch.length, bytes }
}

export interface Arrival {
  readonly queue: number
  readonly record: Buffer
  readonly due: number | undefined
  readonly onceMs: number
}

export function* unpackPush({ bytes, count }: PushedBatch, now: number): Generator<Arrival> {
  const batch = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let i = 0, at = 0; i < count; i++) {
    const kind = batch[at + 2]!,
      due = batch.readDoubleLE(at + 3),
      end = at + PUSH_HEAD + batch.readUInt32LE(at + 19)
    yield {
      queue: batch.readUInt16LE(at),
      record: batch.subarray(at + PUSH_HEAD, end),
      onceMs: batch.readDoubleLE(at + 11),
      due: kind === DUE.none ? undefined : kind === DUE.at ? due : now + due,
    }
    at = end
  }
}

/** Collects deliveries in a buffer that grows, and their ids in another that stays here. */
export interface DeliveryWriter {
  readonly count: number
  /** With so many bytes in it nothing more should be added: what is left waits for the next take. */
  readonly full: boolean
  add(
    n: number,
    queue: number,
    deliveries: number,
    record: Buffer,
  ): { readonly ids: Buffer; readonly start: number; readonly end: number }
  /** What to transfer. */
  bytes(): Uint8Array
}

const FIRST_BYTES = 4_096,
  FIRST_ID_BYTES = 1_024

export function deliveryWriter(): DeliveryWriter {
  let out = Buffer.from(new ArrayBuffer(FIRST_BYTES)),
    at = 0,
    count = 0,
    ids = Buffer.allocUnsafe(FIRST_ID_BYTES),
    idAt = 0
  return {
    get count() {
      return count
    },
    get full() {
      return at >= MOST_BYTES
    },
    add(n, queue, deliveries, record) {
      const { length } = record,
        needed = at + DELIVERY_HEAD + length,
        idBytes = idEnd(record) - HEAD_BYTES
      if (needed > out.length) {
        const more = Buffer.from(new ArrayBuffer(Math.max(needed, out.length * 2)))
        out.copy(more, 0, 0, at)
        out = more
      }
      // Those that were given out keep the full buffer; the next ones get a new one.
      if (idAt + idBytes > ids.length) {
        ids = Buffer.allocUnsafe(Math.max(idBytes, ids.length * 2))
        idAt = 0
      }
      out.writeDoubleLE(n, at)
      out.writeUInt16LE(queue, at + 8)
      out.writeUInt16LE(Math.min(deliveries, 0xffff), at + 10)
      out.writeUInt32LE(length, at + 12)
      record.copy(out, at + DELIVERY_HEAD, 0, length)
      const start = idAt
      record.copy(ids, start, HEAD_BYTES, HEAD_BYTES + idBytes)
      at = needed
      count++
      return { ids, start, end: (idAt += idBytes) }
    },
    bytes: () => new Uint8Array(out.buffer, 0, at),
  }
}

export function unpackDeliveries(bytes: Uint8Array, queues: readonly string[], token: (n: number) => string): Delivery[] {
  const batch = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    found: Delivery[] = []
  for (let at = 0; at < batch.length;) {
    const start = at + DELIVERY_HEAD,
      end = start + batch.readUInt32LE(at + 12),
      record = batch.subarray(start, end)
    found.push({
      envelope: {
        id: idOf(record),
        queue: queues[batch.readUInt16LE(at + 8)]!,
        body: bodyOf(record),
        attempt: attemptOf(record),
        priority: bandOf(record),
      },
      token: token(batch.readDoubleLE(at)),
      deliveries: batch.readUInt16LE(at + 10),
    })
    at = end
  }
  return found
}
