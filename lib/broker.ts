/**
 * The seam between the core and what keeps messages. A broker sees envelopes and never decodes a body, never emits a
 * middleware event, never buries a message by itself, never holds delayed messages in a worker's memory.
 * The published suite (greenroom/conformance) states every rule below as a test; docs/brokers.md is printed from it.
 *
 *   push -> ready (three bands) | delayed        delayed -(due)-> ready
 *   take -> leased      leased -(done)-> gone    leased -(retry, release)-> ready | delayed    leased -(dead)-> dead
 *   leased -(lease lapsed)-> ready, or suspect from the third delivery on
 */
// AsyncDisposable in every program that imports this package, whose `lib` need not name it.
/// <reference lib="esnext.disposable" preserve="true" />
import type { Clock } from './clock.ts'
import type { GreenroomError } from './errors.ts'
import type { Random } from './ids.ts'
import type { Logger } from './log.ts'
import type { Band, Due } from './message.ts'
import type { Store } from './store.ts'

/** An encoded message with what the broker needs in the clear. */
export interface Envelope {
  /** 1 to 200 printable ASCII characters without spaces. */
  readonly id: string
  readonly queue: string
  /** The message as the core encoded it. No broker reads it. */
  readonly body: Uint8Array
  /** Failed attempts so far. */
  readonly attempt: number
  /** 0 is taken first. First in, first out within a band. */
  readonly priority: Band
  /** Not before then. Never early; as soon after as the broker's `delayMs` says. */
  readonly due?: Due
  /** A second push of this id within so many ms answers 'duplicate', whatever became of the first. */
  readonly onceMs?: number
}

/** An envelope leased to a consumer. */
export interface Delivery {
  readonly envelope: Envelope
  /** Unique a delivery, never used again, not even for the same id and consumer. */
  readonly token: string
  /** 1 + how often a lease of this message lapsed since its last settlement. Retries set it back to 1; releases and graceful stops leave it. */
  readonly deliveries: number
}

/** From this delivery on a message is a suspect: kept apart, and a consumer holds at most one of them. */
export const SUSPECT_FROM = 3

/** What becomes of a delivery. One atomic write; follow-ups are stored only if the settlement is accepted. */
export type Settlement =
  | { readonly token: string; readonly kind: 'done'; readonly then?: readonly Envelope[] }
  /** attempt + 1 by the broker; to the tail of its band, after `afterMs` when that is above 0. `body` only where a foreign format keeps the attempt inside. */
  | { readonly token: string; readonly kind: 'retry'; readonly afterMs: number; readonly body?: Uint8Array }
  /** 0: to the head of its band, those of one batch in the order in which they were taken; attempt and deliveries stay. */
  | { readonly token: string; readonly kind: 'release'; readonly afterMs: number }
  /** The body stays byte for byte. */
  | {
      readonly token: string
      readonly kind: 'dead'
      readonly reason: string
      readonly error?: Uint8Array
      readonly then?: readonly Envelope[]
    }

/** 'lost': the lease had lapsed and someone else has it or will; nothing was changed. A value, never an exception. */
export type Settled = 'ok' | 'lost'

/** One a message: stored, a duplicate (nothing was stored), or why not (too large, full, refused, "may have been stored"). */
export type Pushed = 'stored' | 'duplicate' | GreenroomError

/** What differs between brokers, as data: a row each in docs/brokers.md, and an error where something missing is asked for. */
export interface Capabilities {
  /** How the broker learns that a consumer died: by a deadline, by its connection. */
  readonly lease: 'timed' | 'connection'
  /** Whether `onceMs` works. */
  readonly once: boolean
  /** Whether a push of an id that is live (ready, delayed, leased or dead) in its queue answers 'duplicate'. */
  readonly uniqueIds: boolean
  /** Where `then` is stored in the same write as the settlement. */
  readonly atomicThen: 'always' | 'same slot' | 'never'
  /** How late a delayed message may become ready, ms; never early. */
  readonly delayMs: number
  /** Whether waiting messages can be listed, and found by id. */
  readonly peek: boolean
  /** Whether a waiting message can be removed, promoted or rescheduled. */
  readonly removal: boolean
  /** Whether messages survive the end of all processes. */
  readonly durable: boolean
}

/** What a consumer takes from, and how much it may hold. */
export interface ConsumeOptions {
  /** Served round robin. At least one. */
  readonly queues: readonly string[]
  /** The most deliveries held unsettled at once. `take` never exceeds it. */
  readonly credit: number
  /** How long a dead consumer's messages stay away, ms. The adapter renews it while the consumer lives. */
  readonly leaseMs: number
  /** Tokens that this consumer held and no longer does (its lease lapsed): their runs are aborted. */
  onLost(tokens: readonly string[]): void
}

/** How one `take()` waits, and what it may bring. */
export interface TakeOptions {
  /** How long to wait for a first message, ms. 0: look once. */
  readonly waitMs: number
  /** Aborted: resolves at once with what it has, maybe nothing; never rejects for it, and loses nothing. */
  readonly signal: AbortSignal
  /** The most of each queue that this call may return; a queue that is not named has no limit of its own. */
  readonly room?: Readonly<Record<string, number>>
}

/** Leases deliveries. Disposing it gives back, to the head and uncounted, what it holds. */
export interface Consumer extends AsyncDisposable {
  /** From 0 to `max` deliveries. One outstanding call; a `settle()` of the same tick may travel with it. Suspects first, one at most. */
  take(max: number, options: TakeOptions): Promise<readonly Delivery[]>
  /** Each by itself: one answer a settlement, in order. A token that is not held (any more) answers 'lost' and changes nothing. */
  settle(batch: readonly Settlement[]): Promise<readonly Settled[]>
  /**
   * What the keeper thread loads to renew this lease; absent where the adapter renews beside the event loop itself or the lease is a connection.
   * `module`: the URL of a `KeeperModule`. `data`: what it is given, cloned; a SharedArrayBuffer in it is shared with it. `everyMs`: how often
   * it renews, at most a third of the lease.
   */
  readonly keeper?: { readonly module: string; readonly data: unknown; readonly everyMs: number }
}

/**
 * What the module of `Consumer.keeper` exports. It is loaded in a thread that goes on while the event loop is blocked, and serves all
 * leases of the process there, so it must never block that thread.
 */
export interface KeeperModule {
  /** Called once for a consumer, e.g. to connect; again later where it failed. */
  keep(data: unknown): Renewal | Promise<Renewal>
}

/** One lease, in the keeper thread. */
export interface Renewal {
  /** Renews the lease, now and then every `everyMs`. What it throws is reported, and it is called again; so is one that does not answer. A lease that is lost stays lost: the consumer is told by its own `take` and `settle`. */
  renew(): void | Promise<void>
  /** Closes what it holds. After that, and before the consumer is disposed, nothing is renewed any more. */
  [Symbol.asyncDispose]?(): void | PromiseLike<void>
}

/** What somebody should know about a broker: a line of `greenroom doctor`. */
export interface Finding {
  /** `ok`: as it should be. `look`: it works, and somebody should know. `bad`: it does not work. */
  readonly state: 'ok' | 'look' | 'bad'
  /** What is, and of what is not ok the fix. */
  readonly text: string
  /** Of a bad one: the exit code is that of the first. */
  readonly error?: unknown
}

/** What keeps messages. What an implementation must do is stated as tests in `greenroom/conformance`; no part of Greenroom knows a broker otherwise. */
export interface Broker extends AsyncDisposable {
  /** What it is and where, without credentials: for logs and errors. */
  readonly name: string
  /** What it can do, as data: the core asks here, and never by name. */
  readonly capabilities: Capabilities
  /** For people and tools, where the broker can be looked into. */
  readonly inspector?: Inspector
  /** The small shared state beside the queues, where the broker has one. */
  readonly store?: Store
  /** Makes ready to push to and consume from these queues. Idempotent; there is no I/O before it. */
  open(queues: readonly string[], signal?: AbortSignal): Promise<void>
  /** Resolves when stored as durably as set up, with one verdict a message, in order. One bad message never refuses the others. */
  push(batch: readonly Envelope[], options?: { readonly signal?: AbortSignal }): Promise<readonly Pushed[]>
  /** A consumer of these queues, which are made where they are missing. Whoever asked disposes it. */
  consume(options: ConsumeOptions): Promise<Consumer>
  /** For `greenroom doctor`, where there is more to say than that it answers: its settings, its distance, what it does not let us do. Rejects when it cannot be used, within some seconds. */
  diagnose?(): Promise<readonly Finding[]>
}

/** Where a live message is. */
export type Place = 'ready' | 'delayed' | 'leased' | 'suspect' | 'dead'

/** A message as an inspector sees it. */
export interface Entry {
  readonly envelope: Envelope
  readonly place: Place
  readonly deliveries: number
  /** When it was pushed, or died: epoch ms on the broker's clock. */
  readonly at: number
  /** When a delayed one becomes ready: epoch ms. */
  readonly dueAt?: number
  /** Of a dead letter. */
  readonly reason?: string
  /** Of a dead letter: its last error, as the core encoded it. */
  readonly error?: Uint8Array
}

/** How many messages of a queue are where. Each live message is counted once. */
export interface Counts {
  readonly ready: number
  readonly delayed: number
  readonly leased: number
  readonly suspect: number
  readonly dead: number
  /** How long the oldest ready message has been waiting (a delayed one since it was due), ms; 0 when none is. */
  readonly oldestMs: number
  /** Whether nothing is taken from it until `resume()`. */
  readonly paused: boolean
}

/** Which page of a listing. */
export interface ListOptions {
  /** Where the page before ended. Opaque; stays valid while messages come and go. */
  readonly cursor?: string
  /** @default 100, at most 1,000 */
  readonly limit?: number
}

/** One page of a listing. */
export interface Page {
  readonly entries: readonly Entry[]
  /** For the next page; absent on the last one. */
  readonly cursor?: string
}

/** For people and tools. Never needed to run messages. */
export interface Inspector {
  /** The names of the queues that were ever used here. */
  queues(): Promise<readonly string[]>
  /** Of a queue that was never used: zeros. */
  counts(queue: string): Promise<Counts>
  /** In the order in which they would be taken; dead letters oldest first. */
  list(queue: string, place: Place, options?: ListOptions): Promise<Page>
  /** A live message by its id, in one queue or in all; undefined when it is done, or never was. */
  find(id: string, queue?: string): Promise<Entry | undefined>
  /** Takes a ready, delayed, suspect or dead message away. A leased one is left alone. */
  remove(queue: string, id: string): Promise<'removed' | 'leased' | 'missing'>
  /** Makes a delayed message ready now. */
  promote(queue: string, id: string): Promise<'promoted' | 'not delayed' | 'missing'>
  /** Changes when, or in which band, a ready or delayed message runs. */
  reschedule(
    queue: string,
    id: string,
    change: { readonly due?: Due; readonly priority?: Band },
  ): Promise<'changed' | 'leased' | 'missing'>
  /** Dead letters back to ready, attempt 0, in this queue or another. Says how many there were. */
  revive(queue: string, ids: readonly string[], options?: { readonly to?: string }): Promise<number>
  /** Deletes dead letters. Says how many there were. */
  drop(queue: string, ids: readonly string[]): Promise<number>
  /** Deletes what is ready, delayed and suspect; leased and dead ones stay. Says how many. */
  purge(queue: string): Promise<number>
  /** Nothing is taken from a paused queue until it is resumed, by any consumer; pushes go on. Outlives restarts where messages do. */
  pause(queue: string): Promise<void>
  /** Ends a pause, and wakes whoever waits. */
  resume(queue: string): Promise<void>
}

/** What a broker is made with: nothing in it reads a clock, a random number or the environment by itself. */
export interface BrokerServices {
  /** What keeps two environments on one server apart. @default 'greenroom' */
  readonly namespace: string
  /** Time. @default the machine's, for who makes a broker by hand */
  readonly clock: Clock
  /** From 0 to below 1. */
  readonly random: Random
  /** A new unique id at each call. */
  readonly newId: () => string
  /** Where a broker warns of what no caller can be told. */
  readonly log: Logger
}
