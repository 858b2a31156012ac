/** Stores that are wrong in one way each: what the rules of stores must notice. */
import type { Limit, Store } from '../../lib/store.ts'

const storing =
  (change: (store: Store) => Partial<Store>) =>
  (store: Store): Store => ({ ...store, ...change(store) })
const FOREVER_MS = 1e13
const wider = (limit: Limit): Limit =>
  limit.kind === 'slots'
    ? { ...limit, max: limit.max + 1 }
    : limit.kind === 'bucket'
      ? { ...limit, burst: limit.burst + 1 }
      : { ...limit, limit: limit.limit + 1 }
const limiting = (change: (limit: Limit) => Limit) =>
  storing(inner => ({ acquire: entries => inner.acquire(entries.map(entry => ({ ...entry, limit: change(entry.limit) }))) }))
const only = (kind: Limit['kind']) => (limit: Limit) => (limit.kind === kind ? wider(limit) : limit)

export const storeMutants: readonly (readonly [mutant: string, disguise: (store: Store) => Store])[] = [
  [
    'a TTL never ends',
    storing(inner => ({ set: entries => inner.set(entries.map(entry => ({ ...entry, ttlMs: FOREVER_MS }))) })),
  ],
  [
    'a TTL ends one tick early',
    storing(inner => ({ set: entries => inner.set(entries.map(entry => ({ ...entry, ttlMs: entry.ttlMs - 1 }))) })),
  ],
  [
    'if absent is ignored',
    storing(inner => ({ set: entries => inner.set(entries.map(({ key, value, ttlMs }) => ({ key, value, ttlMs }))) })),
  ],
  [
    'the condition of a drop is ignored',
    storing(inner => ({ drop: entries => inner.drop(entries.map(({ key }) => ({ key }))) })),
  ],
  ['one slot too many', limiting(only('slots'))],
  ['a bucket lets one too many through', limiting(only('bucket'))],
  ['a fixed window lets one too many through', limiting(only('fixed'))],
  ['a sliding window lets one too many through', limiting(only('sliding'))],
  ['a sliding window is a fixed one', limiting(limit => (limit.kind === 'sliding' ? { ...limit, kind: 'fixed' } : limit))],
  ['a slot is never given back', storing(() => ({ async release() {} }))],
  [
    'a slot of one who is gone is never free',
    limiting(limit => (limit.kind === 'slots' ? { ...limit, leaseMs: FOREVER_MS } : limit)),
  ],
  [
    'a ticket does not keep its place',
    storing(inner => {
      let asked = 0
      return {
        acquire: entries =>
          inner.acquire(
            entries.map(entry => (entry.limit.kind === 'slots' ? entry : { ...entry, ticket: `${entry.ticket}-${++asked}` })),
          ),
      }
    }),
  ],
  [
    'a ticket is told to come one tick early',
    storing(inner => ({
      acquire: async entries => (await inner.acquire(entries)).map(waitMs => (waitMs > 1 ? waitMs - 1 : waitMs)),
    })),
  ],
  [
    'two members are the closer',
    storing(inner => ({
      gather: async entries =>
        (await inner.gather(entries)).map(({ count, closer }, at) => ({ count, closer: closer || count === entries[at]!.size })),
    })),
  ],
  [
    'the rerun of the closer is not',
    storing(inner => {
      const closed = new Set<string>()
      return {
        gather: async entries =>
          (await inner.gather(entries)).map(({ count, closer }, at) => {
            const { key: set } = entries[at]!,
              isFirst = closer && !closed.has(set)
            if (closer) closed.add(set)
            return { count, closer: isFirst }
          }),
      }
    }),
  ],
  [
    'a set does not renew its TTL',
    storing(inner => {
      const known = new Set<string>()
      return {
        gather: entries =>
          inner.gather(
            entries.map(entry => {
              const isKnown = known.has(entry.key)
              known.add(entry.key)
              return isKnown ? { ...entry, ttlMs: 1_500 } : entry
            }),
          ),
      }
    }),
  ],
  [
    'a page of members is the only one',
    storing(inner => ({ members: async key => ({ members: (await inner.members(key)).members }) })),
  ],
  [
    'a read misses what came before it',
    storing(inner => ({
      async read(topics, options) {
        if (options.waitMs === 0) return inner.read(topics, options)
        const before = await inner.read(topics, { waitMs: 0 })
        return inner.read(
          topics.map((topic, at) => ({ ...topic, ...(before[at]!.length > 0 && { after: before[at]!.at(-1)!.cursor }) })),
          options,
        )
      },
    })),
  ],
  [
    'a read ignores its cursor',
    storing(inner => ({
      read: (topics, options) =>
        inner.read(
          topics.map(({ topic }) => ({ topic })),
          options,
        ),
    })),
  ],
  [
    'an append wakes nobody',
    storing(inner => ({
      async read(topics, options) {
        const found = await inner.read(topics, { waitMs: 0 })
        if (options.waitMs > 0 && found.every(({ length }) => length === 0))
          await new Promise(resolve => {
            options.signal?.addEventListener('abort', resolve)
          })
        return found
      },
    })),
  ],
  ['an aborted read waits on', storing(inner => ({ read: (topics, { waitMs }) => inner.read(topics, { waitMs }) }))],
  [
    'an entry of a topic never ends',
    storing(inner => ({ append: entries => inner.append(entries.map(entry => ({ ...entry, ttlMs: FOREVER_MS }))) })),
  ],
]
