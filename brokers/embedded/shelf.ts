/**
 * The engine's side of the store, inside a transaction. Every row begins with when it expires, and has one row in `X` by which it is
 * found then; renewing a row leaves that one where it is, and the sweeper moves it.
 *
 *   S value   A set: generation, count, its closer   T member of a generation   L limit: its state as JSON   B entry of a topic   O once key
 */
import { acquire, release } from '../../lib/limits.ts'
import type { LimitState } from '../../lib/limits.ts'
import type { Gathered, TopicEntry } from '../../lib/store.ts'
import { copied } from './database.ts'
import { after, keyOf, readNumber } from './keys.ts'
import type { Ledger } from './ledger.ts'
import type { Answer, Input } from './protocol.ts'

const PAGE = 1_000
/** Longer keys are cut and closed by their digest. */
const LONGEST = 400

export interface Shelf {
  get(keys: readonly string[]): Answer<'get'>
  set(entries: Input<'set'>['entries']): boolean[]
  unset(entries: Input<'unset'>['entries']): boolean[]
  gather(entries: Input<'gather'>['entries']): Gathered[]
  members(key: string, cursor: string | undefined): Answer<'members'>
  acquire(entries: Input<'acquire'>['entries']): number[]
  giveUp(entries: Input<'giveUp'>['entries']): void
  /** Answers the topics that got something. */
  append(entries: Input<'append'>['entries']): readonly string[]
  read(topics: Input<'read'>['topics']): TopicEntry[][]
  /** The engines that wait for a topic. */
  waiting(topic: string): number[]
  wait(topic: string, engine: number): void
  unwait(topic: string, engine: number): void
}

export interface Expiring {
  /** A row that lives, without its expiry. */
  alive(key: Buffer): Buffer | undefined
  write(key: Buffer, value: Uint8Array, ttlMs: number): void
  erase(key: Buffer): boolean
  /** Deletes at most so many rows that have expired; true when there may be more. */
  sweep(most: number): boolean
  /** Whether something has expired. */
  due(): boolean
}

const EXPIRY = 8,
  X = keyOf('X'),
  GENERATION = 16

export function expiring(book: Ledger): Expiring {
  const { db } = book
  const weigh = (bytes: number) => {
    book.totals.bytes += bytes
    book.changed()
  }
  const atExpiry = (expiry: number) => keyOf('X', Math.max(0, Math.ceil(expiry)), book.nextNumber())

  const self: Expiring = {
    alive(key) {
      const value = db.getBinaryFast(key)
      if (!value || value.readDoubleLE(0) <= book.now) return undefined
      return copied(value).subarray(EXPIRY)
    },
    write(key, value, ttlMs) {
      const row = Buffer.allocUnsafe(EXPIRY + value.length),
        expiry = book.now + ttlMs,
        before = db.getBinaryFast(key)
      row.writeDoubleLE(expiry, 0)
      row.set(value, EXPIRY)
      weigh(row.length - (before?.length ?? 0))
      if (!before) db.put(atExpiry(expiry), key)
      db.put(key, row)
    },
    erase(key) {
      const before = db.getBinaryFast(key)
      if (!before) return false
      const { length } = before,
        lives = before.readDoubleLE(0) > book.now
      weigh(-length)
      db.remove(key)
      return lives
    },
    sweep(most) {
      const due = [...db.getRange({ start: X, end: keyOf('X', book.now + 1), limit: most })]
      for (const { key, value: target } of due) {
        const value = db.getBinary(target),
          expiry = value?.readDoubleLE(0) ?? 0
        if (expiry > book.now) db.put(atExpiry(expiry), target)
        else if (value) {
          // A set goes when its members have gone, some in each round.
          if (target[0] === 0x41 && !dropMembers(readGeneration(value.subarray(EXPIRY)), most)) continue
          weigh(-value.length)
          db.remove(target)
        }
        db.remove(key)
      }
      return due.length === most
    },
    due: () => [...db.getKeys({ start: X, end: keyOf('X', book.now + 1), limit: 1 })].length > 0,
  }
  return self

  function dropMembers(generation: number, most: number): boolean {
    const prefix = keyOf('T', generation),
      found = [...db.getKeys({ start: prefix, end: after(prefix), limit: most })]
    for (const key of found) self.erase(key)
    return found.length < most
  }
}

const readGeneration = (set: Buffer): number => set.readDoubleLE(0)

export function shelf(book: Ledger, rows: Expiring, namespace: string, digest: (text: string) => string): Shelf {
  const { db } = book
  const named = (letter: string, name: string, ...rest: readonly (number | string)[]) =>
    keyOf(letter, `${namespace}\0`, name.length > LONGEST ? `${name.slice(0, LONGEST)}#${digest(name)}` : name, ...rest)

  return {
    get: keys => keys.map(key => rows.alive(named('S', key))),
    set: entries =>
      entries.map(({ key, value, ttlMs, if: only }) => {
        const at = named('S', key)
        if (only === 'absent' && rows.alive(at)) return false
        rows.write(at, value, ttlMs)
        return true
      }),
    unset: entries =>
      entries.map(({ key, if: only }) => {
        const at = named('S', key)
        if (only !== undefined && !rows.alive(at)?.equals(only)) return false
        return rows.erase(at)
      }),
    gather: entries =>
      entries.map(({ key, member, value, size, ttlMs }) => {
        const at = named('A', key),
          set = rows.alive(at)
        const generation = set ? readGeneration(set) : startSet(at)
        let count = set?.readDoubleLE(EXPIRY) ?? 0,
          closer = set?.toString('utf8', GENERATION) ?? ''
        const memberKey = keyOf('T', generation, member)
        if (!db.getBinaryFast(memberKey)) {
          putMember(memberKey, value)
          if (++count === size) closer = member
        }
        const row = Buffer.concat([Buffer.alloc(GENERATION), Buffer.from(closer)])
        row.writeDoubleLE(generation, 0)
        row.writeDoubleLE(count, EXPIRY)
        rows.write(at, row, ttlMs)
        return { count, closer: closer === member }
      }),
    members(key, cursor) {
      const set = rows.alive(named('A', key))
      if (!set) return { members: [] }
      const prefix = keyOf('T', readGeneration(set)),
        start = cursor === undefined ? prefix : keyOf('T', readGeneration(set), cursor, '\0')
      const found = [...db.getRange({ start, end: after(prefix), limit: PAGE + 1 })].map(({ key: at, value }) => ({
        member: at.toString('utf8', prefix.length),
        ...(value[EXPIRY] === 1 && { value: new Uint8Array(value.subarray(EXPIRY + 1)) }),
      }))
      return found.length <= PAGE ? { members: found } : { members: found.slice(0, PAGE), cursor: found[PAGE - 1]!.member }
    },
    acquire: entries =>
      entries.map(({ key, ticket, limit }) => {
        const at = named('L', key),
          { state, waitMs, keepMs } = acquire(stateAt(at), ticket, limit, book.now)
        rows.write(at, Buffer.from(JSON.stringify(state)), keepMs)
        return waitMs
      }),
    giveUp(entries) {
      for (const { key, ticket } of entries) {
        const at = named('L', key),
          found = db.getBinary(at),
          state = found && stateAt(at)
        if (!state) continue
        const left = release(state, ticket, book.now)
        if (left) rows.write(at, Buffer.from(JSON.stringify(left)), found.readDoubleLE(0) - book.now)
        else rows.erase(at)
      }
    },
    append(entries) {
      for (const { topic, value, ttlMs } of entries) rows.write(named('B', topic, '\0', book.nextNumber()), value, ttlMs)
      return [...new Set(entries.map(({ topic }) => topic))]
    },
    read: topics =>
      topics.map(({ topic, after: behind }) => {
        const prefix = named('B', topic, '\0'),
          start = behind === undefined ? prefix : named('B', topic, '\0', Number(behind) + 1),
          found: TopicEntry[] = []
        for (const { key, value } of db.getRange({ start, end: after(prefix) })) {
          if (value.readDoubleLE(0) <= book.now) continue
          found.push({ cursor: `${readNumber(key, prefix.length)}`, value: new Uint8Array(value.subarray(EXPIRY)) })
          if (found.length === PAGE) break
        }
        return found
      }),
    waiting(topic) {
      const prefix = named('V', topic, '\0')
      return book.totals.waiters === 0
        ? []
        : [...db.getKeys({ start: prefix, end: after(prefix) })].map(key => readNumber(key, prefix.length))
    },
    wait(topic, engine) {
      const at = named('V', topic, '\0', engine)
      if (db.getBinaryFast(at)) return
      db.put(at, Buffer.of(1))
      book.totals.waiters++
      book.changed()
    },
    unwait(topic, engine) {
      const at = named('V', topic, '\0', engine)
      if (!db.getBinaryFast(at)) return
      db.remove(at)
      book.totals.waiters--
      book.changed()
    },
  }

  function stateAt(at: Buffer): LimitState | undefined {
    const row = rows.alive(at)
    return row && (JSON.parse(row.toString()) as LimitState)
  }
  /** A set whose time has passed may still have its row: the sweeper must find its old members by a row of their own. */
  function startSet(at: Buffer): number {
    const old = db.getBinary(at)
    if (old) {
      const generation = readGeneration(old.subarray(EXPIRY))
      db.put(keyOf('A', '\0', generation), old)
      db.put(keyOf('X', 0, book.nextNumber()), keyOf('A', '\0', generation))
    }
    return book.nextNumber()
  }
  /** Members have no expiry of their own: they go with their set. */
  function putMember(key: Buffer, value: Uint8Array | undefined): void {
    const row = Buffer.concat([Buffer.alloc(EXPIRY), Buffer.of(value ? 1 : 0), value ?? new Uint8Array()])
    book.totals.bytes += row.length
    book.changed()
    db.put(key, row)
  }
}
