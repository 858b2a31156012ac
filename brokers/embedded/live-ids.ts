/**
 * Which ids are live in a queue, and where their messages are. Ids are random, so one big tree of them would touch as many pages
 * as a batch has messages (measured: 70 thousand a second instead of 316). Hence slots: new ids go to one slot until it is full, then to
 * an empty one, so that ids that came together stand, and go, together. A look-up asks every slot that is not empty, which only reads.
 * Delayed messages come in one order and fall due in another: each that does would touch two pages of a big slot, when it becomes ready and
 * when it is settled. So it leaves that slot when it falls due, for a small one, where those that are ready now stand together.
 */
import { absentIds, hashOf } from './absent-ids.ts'
import type { Ledger } from './ledger.ts'
import type { Key, Place } from './keys.ts'
import { ID_AT, PLACE_AT, SLOT_AT, indexKey, newKey, placeAt } from './keys.ts'
import type { Queue } from './queue.ts'

/** Big enough to fill some pages, small enough that a batch of ids shares them. */
const SMALLEST_SLOT = 1_024
/** A slot may hold this part of all live ids, so that sixteen are enough for any backlog. */
const SLOT_SHARE = 4

export interface LiveIds {
  /** The slot and the place of a live id. The id is bytes of `ids`. */
  find(queue: Queue, ids: Buffer, start: number, end: number): { readonly slot: number; readonly place: Place } | undefined
  has(queue: Queue, ids: Buffer, start: number, end: number): boolean
  /** The slot for a new id; counts it in. */
  claim(queue: Queue, ids: Buffer, start: number, end: number): number
  /** Says where a message is: the key that its record has just been put under. */
  point(queue: Queue, slot: number, ids: Buffer, start: number, end: number, messageKey: Key): void
  remove(queue: Queue, slot: number, ids: Buffer, start: number, end: number): void
  /** Takes a live id out of a slot that is big. Answers the slot that it counts in now: `point` there, whatever the answer. */
  regroup(queue: Queue, slot: number, ids: Buffer, start: number, end: number): number
}

export function liveIds(book: Ledger): LiveIds {
  const { db } = book,
    key = newKey()
  // Views of the one buffer that messages' keys are written in, by its owner: made once each.
  const places = new WeakMap<Buffer, readonly [short: Buffer, long: Buffer]>()
  const placeOf = ({ bytes, length }: Key): Buffer => {
    let views = places.get(bytes)
    if (!views) places.set(bytes, (views = [bytes.subarray(PLACE_AT, 14), bytes.subarray(PLACE_AT, 22)]))
    return views[length === 14 ? 0 : 1]
  }
  const absent = absentIds()
  book.onAnyAbort(() => absent.clear())
  /** Writes the key of an id as it is in any slot, but for the slot; answers its hash. */
  function prepare(queue: Queue, ids: Buffer, start: number, end: number): number {
    const { bytes, length } = indexKey(key, queue.no, 0, ids, start, end)
    return hashOf(bytes, ID_AT, length)
  }
  function look(queue: Queue, slot: number, hash: number): Buffer | undefined {
    const count = queue.slots[slot]!
    if (count.live === 0 || absent.lacks(queue.no, slot, count, hash)) return undefined
    key.bytes[SLOT_AT] = slot
    return db.getBinaryFast(key)
  }
  const full = (queue: Queue) => Math.max(SMALLEST_SLOT, live(queue) / SLOT_SHARE)

  const self: LiveIds = {
    find(queue, ids, start, end) {
      const hash = prepare(queue, ids, start, end)
      for (let slot = 0; slot < queue.slots.length; slot++) {
        const found = look(queue, slot, hash)
        if (found) return { slot, place: placeAt(found, 0) }
      }
      return undefined
    },
    has(queue, ids, start, end) {
      const hash = prepare(queue, ids, start, end)
      for (let slot = 0; slot < queue.slots.length; slot++) if (look(queue, slot, hash)) return true
      return false
    },
    claim(queue, ids, start, end) {
      let count = queue.slots[queue.slot]!
      if (count.puts - count.base >= full(queue)) {
        const empty = queue.slots.findIndex(({ live: ofSlot }) => ofSlot === 0)
        if (empty >= 0) {
          queue.slot = empty
          count = queue.slots[empty]!
          count.base = count.puts
        }
      }
      absent.add(queue.no, queue.slot, count, full(queue), prepare(queue, ids, start, end))
      count.puts++
      count.live++
      return queue.slot
    },
    point(queue, slot, ids, start, end, messageKey) {
      db.put(indexKey(key, queue.no, slot, ids, start, end), placeOf(messageKey))
    },
    remove(queue, slot, ids, start, end) {
      db.remove(indexKey(key, queue.no, slot, ids, start, end))
      queue.slots[slot]!.live--
    },
    regroup(queue, slot, ids, start, end) {
      const to = smallest(queue),
        { slots } = queue
      if (slots[slot]!.live <= Math.max(SMALLEST_SLOT, slots[to]!.live)) return slot
      self.remove(queue, slot, ids, start, end)
      // No filter has seen it go in, so `puts` makes those of this slot void: a slot so small is quickly asked.
      slots[to]!.puts++
      slots[to]!.live++
      return to
    },
  }
  return self
}

/** Of the slots but that where new ids go, the one with the fewest. */
function smallest({ slots, slot: taken }: Queue): number {
  let found = taken === 0 ? 1 : 0
  for (let slot = 0; slot < slots.length; slot++) if (slot !== taken && slots[slot]!.live < slots[found]!.live) found = slot
  return found
}

const live = ({ slots }: Queue): number => {
  let sum = 0
  for (const slot of slots) sum += slot.live
  return sum
}
