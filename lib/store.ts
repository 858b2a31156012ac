/**
 * The seam for small shared state: results, limits, dedupe keys, groups, topics. Every call is a batch (the core coalesces
 * the calls of one tick) and every entry has a TTL, so that nothing grows without bound.
 */

/** At most `max` holders at once. A holder that does not come back gives its place up after `leaseMs`. */
export interface Slots {
  readonly kind: 'slots'
  readonly max: number
  readonly leaseMs: number
}
/** `rate` a `perMs` on average, `burst` at once after a pause. */
export interface Bucket {
  readonly kind: 'bucket'
  readonly rate: number
  readonly perMs: number
  readonly burst: number
}
/** At most `limit` in each window; windows begin at multiples of `windowMs`. */
export interface FixedWindow {
  readonly kind: 'fixed'
  readonly limit: number
  readonly windowMs: number
}
/** At most `limit` in any stretch of `windowMs`. */
export interface SlidingWindow {
  readonly kind: 'sliding'
  readonly limit: number
  readonly windowMs: number
}
/** What `acquire()` counts against. */
export type Limit = Slots | Bucket | FixedWindow | SlidingWindow

/** A value to set. It ends `ttlMs` after it was set, in ms. */
export interface StoreEntry {
  readonly key: string
  readonly value: Uint8Array
  readonly ttlMs: number
  /** Only if there is no such key. */
  readonly if?: 'absent'
}
/** A member that joins a set. The set ends `ttlMs` after the last one came, in ms. */
export interface GatherEntry {
  readonly key: string
  /** Counted once, however often it comes. */
  readonly member: string
  readonly value?: Uint8Array
  /** How many members make the set full. */
  readonly size: number
  readonly ttlMs: number
}
/** What a set answers to a member that came. */
export interface Gathered {
  /** Members that are there, this one included. */
  readonly count: number
  /** True for the member whose first arrival filled the set, and for that member again each time it comes; for no other. */
  readonly closer: boolean
}
/** One value of a topic, and where to read on after it. */
export interface TopicEntry {
  readonly cursor: string
  readonly value: Uint8Array
}

/** Small shared state for middleware: values, sets that close once, limits, topics. Its rules are tests in `greenroom/conformance`. */
export interface Store extends AsyncDisposable {
  /** The values of the keys, in order; undefined for what is not there or has ended. */
  get(keys: readonly string[]): Promise<readonly (Uint8Array | undefined)[]>
  /** True where it was set. */
  set(entries: readonly StoreEntry[]): Promise<readonly boolean[]>
  /** Deletes, with `value` only if it is that. True where something was deleted. */
  drop(entries: readonly { readonly key: string; readonly if?: Uint8Array }[]): Promise<readonly boolean[]>
  /** Adds members to sets that close once. Later calls renew the TTL. */
  gather(entries: readonly GatherEntry[]): Promise<readonly Gathered[]>
  /** The members of a set, in the order of their names, in pages of at most 1,000. */
  members(
    key: string,
    cursor?: string,
  ): Promise<{ readonly members: readonly { readonly member: string; readonly value?: Uint8Array }[]; readonly cursor?: string }>
  /**
   * 0: go on. Otherwise milliseconds, at least 1, until this ticket's turn. The ticket keeps its place: asking again is how to come back.
   * A slot that is held is renewed by asking again.
   */
  acquire(
    entries: readonly { readonly key: string; readonly ticket: string; readonly limit: Limit }[],
  ): Promise<readonly number[]>
  /** Gives slots back; for the other kinds it gives up a place that is still reserved for later. */
  release(entries: readonly { readonly key: string; readonly ticket: string }[]): Promise<void>
  /** Adds to the ends of topics. */
  append(entries: readonly { readonly topic: string; readonly value: Uint8Array; readonly ttlMs: number }[]): Promise<void>
  /**
   * What came after `after` (left out: from the oldest that is kept) in each topic, in order, at most 1,000 a topic. Waits up to
   * `waitMs` for a first one in any of them; what came before the call counts. Woken, not polled, where the adapter can.
   */
  read(
    topics: readonly { readonly topic: string; readonly after?: string }[],
    options: { readonly waitMs: number; readonly signal?: AbortSignal },
  ): Promise<readonly (readonly TopicEntry[])[]>
}
