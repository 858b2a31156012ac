/** A store in this process's memory: maps whose entries end, and the limits of lib/limits.ts. */
import type { BrokerServices } from '../../lib/broker.ts'
import { systemClock } from '../../lib/clock.ts'
import { GreenroomError } from '../../lib/errors.ts'
import { acquire, release } from '../../lib/limits.ts'
import type { LimitState } from '../../lib/limits.ts'
import type { Gathered, GatherEntry, Store } from '../../lib/store.ts'
import { expiring } from './expiring.ts'
import { topics } from './topics.ts'

/** `clock`: what entries end by. @default the machine's */
export type MemoryStoreOptions = Partial<Pick<BrokerServices, 'clock'>>

/** A set of members that closes once. */
interface Gathering {
  readonly members: Map<string, Uint8Array | undefined>
  closer: string | undefined
  /** The names in order, for pages; made when first asked for, dropped when a member comes. */
  sorted: string[] | undefined
}

/** Entries that ended and leave memory, a call and a kind: more than a call can add, so that memory follows what is alive. */
const SWEPT_A_CALL = 64
const LONGEST_PAGE = 1_000

/** A store whose entries live and end in this process. */
export function memoryStore({ clock = systemClock }: MemoryStoreOptions = {}): Store {
  const values = expiring<Uint8Array>(),
    sets = expiring<Gathering>(),
    limits = expiring<LimitState>()
  const { append, read, close } = topics(clock)
  let closed = false

  /** The time of a call: begins each, so that each sweeps its share. */
  function now(batch = 1): number {
    if (closed)
      throw new GreenroomError('APP_CLOSED', 'The memory store was closed', {
        help: 'What it kept is gone; make a new one with memoryStore()',
        stored: 'no',
      })
    const time = clock.now()
    for (const kind of [values, sets, limits]) kind.sweep(time, SWEPT_A_CALL + batch)
    return time
  }

  function gatherOne({ key, member, value, size, ttlMs }: GatherEntry, time: number): Gathered {
    const set = sets.get(key, time) ?? { members: new Map(), closer: undefined, sorted: undefined }
    if (!set.members.has(member)) {
      set.sorted = undefined
      set.members.set(member, value)
      if (set.members.size >= size) set.closer ??= member
    } else if (value !== undefined) {
      set.members.set(member, value)
    }
    sets.set(key, set, time + ttlMs)
    return { count: set.members.size, closer: set.closer === member }
  }

  return {
    async get(keys) {
      const time = now()
      return keys.map(key => values.get(key, time))
    },
    async set(entries) {
      const time = now(entries.length)
      return entries.map(({ key, value, ttlMs, if: condition }) => {
        if (condition === 'absent' && values.get(key, time)) return false
        values.set(key, value, time + ttlMs)
        return true
      })
    },
    async drop(entries) {
      const time = now()
      return entries.map(({ key, if: expected }) => {
        const found = values.get(key, time)
        if (!found || (expected && !isSame(found, expected))) return false
        values.delete(key)
        return true
      })
    },
    async gather(entries) {
      const time = now(entries.length)
      return entries.map(entry => gatherOne(entry, time))
    },
    async members(key, cursor) {
      const set = sets.get(key, now())
      if (!set) return { members: [] }
      set.sorted ??= [...set.members.keys()].sort()
      const start = cursor === undefined ? 0 : firstAfter(set.sorted, cursor),
        names = set.sorted.slice(start, start + LONGEST_PAGE)
      const members = names.map(member => {
        const value = set.members.get(member)
        return { member, ...(value && { value }) }
      })
      return { members, ...(start + LONGEST_PAGE < set.sorted.length && { cursor: names.at(-1)! }) }
    },
    async acquire(entries) {
      const time = now(entries.length)
      return entries.map(({ key, ticket, limit }) => {
        const { state, waitMs, keepMs } = acquire(limits.get(key, time), ticket, limit, time)
        limits.set(key, state, time + keepMs)
        return waitMs
      })
    },
    async release(entries) {
      const time = now()
      for (const { key, ticket } of entries) {
        const state = limits.get(key, time)
        if (state && !release(state, ticket, time)) limits.delete(key)
      }
    },
    async append(entries) {
      now()
      await append(entries)
    },
    async read(asked, options) {
      now()
      return read(asked, options)
    },
    async [Symbol.asyncDispose]() {
      closed = true
      close()
    },
  }
}

const isSame = (a: Uint8Array, b: Uint8Array) => a.length === b.length && a.every((byte, at) => byte === b[at])

/** Where the first name above `cursor` is. */
function firstAfter(names: readonly string[], cursor: string): number {
  let low = 0,
    high = names.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (names[middle]! <= cursor) low = middle + 1
    else high = middle
  }
  return low
}
