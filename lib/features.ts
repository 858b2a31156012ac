/**
 * What middleware may add to handles, as types. A package that brings a feature of its own declares it here too:
 * `declare module 'greenroom' { interface Features<R> { eta: { eta(): Promise<Date> } } }`. So `index.ts` passes all of this file on
 * with `export *`: an interface that is exported by its name cannot be added to from outside.
 */
import type { Duration } from './duration.ts'

/** What the feature `results` adds to handles. No middleware of this version provides it. */
export interface ResultOf<R> {
  /** Waits for what the actor returns. Cannot hang: it has a timeout. */
  result(o?: { timeout?: Duration; signal?: AbortSignal }): Promise<R>
}

/** The methods that handles gain, by the feature that a middleware provides. `R` is what the actor returns. */
export interface Features<R> {
  /** Of a middleware that keeps what actors return. */
  results: ResultOf<R>
}
/** The name of a feature: a key of `Features`. */
export type Feature = keyof Features<unknown>

/** The methods of all features in `P`. */
export type Gained<R, P> = (P extends Feature ? (methods: Features<R>[P]) => void : never) extends (methods: infer All) => void
  ? All
  : never
