/**
 * A message as Redis keeps it, one string. The scripts know the first fifteen bytes (scripts/shared/frame.lua); nobody reads the body.
 *
 *   0  since     6 bytes, ms: when it was pushed, or when it was due if that was later
 *   6  version   1
 *   7  band      0, 1 or 2
 *   8  lapses    2 bytes: how often its lease lapsed since its last settlement
 *  10  attempt   4 bytes
 *  14  length of the id, then the id, then the body to the end
 *
 * All numbers are big-endian. Anybody who may write to the server may have written something else.
 */
import { createHash } from 'node:crypto'
import type { Envelope } from '../../lib/broker.ts'
import type { Band } from '../../lib/message.ts'
import { isId } from '../../lib/names.ts'

export const FRAME_VERSION = 1
const HEAD = 15

export interface Frame {
  readonly since: number
  readonly band: Band
  readonly lapses: number
  readonly attempt: number
  readonly id: string
  /** A view into the bytes that were read. */
  readonly body: Uint8Array
}

export const frameLength = ({ id, body }: Envelope): number => HEAD + id.length + body.length

/** Writes it at `at`, with `since` left 0 for the script, and says where it ends. */
export function writeFrame(into: Buffer, at: number, { id, body, attempt, priority }: Envelope): number {
  into.fill(0, at, at + 6)
  into[at + 6] = FRAME_VERSION
  into[at + 7] = priority
  into[at + 8] = into[at + 9] = 0
  into.writeUInt32BE(attempt, at + 10)
  into[at + 14] = id.length
  const start = at + HEAD + into.write(id, at + HEAD, 'latin1')
  into.set(body, start)
  return start + body.length
}

/** @param whole what was read: the body is a view into it */
export function readFrame(whole: Buffer): Frame {
  const start = HEAD + (whole[14] ?? 0),
    band = whole[7]!
  if (whole.length < start || start === HEAD || whole[6] !== FRAME_VERSION || band > 2) return raw(whole)
  const id = whole.toString('latin1', HEAD, start)
  if (!isId(id)) return raw(whole)
  return {
    since: whole.readUIntBE(0, 6),
    band: band as Band,
    lapses: whole.readUInt16BE(8),
    attempt: whole.readUInt32BE(10),
    id,
    body: whole.subarray(start),
  }
}

/** What is no frame is passed on whole: the core cannot decode it, and makes it a dead letter with its bytes. The scripts name it alike. */
const raw = (body: Buffer): Frame => ({
  since: 0,
  band: 1,
  lapses: 0,
  attempt: 0,
  id: `raw-${createHash('sha1').update(body).digest('hex')}`,
  body,
})
