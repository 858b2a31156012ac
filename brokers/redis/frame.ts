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
 * All numbers are big-endian. Anybody who may write to the server may have written one: `readFrame` answers undefined for what is none.
 */
import type { Envelope } from '../../lib/broker.ts'
import type { Band } from '../../lib/message.ts'

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

export function readFrame(bytes: Buffer): Frame | undefined {
  if (bytes.length < HEAD || bytes[6] !== FRAME_VERSION) return undefined
  const band = bytes[7]!,
    start = HEAD + bytes[14]!
  if (band > 2 || start > bytes.length || start === HEAD) return undefined
  return {
    since: bytes.readUIntBE(0, 6),
    band: band as Band,
    lapses: bytes.readUInt16BE(8),
    attempt: bytes.readUInt32BE(10),
    id: bytes.toString('latin1', HEAD, start),
    body: bytes.subarray(start),
  }
}
