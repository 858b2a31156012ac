/**
 * The keys of the folder: a letter, then big-endian numbers, so that "next ready" and "next due" are the first of a range.
 *
 *   M queue area seq            a message, where its area says: ready in a band, given back to the head of a band, held, suspect, dead
 *   M queue DELAYED due seq     a delayed one
 *   I queue slot id             the index of live ids: holds the area and what follows of the message's key
 *   Q queue                     the counters of a queue          N namespace NUL queue name   its number
 *   C consumer                  a lease and what it covers       E engine                     a process on this folder
 *   W queue engine              an idle engine to wake           V topic NUL engine           the same for a topic
 *   G                           what there is one of             X expiry number              what to sweep then: a key
 *   O S A T L                   once keys, store values, sets, members (T), topics, entries of topics: see shelf.ts
 */

/** A key being written: its bytes are used again for the next one, so that a put or a get allocates nothing. */
export interface Key {
  readonly bytes: Buffer
  length: number
}
export type AnyKey = Key | Uint8Array

/** LMDB's own limit is 1,978; ids are at most 200 and names 128 by Greenroom's own rules, store keys are hashed past 400. */
const LONGEST_KEY = 1_024
export const newKey = (): Key => ({ bytes: Buffer.alloc(LONGEST_KEY), length: 0 })

/** What lmdb calls to write a key into its own buffer. A loop, as most keys are 14 to 30 bytes and `set()` needs a view first. */
export const keyEncoder = {
  writeKey(key: AnyKey, target: Uint8Array, start: number): number {
    const source = key instanceof Uint8Array ? key : key.bytes,
      length = key.length
    for (let i = 0; i < length; i++) target[start + i] = source[i]!
    return start + length
  },
  readKey: (source: Uint8Array, start: number, end: number): Buffer =>
    Buffer.from(Uint8Array.prototype.slice.call(source, start, end)),
}

/** Where a message can be. A band's log is taken in place: `head` passes over a message, whose key stays until it is settled. */
export const AREA = { log: 0, back: 3, held: 6, suspect: 7, delayed: 8, dead: 9 } as const

export interface Place {
  readonly area: number
  readonly a: number
  readonly b: number
}

const HIGH = 2 ** 32
export function writeNumber(bytes: Buffer, n: number, at: number): void {
  bytes.writeUInt32BE(Math.floor(n / HIGH), at)
  bytes.writeUInt32BE(n % HIGH, at + 4)
}
export const readNumber = (bytes: Uint8Array, at: number): number => uint32(bytes, at) * HIGH + uint32(bytes, at + 4)
const uint32 = (bytes: Uint8Array, at: number): number =>
  bytes[at]! * 0x1000000 + ((bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!)

const code = (letter: string): number => letter.charCodeAt(0)
const MESSAGE = code('M'),
  INDEX = code('I')
/** Where the area begins in the key of a message. */
export const PLACE_AT = 5

export function messageKey(key: Key, queue: number, area: number, a: number, b = 0): Key {
  const { bytes } = key
  bytes[0] = MESSAGE
  bytes.writeUInt32BE(queue, 1)
  bytes[PLACE_AT] = area
  writeNumber(bytes, a, 6)
  key.length = 14
  if (area === AREA.delayed) {
    writeNumber(bytes, b, 14)
    key.length = 22
  }
  return key
}

/** The place that a message's key, or an entry of the index, speaks of. */
export const placeAt = (bytes: Uint8Array, at: number): Place => ({
  area: bytes[at]!,
  a: readNumber(bytes, at + 1),
  b: bytes[at] === AREA.delayed ? readNumber(bytes, at + 9) : 0,
})

const DASHES = [8, 13, 18, 23],
  UUID_LENGTH = 36
const hex = new Int8Array(256).fill(-1)
for (let i = 0; i < 16; i++) hex[code(i.toString(16))] = i

/** Where the slot, and the id, begin in a key of the index. */
export const SLOT_AT = 5,
  ID_AT = 6

/** The index key of an id. A lower-case UUID is kept as its 16 bytes behind a 0, which no id begins with: half the index, and nothing is lost. */
export function indexKey(key: Key, queue: number, slot: number, ids: Buffer, start: number, end: number): Key {
  const { bytes } = key
  bytes[0] = INDEX
  bytes.writeUInt32BE(queue, 1)
  bytes[SLOT_AT] = slot
  key.length = packUuid(bytes, ID_AT, ids, start, end) ?? ID_AT + ids.copy(bytes, ID_AT, start, end)
  return key
}

function packUuid(target: Buffer, at: number, ids: Buffer, start: number, end: number): number | undefined {
  if (end - start !== UUID_LENGTH) return undefined
  for (const dash of DASHES) if (ids[start + dash] !== 0x2d) return undefined
  target[at] = 0
  let out = at + 1
  for (let i = start; i < end; i++) {
    if (ids[i] === 0x2d) continue
    const high = hex[ids[i]!]!,
      low = hex[ids[++i]!]!
    if (high < 0 || low < 0) return undefined
    target[out++] = (high << 4) | low
  }
  return out === at + 17 ? out : undefined
}

/** Keys that are not on the hot path: a letter, numbers as 8 bytes, texts as they are. */
export function keyOf(letter: string, ...parts: readonly (number | string | Uint8Array)[]): Buffer {
  return Buffer.concat([
    Buffer.from(letter),
    ...parts.map(part => {
      if (typeof part === 'string') return Buffer.from(part)
      if (typeof part !== 'number') return part
      const bytes = Buffer.alloc(8)
      writeNumber(bytes, part, 0)
      return bytes
    }),
  ])
}

/** The first key after all that begin with this one. */
export function after(prefix: Uint8Array): Buffer {
  const end = Buffer.from(prefix)
  for (let i = end.length - 1; i >= 0; i--) {
    if (end[i]! < 0xff) {
      end[i] = end[i]! + 1
      return end.subarray(0, i + 1)
    }
  }
  throw new Error('a key of nothing but 0xff has no end')
}
