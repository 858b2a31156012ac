/**
 * What the programs use and the package does not bring yet, as types: rate limits, results, composition, schedules, cancel
 * and progress. It shrinks as features arrive; when it is empty, delete it. Nothing here exists at run time.
 */
import type { ArgsIn, BaseSend, Handle, Duration, ForActor, Message, Middleware, Option, ResultOf } from '../../dist/esm/index.js'

/** A step of a pipeline: takes the result before it as its last argument. */
interface Step<In, Out> { readonly '~step'?: [take: (input: In) => void, give: Out] }
/** What an actor takes when the result before it is its only argument; never when it wants more. */
type Only<A extends readonly unknown[]> = A extends readonly [] ? never : [Required<A>[0]] extends A ? A[0] : never
/** Every proper beginning of `A`. */
type Prefix<A extends readonly unknown[]> = A extends readonly [infer H, ...infer T] ? T extends readonly [] ? [] : [] | [H, ...Prefix<T>] : []
type Drop<A extends readonly unknown[], P extends readonly unknown[]> = P extends readonly [unknown, ...infer PT] ? A extends readonly [unknown?, ...infer AT] ? Drop<AT, PT> : never : A

interface Progress { readonly done: number, readonly note?: unknown }

declare module '../../dist/esm/lib/actor-types.js' {
  interface Sender<A extends readonly unknown[], R, S, P, Q extends string = string, N extends string = string> extends Step<Only<A>, R> {
    partial<const P extends Prefix<A>>(...args: P): Step<Only<Drop<A, P>>, R>
  }
  interface Handle {
    cancel(reason?: string): Promise<'cancelled' | 'asked' | 'too late'>
    progress(o?: { signal?: AbortSignal }): AsyncIterable<Progress>
  }
}
declare module '../../dist/esm/lib/current.js' {
  interface Current { progress(done: number, note?: unknown): void }
}

interface Runnable<R> { send(o?: BaseSend): Promise<Handle & ResultOf<R>>, readonly '~result'?: R }
type Unit<R> = Message<any, R> | Runnable<R>
type ResultsOf<T extends readonly Unit<any>[]> = { -readonly [K in keyof T]: T[K] extends { readonly '~result'?: infer R } ? R : never }
interface KeyOf extends ForActor { readonly type: (...args: ArgsIn<this>) => string }
interface UniqueFor<A extends readonly unknown[]> { key?: (...args: A) => string, until: 'started' | 'settled', atMost: Duration }
interface Unique extends ForActor { readonly type: UniqueFor<ArgsIn<this>> }
interface CronOf<A extends readonly unknown[]> { cron: string, timeZone?: string, args: A }
interface CronBare { cron: string, timeZone?: string, args?: undefined }
type CronFor<A extends readonly unknown[]> = CronOf<A> | ([] extends A ? string | CronBare : never)
interface Cron extends ForActor { readonly type: CronFor<ArgsIn<this>> }
interface Limiter { acquire(key: string, ticket: string): Promise<{ ok: true, release(): Promise<void> } | { ok: false, retryAfterMs: number }> }

declare module '../../dist/esm/index.js' {
  export function results(o?: { ttl?: Duration }): Middleware<{ resultTtl: Option<Duration, number, true> }, 'results'>
  export function tokenBucket(o: { rate: number, per: Duration }): Limiter
  export function rateLimit<const As extends string = 'rateLimit'>(l: Limiter, o?: { as?: As }): Middleware<{ readonly [K in As]: Option<KeyOf> }>
  export function unique(): Middleware<{ unique: Option<Unique> }>
  export function schedules(): Middleware<{ schedule: Option<Cron> }>
  export function pipeline<A, B>(a: Message<any, A>, b: Step<A, B>): Runnable<B>
  export function pipeline<A, B, C>(a: Message<any, A>, b: Step<A, B>, c: Step<B, C>): Runnable<C>
  export function pipeline<A, B, C, D>(a: Message<any, A>, b: Step<A, B>, c: Step<B, C>, d: Step<C, D>): Runnable<D>
  export function group<const T extends readonly Unit<any>[]>(units: T): Runnable<ResultsOf<T>>
  export function chord<const T extends readonly Unit<any>[], R>(units: T, then: Step<ResultsOf<T>, R>): Runnable<R>
  export type { KeyOf, Limiter }
}
