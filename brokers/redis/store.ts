/**
 * The store on Redis: a script a kind of call, whose entries end by TTLs of the server. The server's clock is the only one for them and for
 * limits; that of this process only ends waits.
 */
import { type Clock, systemClock } from '../../lib/clock.ts'
import type { Random } from '../../lib/ids.ts'
import type { Limit, Store } from '../../lib/store.ts'
import { closed } from './errors.ts'
import type { Argument, Link } from './link.ts'
import { storeCalls } from './store-calls.ts'
import { type StoreKeys, storeKeys } from './store-keys.ts'
import { topicReader } from './store-topics.ts'

export interface RedisStoreOptions {
  /** Stays open when the store is closed. */
  readonly link: Link
  readonly namespace: string
  /** What reads wait by. */
  readonly clock: Clock
  readonly random: Random
  /** A call whose answer was lost is made again until so long after it began, ms. @default 5_000 */
  readonly replyTimeoutMs?: number
}

/** The most entries that a topic keeps; the oldest go first. */
const LONGEST_TOPIC = 100_000
const LONGEST_PAGE = 1_000
const PAGE_BYTES = 4 * 1_048_576
/** Three thousand years: what is longer is no time for Redis. */
const LONGEST_MS = 1e14

export function redisStore({ link, namespace, clock, random, replyTimeoutMs = 5_000 }: RedisStoreOptions): Store {
  const ending = new AbortController(),
    over = ending.signal,
    keys: StoreKeys = storeKeys(namespace),
    calls = storeCalls({ link, keys, network: systemClock, random, replyTimeoutMs, over }),
    read = topicReader({ link, keys, calls, clock, over })
  const byKey = { nameOf: ({ key }: { readonly key: string }) => key }
  function mustBeOpen(): void {
    if (over.aborted) throw closed('store')
  }

  return {
    async get(names) {
      mustBeOpen()
      return calls.each(names, { nameOf: name => name }, async ({ entries }) => {
        const found = (await calls.again(() =>
          link.ask('MGET', ...entries.map(name => keys.keyOf('v', name))),
        )) as (Buffer | null)[]
        return found.map(value => value ?? undefined)
      })
    },
    async set(batch) {
      mustBeOpen()
      return calls.each(batch, { ...byKey, bytesOf: ({ value }) => value.length }, async ({ tag, entries }) => {
        const args = entries.flatMap(({ value, ttlMs, if: only }): Argument[] => [
          value,
          lasting(ttlMs),
          only === 'absent' ? 1 : 0,
        ])
        return digits(await calls.once('store-set', tag, named('v', entries), args))
      })
    },
    async drop(batch) {
      mustBeOpen()
      return calls.each(batch, { ...byKey, bytesOf: entry => entry.if?.length ?? 0 }, async ({ tag, entries }) => {
        const args = entries.flatMap(({ if: only }): Argument[] => (only ? [1, only] : [0, '']))
        return digits(await calls.once('store-drop', tag, named('v', entries), args))
      })
    },
    async gather(batch) {
      mustBeOpen()
      return calls.each(batch, { ...byKey, bytesOf: ({ value }) => value?.length ?? 0 }, async ({ entries }) => {
        const args = entries.flatMap(({ member, size, ttlMs, value }): Argument[] => [
          member,
          size,
          lasting(ttlMs),
          value ? Buffer.concat([EQUALS, value]) : '',
        ])
        const counts = (await calls.again(() => link.run('store-gather', named('g', entries), args))) as number[]
        return entries.map((_, at) => ({ count: counts[2 * at]!, closer: counts[2 * at + 1] === 1 }))
      })
    },
    async members(name, cursor) {
      mustBeOpen()
      const [more, ...rest] = (await calls.again(() =>
        link.run('store-members', [keys.keyOf('g', name)], [LONGEST_PAGE, PAGE_BYTES, cursor === undefined ? '-' : `(${cursor}`]),
      )) as [number, ...(Buffer | null)[]]
      const members = Array.from({ length: rest.length / 2 }, (_, at) => {
        const value = rest[2 * at + 1]
        return { member: String(rest[2 * at]), ...(value && { value }) }
      })
      return { members, ...(more === 1 && { cursor: members.at(-1)!.member }) }
    },
    async acquire(batch) {
      mustBeOpen()
      return calls.each(batch, byKey, async ({ tag, entries }) => {
        const args = entries.flatMap(({ ticket, limit }): Argument[] => [ticket, limit.kind, ...termsOf(limit)])
        const waits = await calls.once('store-acquire', tag, named('l', entries), args)
        return waits.split(' ').map(Number)
      })
    },
    async release(batch) {
      mustBeOpen()
      await calls.each(batch, byKey, async ({ tag, entries }) => {
        const tickets = entries.map(({ ticket }) => ticket)
        await calls.once('store-release', tag, named('l', entries), tickets)
        return entries
      })
    },
    async append(batch) {
      mustBeOpen()
      const options = { nameOf: ({ topic }: { readonly topic: string }) => topic, bytesOf: sizeOf }
      await calls.each(batch, options, async ({ tag, entries }) => {
        const topics = [...new Set(entries.map(({ topic }) => topic))],
          places = new Map(topics.map((topic, at) => [topic, at + 2])) // the first key is the token's
        const args = entries.flatMap(({ topic, value, ttlMs }): Argument[] => [places.get(topic)!, lasting(ttlMs), value])
        await calls.once(
          'store-append',
          tag,
          topics.map(topic => keys.keyOf('t', topic)),
          [LONGEST_TOPIC, ...args],
        )
        return entries
      })
    },
    async read(topics, options) {
      mustBeOpen()
      return read(topics, options)
    },
    /** Ends its reads. The connection is the broker's to close. */
    async [Symbol.asyncDispose]() {
      ending.abort()
    },
  }

  function named(word: 'v' | 'g' | 'l', entries: readonly { readonly key: string }[]): string[] {
    return entries.map(({ key }) => keys.keyOf(word, key))
  }
}

const EQUALS = Buffer.from('=')
const sizeOf = ({ value }: { readonly value: Uint8Array }) => value.length
const digits = (answer: string) => [...answer].map(digit => digit === '1')
const lasting = (ttlMs: number) => Math.min(LONGEST_MS, Math.max(1, Math.ceil(ttlMs)))

function termsOf(limit: Limit): readonly [number, number, number | ''] {
  switch (limit.kind) {
    case 'slots':
      return [limit.max, limit.leaseMs, '']
    case 'bucket':
      return [limit.rate, limit.perMs, limit.burst]
    case 'fixed':
    case 'sliding':
      return [limit.limit, limit.windowMs, '']
    default:
      return limit satisfies never
  }
}
