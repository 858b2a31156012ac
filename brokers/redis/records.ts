/** Messages as the scripts read them: `store()` in scripts/shared/write.lua knows this form. */
import type { Envelope } from '../../lib/broker.ts'
import { frameLength, writeFrame } from './frame.ts'

const PLAIN = 5,
  TIMED = 12
const AFTER = 1,
  AT = 2,
  ONCE = 4
/** 48 bits hold 8,900 years. */
const LONGEST = 2 ** 48 - 1

const kindOf = ({ due, onceMs }: Envelope): number =>
  (due === undefined ? 0 : 'afterMs' in due ? AFTER : AT) + (onceMs === undefined ? 0 : ONCE)
/** Never early: a part of a millisecond counts as a whole one. */
const whole = (ms: number) => Math.min(LONGEST, Math.max(0, Math.ceil(ms)))

/** One after the other in one piece, as they travel in one argument. */
export function packRecords(envelopes: readonly Envelope[]): Buffer {
  let size = 0
  for (const envelope of envelopes) size += PLAIN + (kindOf(envelope) === 0 ? 0 : TIMED) + frameLength(envelope)
  const bytes = Buffer.allocUnsafe(size)
  let at = 0
  for (const envelope of envelopes) {
    const kind = kindOf(envelope)
    at = bytes.writeUInt32BE(frameLength(envelope), at)
    bytes[at++] = kind
    if (kind > 0) {
      const { due, onceMs = 0 } = envelope
      at = bytes.writeUIntBE(due === undefined ? 0 : whole('afterMs' in due ? due.afterMs : due.at), at, 6)
      at = bytes.writeUIntBE(whole(onceMs), at, 6)
    }
    at = writeFrame(bytes, at, envelope)
  }
  return bytes
}
