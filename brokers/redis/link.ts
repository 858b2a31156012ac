/**
 * What the broker and the store ask of their connections to Redis; connect.ts makes one from a URL. It hides the driver: standalone,
 * Sentinel and Cluster look alike, replies are bytes, and a failure says whether the command may have run.
 */
import type { ScriptName } from './scripts.ts'

export type Argument = string | number | Uint8Array

/** Why a command failed. */
export type Why =
  /** No connection, or it broke, or there was no answer in time. */
  | 'away'
  /** The server cannot now and will soon: it loads, runs a long script, fails over, is a replica. */
  | 'unready'
  /** It has no memory or no disk for writes. */
  | 'full'
  /** A password or a permission is missing. */
  | 'denied'
  /** It is no Redis that we can use, or a key holds something else: trying again does not help. */
  | 'broken'

/** A command that failed. `ran` is 'no' only where it is sure that nothing was changed. */
export class LinkError extends Error {
  override readonly name = 'LinkError'
  readonly why: Why
  readonly ran: 'no' | 'maybe'
  constructor(why: Why, ran: 'no' | 'maybe', message: string, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause })
    this.why = why
    this.ran = ran
  }
}

export interface Link extends AsyncDisposable {
  /** Where, without credentials: `redis://host:6379/0`. */
  readonly name: string
  /** Whether keys of different hash tags may stand in one script: not on a Cluster. */
  readonly oneSlot: boolean
  /** Whether commands can be sent now. */
  readonly isUp: boolean
  /** How often it was connected: another number means that the server may have forgotten something. */
  readonly lives: number
  /** Connects if that was not done, and resolves when commands can be sent. Rejects with the signal's reason; with a LinkError when trying again does not help. */
  up(signal?: AbortSignal): Promise<void>
  /**
   * Runs a script on the node of its first key. The reply as RESP2 has it, strings as Buffers. Rejects with a LinkError, at once when there is no
   * connection, and not later than the reply's deadline: nothing is sent twice but what the server said it has no script for.
   */
  run(script: ScriptName, keys: readonly string[], args: readonly Argument[]): Promise<unknown>
  /** One command, on the node of the key that follows its name. Otherwise as `run`. */
  ask(command: string, ...args: readonly Argument[]): Promise<unknown>
  /**
   * Calls `heard` with each message of a channel, and without one whenever messages may have been missed (it was subscribed to, also again after a
   * broken connection). On a second connection, made when it is first needed. Returns what ends it.
   */
  listen(channel: string, heard: (message?: Buffer) => void): () => void
}
