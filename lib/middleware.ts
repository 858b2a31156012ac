/**
 * The seam for middleware: a value onion around running a message, a map before storing messages, observers afterwards.
 * What is not here a middleware cannot do: it may change what happens to a message, delay it, refuse it; never lose it.
 */
import type { Pushed } from './broker.ts'
import type { Clock } from './clock.ts'
import type { Events } from './events.ts'
import type { Feature, Features } from './features.ts'
import type { Logger } from './log.ts'
import type { Due, Message, Priority } from './message.ts'
import type { OptionSpecs, Resolved } from './options.ts'
import type { Outcome } from './outcome.ts'
import type { Store } from './store.ts'

/** What a middleware needs of its app, and no more; the same in a sender and in a worker. */
export interface Services {
  /** Time; in a test the test's. Read it here, and tests of the middleware need not wait. */
  readonly clock: Clock
  /** From 0 to below 1. */
  readonly random: () => number
  /** A new unique id at each call. */
  readonly newId: () => string
  /** The app's logger. */
  readonly log: Logger
  /** Small shared state. Reading it where none is configured throws `STORE_MISSING`. */
  readonly store: Store
  /** Sends messages through the whole send chain. One verdict a message, in order. */
  push(batch: readonly Message[]): Promise<readonly Pushed[]>
}

/** A message on its way to the broker. */
export interface Sending<S = {}> {
  readonly message: Message
  /** message > actor > default, resolved once. */
  readonly options: Resolved<S>
  readonly priority: Priority
  readonly due?: Due
  /** A second message of this id within so many ms is a duplicate. */
  readonly onceMs?: number
}

/** The message that a handle is asked about. */
export interface Asked {
  readonly id: string
  /** Unknown to `app.sent(id)`. */
  readonly queue?: string
  /** Opens the app, where it is not open yet. @throws {GreenroomError} `APP_CLOSED`, and what opening throws */
  services(): Promise<Services>
}

/** The methods of a feature, each told first which message it is asked about. */
export type Provided<K extends Feature> = {
  readonly [M in keyof Features<unknown>[K]]: Features<unknown>[K][M] extends (...args: infer A) => infer R
    ? (asked: Asked, ...args: A) => R
    : never
}

/** Why a run is asked to end. The signal's `reason` has the code `TIME_LIMIT`, `CANCELLED`, `LEASE_LOST` or `SHUTDOWN`. */
export type AbortReason = 'time limit' | 'cancelled' | 'lease lost' | 'shutdown'

/** One run of a message. */
export interface Context<S = {}> extends Services {
  readonly message: Message
  readonly options: Resolved<S>
  /** Failed attempts so far: 0 on the first run. */
  readonly attempt: number
  /** 1, and one more for each lease of this message that lapsed since it was last settled. */
  readonly deliveries: number
  /** Milliseconds since the message was made, never below 0. */
  readonly ageMs: number
  /** Made when first read. Its `reason` is a GreenroomError that says why. */
  readonly signal: AbortSignal
  /** Asks the run to end. The first reason stays. */
  abort(reason: AbortReason): void
  /** Asks it so long from now, if it still runs then; the earliest time counts. There is nothing to cancel. @param ms milliseconds; Infinity: never */
  abortAfter(ms: number, reason: AbortReason): void
}

/** Runs what is further in, and answers with its outcome; never rejects. */
export type Next = () => Promise<Outcome>

/**
 * One layer around runs. Everything but `name` may be left out. `S` are the options that it declares, `P` the features that it gives
 * to handles. `defineMiddleware()` infers both.
 */
export interface Middleware<S extends OptionSpecs = {}, P extends Feature = never> {
  /** Unique in a chain. What `inside` and `outside` of others, and log lines, call it. */
  readonly name: string
  /** What actors and messages may say to it: `count()`, `duration()`, `flag()`, `text()`, `custom()`, each also `perMessage()`. */
  readonly options?: S
  /** Methods that handles gain where it is composed, by feature; typed by `Features`. */
  readonly provides?: { readonly [K in P]: Provided<K> }
  /** Checked when the app opens. */
  readonly needs?: readonly 'store'[]
  /** Names of middleware that must be further out than this one, where they are composed. */
  readonly inside?: readonly string[]
  /** Names of middleware that must be further in than this one. */
  readonly outside?: readonly string[]
  /** Once, when the app opens. What it returns is disposed when the app closes. */
  setup?(services: Services): AsyncDisposable | void | Promise<AsyncDisposable | void>
  /** A map over what is sent: left out is not sent (the handle says by whom), replaced is rewritten; ids stay. */
  send?(batch: readonly Sending<S>[], services: Services): readonly Sending[] | Promise<readonly Sending[]>
  /**
   * Whether it has anything to do for runs with these options; where it has not, it costs them nothing. Asked once for each set of
   * options, so it must depend on them alone. @default always
   */
  applies?(options: Resolved<S>): boolean
  /** Just before the run, without waiting: most of all, an outcome to settle in the place of running. Costs no promise. */
  before?(context: Context<S>): Outcome | undefined
  /** What it makes of the outcome, without waiting. Not asked when its own `before` or one further out answered. Costs no promise. */
  after?(context: Context<S>, outcome: Outcome): Outcome
  /** Around the run, where it must wait. Call `next()` once at most and wait for it; or answer without it. */
  process?(context: Context<S>, next: Next): Promise<Outcome>
  /** Told afterwards. A throw, or the rejection of an async one, is logged and changes nothing. */
  readonly on?: { readonly [K in keyof Events]?: (event: Events[K]) => void }
}

// `any`: a chain holds middleware of all types; each sees its own.
/** A middleware of any options. */
export type AnyMiddleware = Middleware<any, any>
/** What a chain is inferred from. A list in it is refused by `Config`, which says to spread it. */
export type Entry = AnyMiddleware | readonly AnyMiddleware[]
export type AnyContext = Context<any>
export type AnySending = Sending<any>

/**
 * Types a middleware: its `options` shape what `process` and `send` read, and what `actor()` and `with()` accept.
 * @example
 * export const audit = () => defineMiddleware({
 *   name: 'audit',
 *   options: { auditAs: perMessage(text()) },
 *   async process({ message, options, log }, next) {
 *     const outcome = await next()
 *     log.info({ id: message.id, as: options.auditAs, kind: outcome.kind }, 'audited')
 *     return outcome
 *   },
 * })
 */
export function defineMiddleware<const S extends OptionSpecs = {}, const P extends Feature = never>(
  m: Middleware<S, P>,
): Middleware<S, P> {
  return m
}

type UnionToIntersection<U> = (U extends unknown ? (u: U) => void : never) extends (i: infer I) => void ? I : never
/** The options of a whole chain: the specs of each middleware by name, which is what editors and emitted types show. */
export type SpecsOf<M extends readonly Entry[]> = [M[number]] extends [never]
  ? {}
  : UnionToIntersection<M[number] extends infer X ? (X extends Middleware<infer S, any> ? S : never) : never>
/** What handles gain from a whole chain. */
export type FeaturesOf<M extends readonly Entry[]> = M[number] extends infer X
  ? X extends Middleware<any, infer P>
    ? P
    : never
  : never
