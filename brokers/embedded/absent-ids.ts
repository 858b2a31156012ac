/**
 * What this engine knows not to be in a slot of the id index: a Bloom filter a slot, so that of sixteen slots hardly one is asked for a new id.
 * A filter speaks only for the ids that this engine saw go in, so it holds as long as the slot's own count of them says that nobody
 * else added one; otherwise the slot is asked. Forgetting one is always safe.
 */

/** Two bytes an id, three bits of them set: a false alarm in two hundred, which costs one look-up. */
const BITS_AN_ID = 16

/** A slot as the row of its queue has it: how many ids have ever gone in, and how many had when it was last begun. */
export interface SlotCount {
  readonly puts: number
  readonly base: number
}

interface Filter {
  readonly base: number
  puts: number
  readonly bits: Uint32Array
  readonly mask: number
}

export interface AbsentIds {
  /** True: certainly not in there. */
  lacks(queue: number, slot: number, count: SlotCount, hash: number): boolean
  /** An id went in; `count` is from before. `capacity`: how many are expected. */
  add(queue: number, slot: number, count: SlotCount, capacity: number, hash: number): void
  /** A transaction failed: what it put in is not in there. */
  clear(): void
}

export function absentIds(): AbsentIds {
  const queues = new Map<number, (Filter | undefined)[]>()
  return {
    lacks(queue, slot, { puts, base }, hash) {
      const filter = queues.get(queue)?.[slot]
      if (!filter || filter.base !== base || filter.puts !== puts) return false
      const { bits, mask } = filter,
        step = (hash >>> 17) | 1
      for (let i = 0, at = hash; i < 3; i++, at = (at + step) | 0) {
        const bit = at & mask
        if ((bits[bit >>> 5]! & (1 << (bit & 31))) === 0) return true
      }
      return false
    },
    add(queue, slot, { puts, base }, capacity, hash) {
      let filters = queues.get(queue)
      if (!filters) queues.set(queue, (filters = []))
      let filter = filters[slot]
      if (puts === base) filters[slot] = filter = newFilter(base, capacity)
      if (!filter || filter.base !== base || filter.puts !== puts) {
        filters[slot] = undefined
        return
      }
      const { bits, mask } = filter,
        step = (hash >>> 17) | 1
      for (let i = 0, at = hash; i < 3; i++, at = (at + step) | 0) {
        const bit = at & mask
        bits[bit >>> 5] = bits[bit >>> 5]! | (1 << (bit & 31))
      }
      filter.puts++
    },
    clear() {
      queues.clear()
    },
  }
}

function newFilter(base: number, capacity: number): Filter {
  const size = 2 ** Math.ceil(Math.log2(Math.max(64, capacity * BITS_AN_ID)))
  return { base, puts: base, bits: new Uint32Array(size >>> 5), mask: size - 1 }
}

/** FNV-1a with a last mix, over the bytes of an id as the index keeps it. */
export function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d)
  return hash ^ (hash >>> 13)
}
