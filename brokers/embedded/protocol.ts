/** What the event loop asks of the engine thread, and what it hears. Plain data, cloned; bodies in transferred buffers. */
import type { Entry, ListOptions, Place } from '../../lib/broker.ts'
import type { Code } from '../../lib/errors.ts'
import type { Band, Due } from '../../lib/message.ts'
import type { GatherEntry, Limit, StoreEntry, TopicEntry } from '../../lib/store.ts'
import type { DeadLimits } from './messages.ts'

/** What the thread is started with. */
export interface EngineData extends DeadLimits {
  readonly path: string
  readonly sync: 'flush' | 'none'
  readonly maxBytes: number
  /** Shared memory: see standstill.ts. */
  readonly gate: Int32Array
}

export interface PushedBatch {
  /** Names of queues; messages hold an index. */
  readonly queues: readonly string[]
  readonly count: number
  readonly bytes: Uint8Array
}

/** A settlement that is more than "done": the rest go as numbers alone. */
export type Special =
  | { readonly kind: 'done'; readonly then: PushedBatch }
  | { readonly kind: 'retry'; readonly afterMs: number; readonly body?: Uint8Array }
  | { readonly kind: 'release'; readonly afterMs: number }
  | { readonly kind: 'dead'; readonly reason: string; readonly error?: Uint8Array; readonly then?: PushedBatch }

/** Each operation: what it needs, what it answers. */
export interface Operations {
  open: [{ readonly queues: readonly string[] }, void]
  /** One byte a message. */
  push: [PushedBatch, Uint8Array]
  consume: [{ readonly queues: readonly string[]; readonly credit: number; readonly leaseMs: number }, number]
  take: [
    { readonly consumer: number; readonly max: number; readonly waitMs: number; readonly room?: readonly (number | undefined)[] },
    Uint8Array,
  ]
  /** Ends a waiting take of this consumer. */
  cancel: [{ readonly consumer: number }, void]
  settle: [
    { readonly consumer: number; readonly tokens: Float64Array; readonly specials: ReadonlyMap<number, Special> },
    Uint8Array,
  ]
  leave: [{ readonly consumer: number }, void]
  queues: [{}, readonly string[]]
  counts: [
    { readonly queue: string },
    {
      readonly ready: number
      readonly delayed: number
      readonly leased: number
      readonly suspect: number
      readonly dead: number
      readonly oldestMs: number
      readonly paused: boolean
    },
  ]
  list: [
    { readonly queue: string; readonly place: Place } & ListOptions,
    { readonly entries: readonly Entry[]; readonly cursor?: string },
  ]
  find: [{ readonly id: string; readonly queue: string | undefined }, Entry | undefined]
  remove: [{ readonly queue: string; readonly id: string }, 'removed' | 'leased' | 'missing']
  promote: [{ readonly queue: string; readonly id: string }, 'promoted' | 'not delayed' | 'missing']
  reschedule: [
    { readonly queue: string; readonly id: string; readonly due?: Due; readonly priority?: Band },
    'changed' | 'leased' | 'missing',
  ]
  revive: [{ readonly queue: string; readonly ids: readonly string[]; readonly to: string }, number]
  drop: [{ readonly queue: string; readonly ids: readonly string[] }, number]
  purge: [{ readonly queue: string }, number]
  pause: [{ readonly queue: string; readonly paused: boolean }, void]
  get: [{ readonly keys: readonly string[] }, readonly (Uint8Array | undefined)[]]
  set: [{ readonly entries: readonly StoreEntry[] }, readonly boolean[]]
  unset: [{ readonly entries: readonly { readonly key: string; readonly if?: Uint8Array }[] }, readonly boolean[]]
  gather: [{ readonly entries: readonly GatherEntry[] }, readonly { readonly count: number; readonly closer: boolean }[]]
  members: [
    { readonly key: string; readonly cursor: string | undefined },
    { readonly members: readonly { readonly member: string; readonly value?: Uint8Array }[]; readonly cursor?: string },
  ]
  acquire: [
    { readonly entries: readonly { readonly key: string; readonly ticket: string; readonly limit: Limit }[] },
    readonly number[],
  ]
  giveUp: [{ readonly entries: readonly { readonly key: string; readonly ticket: string }[] }, void]
  append: [{ readonly entries: readonly { readonly topic: string; readonly value: Uint8Array; readonly ttlMs: number }[] }, void]
  read: [
    {
      readonly reader: number
      readonly topics: readonly { readonly topic: string; readonly after?: string }[]
      readonly waitMs: number
    },
    readonly (readonly TopicEntry[])[],
  ]
  /** Ends a waiting read. */
  unread: [{ readonly reader: number }, void]
  /** For tests: moves this engine's clock on. */
  advance: [{ readonly ms: number }, void]
  /** For tests: forgets a consumer as if its process had been killed. */
  crash: [{ readonly consumer: number }, void]
  close: [{}, void]
}
export type Op = keyof Operations
export type Input<O extends Op> = Operations[O][0]
export type Answer<O extends Op> = Operations[O][1]

export type Request<O extends Op = Op> = {
  [K in O]: { readonly id: number; readonly namespace: string; readonly op: K; readonly input: Input<K> }
}[O]

/** An error as data: the loop makes a GreenroomError of it. */
export interface Failure {
  readonly code: Code
  readonly what: string
  readonly help: string
  readonly retryable?: boolean
  readonly stored?: 'no' | 'maybe'
  readonly details?: Readonly<Record<string, unknown>>
}

export type Reply = { readonly id: number; readonly value: unknown } | { readonly id: number; readonly failure: Failure }

/** What the thread says: replies of one transaction together, and what nobody asked for. */
export type Said =
  | { readonly kind: 'replies'; readonly replies: readonly Reply[] }
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly failure: Failure }
  | { readonly kind: 'lost'; readonly consumer: number; readonly tokens: readonly number[] }
  | {
      readonly kind: 'log'
      readonly level: 'info' | 'warn' | 'error'
      readonly facts: Readonly<Record<string, unknown>>
      readonly text: string
    }
