/** What the rules of stores work with. */
import assert from 'node:assert/strict'
import type { Limit, Store, StoreEntry, TopicEntry } from '../../lib/store.ts'
import { bytes } from './bench.ts'
import type { Need, Surroundings } from './rules.ts'
import { within } from './within.ts'

/** A store that is to be tested. */
export interface StoreTarget {
  /** A store, opened for this test: on a clock that `advance` moves. Without a namespace: always the same one. */
  open(namespace?: string): Promise<Store>
  /** Moves the store's clock. */
  advance(ms: number): Promise<void>
  /** Whether two open() with the same namespace see the same entries. */
  readonly shared: boolean
  /** The furthest that `advance` can go in a test, ms. @default no limit */
  readonly furthestMs?: number
  /** Whether `advance` moves to the millisecond. @default true */
  readonly exact?: boolean
}

/** Long enough for what a rule does in between. */
export const TTL_MS = 60_000

/** What a rule of stores is given. */
export interface StoreBench {
  readonly target: StoreTarget
  readonly store: Store
  /** From 0 to below 1; that of `RunOptions`, else the system's. */
  readonly random: () => number
  /** A name that nobody else uses. */
  name(label: string): string
  /** The same store once more, or one of another namespace; disposed at the end of the rule. */
  open(namespace?: string): Promise<Store>
  /** Something that should happen at once. */
  soon<T>(promise: Promise<T>, what?: string): Promise<T>
  /** Sets, and asserts that all were set. */
  set(...entries: readonly (Pick<StoreEntry, 'key'> & Partial<StoreEntry>)[]): Promise<void>
  /** The values as texts. */
  texts(...keys: readonly string[]): Promise<readonly (string | undefined)[]>
  /** One ticket asks one limit. */
  ask(key: string, ticket: string, limit: Limit): Promise<number>
  /** Gives one ticket's slot or place back. */
  release(key: string, ticket: string): Promise<void>
  /** Appends texts to a topic. */
  append(topic: string, ...texts: readonly string[]): Promise<void>
  /** What a read without a wait finds in one topic. */
  read(topic: string, after?: string): Promise<readonly TopicEntry[]>
}

export const text = (value: Uint8Array | undefined) => value && Buffer.from(value).toString()
export const textsOf = (entries: readonly TopicEntry[]) => entries.map(({ value }) => text(value))

export async function makeStoreBench(
  target: StoreTarget,
  { patienceMs, newId, random, clock }: Surroundings,
): Promise<StoreBench & AsyncDisposable> {
  const opened: Store[] = []
  const soon = <T>(promise: Promise<T>, what = 'the store did not answer') => within(clock, patienceMs, promise, what)
  async function open(namespace?: string): Promise<Store> {
    const store = await soon(target.open(namespace), 'the store was not opened')
    opened.push(store)
    return store
  }
  const store = await open()
  return {
    target,
    store,
    random,
    open,
    soon,
    name: label => `${label}-${newId().slice(-12)}`,
    async set(...entries) {
      const set = await soon(store.set(entries.map(entry => ({ value: bytes(entry.key), ttlMs: TTL_MS, ...entry }))))
      assert.deepEqual(
        [...set],
        entries.map(() => true),
      )
    },
    texts: async (...keys) => (await soon(store.get(keys))).map(text),
    async ask(key, ticket, limit) {
      const [waitMs] = await soon(store.acquire([{ key, ticket, limit }]))
      assert.ok(waitMs === 0 || waitMs! >= 1, `a wait of ${waitMs} ms`)
      return waitMs!
    },
    release: async (key, ticket) => soon(store.release([{ key, ticket }])),
    append: async (topic, ...texts) => soon(store.append(texts.map(value => ({ topic, value: bytes(value), ttlMs: TTL_MS })))),
    async read(topic, after) {
      const [entries] = await soon(store.read([{ topic, ...(after !== undefined && { after }) }], { waitMs: 0 }))
      return entries!
    },
    async [Symbol.asyncDispose]() {
      for (const one of opened) await soon(Promise.resolve(one[Symbol.asyncDispose]()), 'closing did not end')
    },
  }
}

/** Which needs of a rule a target does not meet. */
export async function missingInStore(target: StoreTarget, needs: readonly Need[]): Promise<readonly Need[]> {
  const has: Partial<Record<Need, boolean>> = {
    shared: target.shared,
    exactClock: target.exact ?? true,
    farClock: (target.furthestMs ?? Infinity) >= 86_400_000,
  }
  return needs.filter(need => !has[need])
}
