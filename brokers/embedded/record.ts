/**
 * A message as the folder keeps it: a fixed head, the id, the body. Both sides of the engine thread use it: the event loop
 * writes it once, the engine patches the head and puts it down as it is, and a taken one travels back without a copy of its body.
 *
 *   0 format | 1 band | 2 slot of the id index | 3 flags | 4 lapsed leases (u16) | 6 length of the id (u16) | 8 attempt (u32)
 *   12 at: pushed or died (f64) | 20 since: ready since, or due at (f64) | 28 id | body | in a dead letter: error, reason, their lengths (2 u32)
 */
import type { Band } from '../../lib/message.ts'

/** A later format gets another number; a folder with records of an unknown one is refused when it is opened. */
export const FORMAT = 1
export const HEAD_BYTES = 28
const TRAILER_BYTES = 8
const NO_ERROR = 0xffffffff
const DEAD = 1

export interface Fields {
  id: string
  band: Band
  attempt: number
  body: Uint8Array
}

/** How long the record of an envelope is. */
export const recordBytes = (id: string, body: Uint8Array): number => HEAD_BYTES + Buffer.byteLength(id) + body.length

/** Writes a fresh record at `start`; what only the engine knows (slot, times) stays 0. Answers where it ends. */
export function writeRecord(target: Buffer, start: number, { id, band, attempt, body }: Fields): number {
  target.fill(0, start, start + HEAD_BYTES)
  target[start] = FORMAT
  target[start + 1] = band
  const idBytes = target.write(id, start + HEAD_BYTES)
  target.writeUInt16LE(idBytes, start + 6)
  target.writeUInt32LE(attempt, start + 8)
  target.set(body, start + HEAD_BYTES + idBytes)
  return start + HEAD_BYTES + idBytes + body.length
}

export const bandOf = (record: Buffer): Band => record[1] as Band
export const setBand = (record: Buffer, band: Band): void => {
  record[1] = band
}
export const slotOf = (record: Buffer): number => record[2]!
export const setSlot = (record: Buffer, slot: number): void => {
  record[2] = slot
}
export const lapsesOf = (record: Buffer): number => record.readUInt16LE(4)
export const setLapses = (record: Buffer, lapses: number): void => {
  record.writeUInt16LE(Math.min(lapses, 0xffff), 4)
}
export const attemptOf = (record: Buffer): number => record.readUInt32LE(8)
export const setAttempt = (record: Buffer, attempt: number): void => {
  record.writeUInt32LE(attempt, 8)
}
export const atOf = (record: Buffer): number => record.readDoubleLE(12)
export const setAt = (record: Buffer, at: number): void => {
  record.writeDoubleLE(at, 12)
}
export const sinceOf = (record: Buffer): number => record.readDoubleLE(20)
export const setSince = (record: Buffer, since: number): void => {
  record.writeDoubleLE(since, 20)
}
export const idEnd = (record: Buffer): number => HEAD_BYTES + record.readUInt16LE(6)
export const idOf = (record: Buffer): string => record.toString('latin1', HEAD_BYTES, idEnd(record))

const isDead = (record: Buffer): boolean => (record[3]! & DEAD) !== 0

/** Where the body ends: the end, or the trailer of a dead letter. */
function bodyEnd(record: Buffer): number {
  if (!isDead(record)) return record.length
  const error = record.readUInt32LE(record.length - TRAILER_BYTES)
  return record.length - TRAILER_BYTES - (error === NO_ERROR ? 0 : error) - record.readUInt32LE(record.length - 4)
}
/** A view, not a copy. */
export const bodyOf = (record: Buffer): Buffer => record.subarray(idEnd(record), bodyEnd(record))

/** The same message with another body: only where a foreign format keeps the attempt inside. */
export const withBody = (record: Buffer, body: Uint8Array): Buffer => Buffer.concat([record.subarray(0, idEnd(record)), body])

/** The dead letter of a message: the same bytes, and why. */
export function buried(record: Buffer, reason: string, error: Uint8Array | undefined): Buffer {
  const text = Buffer.from(reason),
    trailer = Buffer.alloc(TRAILER_BYTES)
  trailer.writeUInt32LE(error === undefined ? NO_ERROR : error.length, 0)
  trailer.writeUInt32LE(text.length, 4)
  const dead = Buffer.concat([record, error ?? new Uint8Array(), text, trailer])
  dead[3] = dead[3]! | DEAD
  return dead
}

/** A dead letter without what made it one. */
export function unburied(record: Buffer): Buffer {
  const live = Buffer.from(record.subarray(0, bodyEnd(record)))
  live[3] = live[3]! & ~DEAD
  return live
}

export function epitaph(record: Buffer): { reason: string; error?: Uint8Array } | undefined {
  if (!isDead(record)) return undefined
  const error = record.readUInt32LE(record.length - TRAILER_BYTES),
    reasonStart = record.length - TRAILER_BYTES - record.readUInt32LE(record.length - 4)
  const reason = record.toString('utf8', reasonStart, record.length - TRAILER_BYTES)
  return error === NO_ERROR ? { reason } : { reason, error: new Uint8Array(record.subarray(reasonStart - error, reasonStart)) }
}
