/** The types of actors, senders and handles: what users meet in their editor. Types only. */
import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Duration } from './duration.ts'
import type { Gained } from './features.ts'
import type { Message, Priority } from './message.ts'
import type { Option } from './options.ts'

/** `never[]`: every function, whatever it takes. */
export type AnyFn = (...args: never[]) => unknown
/**
 * Any function, and no hint at what its parameters are: of two signatures that differ the compiler takes neither for a context, so that
 * a parameter without a type is an error (TS7006), and one with a default has the type of its default.
 */
export interface Handler {
  (...args: never[]): unknown
  <_>(...args: never[]): unknown
}

/**
 * The arguments and the result of a handler, for its options. Before TypeScript 6 a handler written `async function f() {}` is looked at
 * only after the options, which are then checked once against the bound of `F`: everything must pass that check.
 */
export type ArgsOf<F extends AnyFn> = Handler extends F ? any[] : Parameters<F>
export type ReturnOf<F extends AnyFn> = Handler extends F ? any : Awaited<ReturnType<F>>

/** What one actor is, for option types that depend on it. */
export interface Shape {
  readonly args: unknown
  readonly result: unknown
}
/** The arguments of the actor that a `ForActor` is used on. */
export type ArgsIn<T extends Shape> = T['args'] extends infer A extends readonly unknown[] ? A : never
/** A type that may speak of the actor it is used on: `interface Key extends ForActor { readonly type: (...args: ArgsIn<this>) => string }`. */
export interface ForActor extends Shape {
  readonly type: unknown
}
type For<In, A extends readonly unknown[], R> = In extends ForActor ? (In & { readonly args: A; readonly result: R })['type'] : In

/** What every send may say. Later `with()` wins; `undefined` leaves what was there. */
export interface BaseSend {
  /** Not before so long from now. At most 365d. */
  delay?: Duration | undefined
  /** Not before this time: a Date or epoch ms. At most 365d away. Instead of `delay`. */
  at?: Date | number | undefined
  /** @default 'normal', or the actor's */
  priority?: Priority | undefined
  /** Another queue than the actor's. */
  queue?: string | undefined
  /** The id of the message; a second one of the same id is a duplicate while the first is there. @default a new UUID */
  id?: string | undefined
  /** A second message of this `id` within so long is a duplicate, whatever became of the first. At most 365d. @default only while it is there */
  once?: Duration | undefined
  /** Gives up waiting: `send()` rejects with `SEND_ABORTED`. */
  signal?: AbortSignal | undefined
}
/** What every actor may say, whatever the chain. */
export interface BaseActor {
  /** What travels. Say it: bundlers rename functions. @default the function's own name */
  name?: string | undefined
  /** @default 'normal' */
  priority?: Priority | undefined
  /**
   * `'thread'`: each run in a thread, which is ended when the run does not end after its time limit. For code that computes for long or
   * may never yield. The thread imports the module again: nothing in memory is shared with it.
   * @default on the event loop of the worker
   */
  isolate?: 'thread' | undefined
}
/**
 * What `app.actor()` takes beside queue and schema: name, priority, and the options that the chain declares (`S`).
 * @example { name: 'charge', maxRetries: 5, minBackoff: '1s', timeLimit: '30s' }
 */
export type ActorOptions<S, A extends readonly unknown[] = any, R = any> = BaseActor & {
  [K in keyof S]?: S[K] extends Option<infer In, any, any> ? For<In, A, R> | undefined : never
}
/** The options of `actor()`, of which the name, the queue and the schema go into the actor's type. An alias of its own keeps error messages short. */
export type DefineOptions<S, A extends readonly unknown[], R, Q, N, I> = ActorOptions<S, A, R> & {
  readonly name?: N | undefined
  /** @default 'default' */
  readonly queue?: Q | undefined
  /** A Standard Schema (zod, valibot, arktype) of the one argument. */
  readonly input?: I | undefined
}
/**
 * What `with()` takes: what every send may say, and those options of the chain (`S`) that a message may carry. Without `S`, or where it
 * is any: what every send may say, so that a misspelt one is an error in helpers too.
 * @example { delay: '5m', priority: 'high', maxRetries: 3 }
 */
export type SendOptions<S = {}> = BaseSend & {
  [K in keyof S as string extends K ? never : S[K] extends Option<any, any, true> ? K : never]?: S[K] extends Option<
    infer In,
    any,
    any
  >
    ? In | undefined
    : never
}

/** Where a message is. `unknown`: finished, or never there. */
export type State = 'waiting' | 'delayed' | 'running' | 'done' | 'dead' | 'unknown'

/** A message that was sent, from any process. Made without I/O. */
export interface Handle {
  /** The message's id: made up, or that of `with({ id })`. */
  readonly id: string
  /** False when nothing new was stored: a duplicate, or skipped by the middleware named in `by`. */
  readonly stored: boolean
  /** The middleware that skipped it. */
  readonly by?: string
  /**
   * Where it is now. A finished message is gone, so it answers `unknown` unless something that keeps results or history is composed.
   * @throws {GreenroomError} `BROKER_UNSUPPORTED` where the broker cannot look (RabbitMQ), `BROKER_DOWN`, `APP_CLOSED`
   */
  state(): Promise<State>
}
/** What a handle can do. Where `P` is any (a helper that takes every actor), it is what all of them can. */
export type Sent<R, P> = Handle & (0 extends 1 & P ? {} : Gained<R, P>)

/** Anything that can be sent these arguments. */
export interface Accepts<A extends readonly unknown[]> {
  /** Only in types. */
  readonly '~accepts'?: (...args: A) => void
}

/** What `declare()` reads of a `typeof actor`. Of no property's type: a helper that takes a `typeof resize` takes others like it. */
export interface Known<Q extends string, N extends string> {
  readonly '~'?: [Q, N] & never
}

/**
 * What can be sent: an actor, or an actor with options from `with()`. `A` are its arguments, `R` its result, `S` the options that its
 * app's chain declares (`StandardSpecs` of `standard()`), `P` the features that the chain adds to handles, `Q` its queue, `N` its name.
 * Left out they fit every actor: `with()` of a `Sender<A>` takes what every send may say, and nothing else.
 * @example const enqueue = <A extends readonly unknown[]>(actor: Sender<A>, ...args: A) => actor.send(...args)
 */
export interface Sender<
  A extends readonly unknown[] = any,
  R = any,
  S = {},
  P = any,
  Q extends string = string,
  N extends string = string,
> extends Accepts<A> {
  /** Only in types. */
  readonly '~known'?: Known<Q, N>
  /**
   * Stores a message; resolves to its handle once it is as durable as the broker is set up.
   * @throws {GreenroomError} `NOT_DATA`, `SCHEMA_MISMATCH`, `BODY_TOO_LARGE`: nothing was stored. `BROKER_DOWN`: see `error.stored`. `APP_CLOSED`.
   */
  send(...args: A): Promise<Sent<R, P>>
  /** One batch; handles in order. @throws {GreenroomError} as `send()` when all failed alike; else `SEND_PARTIAL` with a verdict for each */
  sendMany(batch: readonly A[] | Iterable<A>): Promise<Sent<R, P>[]>
  /** The plain data of a call, for `app.send()`, an outbox table or `current().after()`. No I/O. */
  message(...args: A): Message<A, R>
  /** A sender with these options, which can be kept. @throws {GreenroomError} `OPTION_UNKNOWN`, `OPTION_INVALID`, `DURATION_INVALID` */
  with(options: SendOptions<S>): Sender<A, R, S, P, Q, N>
  /** The handle of a message sent earlier, maybe by another process. No I/O until it is asked something. */
  sent(id: string): Sent<R, P>
}

/** A function that can also be sent. */
export type Actor<F extends AnyFn, S = {}, P = never, Q extends string = string, N extends string = string> = F &
  Sender<Parameters<F>, Awaited<ReturnType<F>>, S, P, Q, N>

/** An actor of which only the contract is here: typed and sendable, not callable until it is implemented. */
export interface Declared<F extends AnyFn, S, P> extends Sender<Parameters<F>, Awaited<ReturnType<F>>, S, P> {
  /**
   * Gives it its code, e.g. with injected services. Again: the last one counts (hot reload).
   * @throws {GreenroomError} as `app.actor()`
   */
  implement(
    handler: (...args: Parameters<F>) => Promise<Awaited<ReturnType<F>>> | Awaited<ReturnType<F>>,
    options?: Omit<ActorOptions<S, Parameters<F>, Awaited<ReturnType<F>>>, 'name'>,
  ): Actor<F, S, P>
}

type QueueOf<T> = T extends { readonly '~known'?: Known<infer Q, any> } ? Q : 'default'
/** The name to declare an actor by: any, or that of a `typeof actor` which says its name. */
export type NameOf<T> = T extends { readonly '~known'?: Known<any, infer N> } ? N : string
/** Where a declared actor's messages go: a `typeof actor` knows its queue, and another one does not compile. */
export type Where<T> = T extends Accepts<never> & { send: unknown }
  ? QueueOf<T> extends 'default'
    ? [where?: { queue?: 'default' }]
    : [where: { queue: QueueOf<T> }]
  : [where?: { queue?: string }]
/** What is declared without its type: whatever is sent to it is refused with this sentence. */
export type Untyped = (...args: "Say its type: declare<typeof resize>('resize')"[]) => unknown
export type In<I> = I extends StandardSchemaV1 ? StandardSchemaV1.InferInput<I> : never
export type Out<I> = I extends StandardSchemaV1 ? StandardSchemaV1.InferOutput<I> : never

/** The arguments of an actor; can be spread into its `send()`. @example const enqueue = <T extends Sender>(actor: T, ...args: Args<T>) => actor.send(...args) */
export type Args<T> = T extends {
  /** What takes them. */
  message(...args: infer A): unknown
}
  ? A
  : never
/** What an actor returns, without its promise. @example type Thumb = Result<typeof resize> */
export type Result<T> = T extends Sender<any, infer R, any, any> ? R : never
