/** What the event loop and the keeper thread say to each other. */
import type { Consumer } from '../broker.ts'

export type Kept = NonNullable<Consumer['keeper']>

/** When one worker's loop counts as blocked, and as lost. */
export interface Limits {
  readonly thresholdMs: number
  readonly graceMs: number
  /** Undefined: the time limit of the actor that blocks, or the longest that runs, + grace. */
  readonly maxBlockMs: number | undefined
}

export interface KeeperData {
  readonly memory: SharedArrayBuffer
  readonly names: readonly string[]
  /** Where copies of the library lie, whose frames say nothing. */
  readonly roots: readonly string[]
  /** Whether the loop is that of the main thread: of others nobody sees the stack. */
  readonly isMain: boolean
  readonly limits: readonly Limits[]
  readonly kept: readonly (readonly [id: number, kept: Kept])[]
}

export type Told =
  | { readonly kind: 'limits'; readonly limits: readonly Limits[] }
  | { readonly kind: 'named'; readonly place: number; readonly name: string }
  | { readonly kind: 'keep'; readonly id: number; readonly kept: Kept }
  | { readonly kind: 'drop'; readonly id: number }

/** The loop was blocked, and is back. */
export interface Blocked {
  readonly actors: readonly string[]
  readonly blockedMs: number
  readonly stack: readonly string[]
}

export type Said =
  | { readonly kind: 'blocked'; readonly blocked: Blocked }
  /** `error` is undefined when it works again. */
  | { readonly kind: 'renewal'; readonly id: number; readonly error: string | undefined }
  | { readonly kind: 'dropped'; readonly id: number }
