/**
 * Which ids are live in a queue, and where their messages are. Ids are random, so one big tree of them would touch as many pages
 * as a batch has messages (measured: 70 thousand a second instead of 316). Hence slots: new ids go to one slot until it is full, then to
 * an empty one, so that ids that came together stand, and go, together. A look-up asks every slot that is not empty, which only reads.
 */
import type { Ledger } from './ledger.ts'
import type { Key, Place } from './keys.ts'
import { PLACE_AT, indexKey, newKey, placeAt } from './keys.ts'
import type { Queue } from './queue.ts'

/** Big enough to fill some pages, small enough that a batch of ids shares them. */
const SMALLEST_SLOT = 1_024
/** A slot may hold this part of all live ids, so that sixteen are enough for any backlog. */
const SLOT_SHARE = 4

export interface LiveIds {
  /** The slot and the place of a live id. The id is bytes of `ids`. */
  find(queue: Queue, ids: Buffer, start: number, end: number): { readonly slot: number, readonly place: Place } | undefined
  has(queue: Queue, ids: Buffer, start: number, end: number): boolean
  /** The slot for the next new id; counts it in. */
  claim(queue: Queue): number
  /** Says where a message is: the key that its record has just been put under. */
  point(queue: Queue, slot: number, ids: Buffer, start: number, end: number, messageKey: Key): void
  remove(queue: Queue, slot: number, ids: Buffer, start: number, end: number): void
}

export function liveIds({ db }: Ledger): LiveIds {
  const key = newKey()
  // Views of the one buffer that messages' keys are written in, by its owner: made once each.
  const places = new WeakMap<Buffer, readonly [short: Buffer, long: Buffer]>()
  const placeOf = ({ bytes, length }: Key): Buffer => {
    let views = places.get(bytes)
    if (!views) places.set(bytes, views = [bytes.subarray(PLACE_AT, 14), bytes.subarray(PLACE_AT, 22)])
    return views[length === 14 ? 0 : 1]
  }
  const value = (queue: Queue, slot: number, ids: Buffer, start: number, end: number) =>
    queue.slots[slot]! > 0 ? db.getBinaryFast(indexKey(key, queue.no, slot, ids, start, end)) : undefined

  return {
    find(queue, ids, start, end) {
      for (let slot = 0; slot < queue.slots.length; slot++) {
        const found = value(queue, slot, ids, start, end)
        if (found) return { slot, place: placeAt(found, 0) }
      }
      return undefined
    },
    has(queue, ids, start, end) {
      for (let slot = 0; slot < queue.slots.length; slot++) if (value(queue, slot, ids, start, end)) return true
      return false
    },
    claim(queue) {
      const full = Math.max(SMALLEST_SLOT, live(queue) / SLOT_SHARE)
      if (queue.filled >= full) {
        const empty = queue.slots.indexOf(0)
        if (empty >= 0) {
          queue.slot = empty
          queue.filled = 0
        }
      }
      queue.filled++
      queue.slots[queue.slot]!++
      return queue.slot
    },
    point(queue, slot, ids, start, end, messageKey) {
      db.put(indexKey(key, queue.no, slot, ids, start, end), placeOf(messageKey))
    },
    remove(queue, slot, ids, start, end) {
      db.remove(indexKey(key, queue.no, slot, ids, start, end))
      queue.slots[slot]!--
    },
  }
}

const live = ({ slots }: Queue): number => {
  let sum = 0
  for (const count of slots) sum += count
  return sum
}
