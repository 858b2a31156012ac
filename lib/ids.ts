/** Ids and randomness: the only file that asks for either, so that a test or a simulator can give its own. */
import { createHash, randomFillSync } from 'node:crypto'

/** A source of numbers in [0, 1). */
export type Random = () => number
export const systemRandom: Random = () => Math.random()

const HEX = Uint8Array.from('0123456789abcdef', digit => digit.charCodeAt(0))
const UUID_BYTES = 16
/** The system is asked for so many UUIDs' bytes at a time. */
const POOL = Buffer.alloc(256 * UUID_BYTES)
const text = Buffer.from('00000000-0000-0000-0000-000000000000')
let used = POOL.length

/**
 * A new id: a version 4 UUID, as Dramatiq's, written into bytes and read out as one text. Node's `randomUUID()` joins twenty pieces, which
 * whoever hashes or encodes the id has to copy together: 600 bytes of garbage a message.
 * @see RFC 9562, section 5.4
 */
export function systemId(): string {
  if (used === POOL.length) {
    randomFillSync(POOL)
    used = 0
  }
  POOL[used + 6] = (POOL[used + 6]! & 0x0f) | 0x40 // the version
  POOL[used + 8] = (POOL[used + 8]! & 0x3f) | 0x80 // the variant
  for (let i = 0, at = 0; i < UUID_BYTES; i++) {
    const byte = POOL[used++]!
    text[at++] = HEX[byte >> 4]!
    text[at++] = HEX[byte & 0x0f]!
    if (at === 8 || at === 13 || at === 18 || at === 23) at++ // a dash
  }
  return text.toString('latin1')
}

/** 132 bits of base64: shorter than a UUID and as unlikely to collide. */
const DERIVED_LENGTH = 22

/** The id of a follow-up of a message, by its number or its role: a rerun of the parent makes the same ids, so a broker can tell the copies. */
export const derivedId = (parent: string, n: number | string): string =>
  createHash('sha256').update(`${parent}:${n}`).digest('base64url').slice(0, DERIVED_LENGTH)
