/**
 * Keeps one connection to where `dial` leads: dials when it breaks, at once first and then after longer and longer pauses of at most half a
 * second, until it is disposed.
 */
import type { Clock } from '../../lib/clock.ts'
import type { Random } from '../../lib/ids.ts'
import type { Logger } from '../../lib/log.ts'
import { closedByUs, isFinal } from './failures.ts'
import { LinkError } from './link.ts'
import { LONGEST_PAUSE_MS, pause, waiters } from './waiters.ts'
import type { Wire } from './wire.ts'

export interface Line extends AsyncDisposable {
  /** The connection, if there is one. */
  readonly wire: Wire | undefined
  /** How many there were. */
  readonly lives: number
  start(): void
  /** As that of a Link. */
  up(signal?: AbortSignal): Promise<void>
  /** What a command without a connection rejects with. */
  absence(): LinkError
}

export interface LineOptions {
  readonly name: string
  /** For the log. */
  readonly purpose: 'commands' | 'wake-ups'
  /** Makes a connection that is ready for commands. */
  dial(signal: AbortSignal): Promise<Wire>
  /** There is a new connection. */
  connected?(wire: Wire): void
  /** It broke, or none could be made. */
  troubled?(why: LinkError): void
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

export function openLine({ name, purpose, dial, connected, troubled, clock, random, log }: LineOptions): Line {
  const over = new AbortController(),
    waiting = waiters()
  let wire: Wire | undefined,
    kept: Promise<void> | undefined,
    trouble = new LinkError('away', 'no', `There is no connection to ${name}`),
    told: string | undefined,
    lives = 0

  async function keep(): Promise<void> {
    for (let failures = 0; !over.signal.aborted; failures++) {
      if (failures > 0) await pause(failures - 1, clock, random, over.signal)
      const began = clock.monotonic()
      const why = await connection().catch(asLinkError)
      wire = undefined
      if (clock.monotonic() - began > LONGEST_PAUSE_MS) failures = 0 // it lasted
      if (!over.signal.aborted) note(why)
    }
  }
  /** One life of the connection. Resolves with what ended it. */
  async function connection(): Promise<LinkError> {
    const made = await dial(over.signal)
    wire = made
    lives++
    if (over.signal.aborted) made.end(trouble)
    if (told !== undefined) log.info({ redis: name, purpose }, 'connected to Redis again')
    told = undefined
    connected?.(made)
    waiting.settle()
    return await made.ended
  }
  function note(why: LinkError): void {
    trouble = new LinkError(why.why, 'no', why.message)
    if (told !== trouble.message) log.warn({ redis: name, purpose }, `no connection to Redis, trying again: ${trouble.message}`)
    told = trouble.message
    if (isFinal(trouble)) waiting.settle(trouble)
    troubled?.(trouble)
  }
  function start(): void {
    kept ??= keep()
  }
  return {
    get wire() {
      return wire?.isOpen ? wire : undefined
    },
    get lives() {
      return lives
    },
    start,
    async up(signal) {
      if (over.signal.aborted) throw trouble
      signal?.throwIfAborted()
      start()
      if (!wire?.isOpen) await waiting.wait(signal)
    },
    absence: () => new LinkError('away', 'no', `Redis cannot be reached: ${trouble.message}`),
    async [Symbol.asyncDispose]() {
      trouble = closedByUs(name)
      wire?.end(trouble)
      over.abort(trouble)
      waiting.settle(trouble)
      await kept
    },
  }
}

const asLinkError = (error: unknown) => (error instanceof LinkError ? error : new LinkError('broken', 'no', `${error}`))
