/**
 * What a worker and its threads say to each other. All of it is data that a structured clone keeps; errors are carried (carry.ts).
 * Types only: this file is loaded by nobody.
 */
import type { Capabilities, Envelope } from '../broker.ts'
import type { Message } from '../message.ts'
import type { AbortReason } from '../middleware.ts'
import type { Carried } from './carry.ts'

/** To a thread. */
export type Told =
  /** Imports the modules of a group, and of the next one if the actor is in none of these. */
  | { readonly kind: 'load'; readonly actor: string; readonly app: string; readonly groups: readonly (readonly string[])[] }
  | { readonly kind: 'run'; readonly message: Message; readonly attempt: number; readonly deliveries: number }
  | { readonly kind: 'abort'; readonly reason: AbortReason }
  | { readonly kind: 'answer'; readonly id: number; readonly value?: unknown; readonly error?: Carried }

/** What a handler came to, before the worker looks why it was aborted. */
export type Came =
  | { readonly kind: 'done'; readonly result?: unknown; readonly then?: readonly FollowUp[] }
  | { readonly kind: 'failed'; readonly error: Carried }
  | { readonly kind: 'dead'; readonly reason: string; readonly error: Carried }
  | { readonly kind: 'release'; readonly afterMs: number; readonly reason: string }

/** A message of `after()`. Whether somebody chose its id does not survive a clone by itself. */
export interface FollowUp {
  readonly message: Message
  readonly generated: boolean
}

/** What only the parent can do, for the app of that key: nothing in a thread opens a broker. */
export type Asked =
  | { readonly op: 'open' }
  | { readonly op: 'push'; readonly envelopes: readonly Envelope[] }
  | { readonly op: 'inspector' | 'store'; readonly method: string; readonly args: readonly unknown[] }

/** What `open` is answered with. */
export interface Opened {
  readonly name: string
  readonly capabilities: Capabilities
  readonly inspector: readonly string[]
  readonly store: readonly string[]
}

/** From a thread. */
export type Said =
  | { readonly kind: 'loaded'; readonly actor: string }
  | { readonly kind: 'missing'; readonly actor: string; readonly error: Carried }
  | { readonly kind: 'came'; readonly came: Came }
  | {
      readonly kind: 'log'
      readonly level: 'debug' | 'info' | 'warn' | 'error'
      readonly facts: Carried | string
      readonly text?: string
    }
  | { readonly kind: 'ask'; readonly id: number; readonly app: string; readonly asked: Asked; readonly inRun: boolean }
  /** Nobody waits for the answer any more. */
  | { readonly kind: 'drop'; readonly id: number }
