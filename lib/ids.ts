/** Ids and randomness: the only file that asks for either, so that a test or a simulator can give its own. */
import { createHash, randomFillSync } from 'node:crypto'
import { systemClock } from './clock.ts'

/** A source of numbers in [0, 1). */
export type Random = () => number
export const systemRandom: Random = () => Math.random()

const HEX = Uint8Array.from('0123456789abcdef', digit => digit.charCodeAt(0))
/** What is random in an id, and how much of it the system is asked for at a time. */
const RANDOM_BYTES = 10
const POOL = Buffer.alloc(512 * RANDOM_BYTES)
const text = Buffer.from('00000000-0000-7000-8000-000000000000')
let used = POOL.length,
  writtenMs = -1

/**
 * A new id: a version 7 UUID. It begins with the time, so that the ids of a backlog stand together in an index, and a batch of them touches a
 * few of its pages; random ones touch a page each, which made a send beside a million messages four times as dear.
 * Written into bytes and read out as one text: Node's `randomUUID()` joins twenty pieces, which whoever hashes or encodes them copies together.
 * @see RFC 9562, section 5.7
 */
export function systemId(): string {
  const now = systemClock.now()
  if (now !== writtenMs) writeTime(now)
  if (used === POOL.length) {
    randomFillSync(POOL)
    used = 0
  }
  hex(14, 0x70 | (POOL[used]! & 0x0f))
  hex(16, POOL[used + 1]!)
  hex(19, 0x80 | (POOL[used + 2]! & 0x3f))
  hex(21, POOL[used + 3]!)
  for (let i = 4; i < RANDOM_BYTES; i++) hex(16 + 2 * i, POOL[used + i]!)
  used += RANDOM_BYTES
  return text.toString('latin1')
}

function hex(at: number, byte: number): void {
  text[at] = HEX[byte >> 4]!
  text[at + 1] = HEX[byte & 0x0f]!
}

/** 48 bits, milliseconds since 1970: `tttttttt-tttt-`. */
function writeTime(now: number): void {
  const high = Math.floor(now / 2 ** 16),
    low = now % 2 ** 16
  hex(0, high >>> 24)
  hex(2, (high >>> 16) & 0xff)
  hex(4, (high >>> 8) & 0xff)
  hex(6, high & 0xff)
  hex(9, low >>> 8)
  hex(11, low & 0xff)
  writtenMs = now
}

/** 132 bits of base64: shorter than a UUID and as unlikely to collide. */
const DERIVED_LENGTH = 22

/** The id of a follow-up of a message, by its number or its role: a rerun of the parent makes the same ids, so a broker can tell the copies. */
export const derivedId = (parent: string, n: number | string): string =>
  createHash('sha256').update(`${parent}:${n}`).digest('base64url').slice(0, DERIVED_LENGTH)
