/**
 * Keeps one connection to where `dial` leads: dials when it breaks, at once first and then after longer and longer waits of at most half a
 * second, until it is disposed.
 */
import { type Clock, sleep } from '../../lib/clock.ts'
import type { Random } from '../../lib/ids.ts'
import type { Logger } from '../../lib/log.ts'
import { LinkError } from './link.ts'
import type { Wire } from './wire.ts'

export interface Line extends AsyncDisposable {
  /** The connection, if there is one. */
  readonly wire: Wire | undefined
  /** What a command without a connection rejects with. */
  absence(): LinkError
  /** As that of a Link. */
  up(signal?: AbortSignal): Promise<void>
  start(): void
}

export interface LineOptions {
  readonly name: string
  /** For the log. */
  readonly purpose: 'commands' | 'wake-ups'
  /** Makes a connection that is ready for commands. */
  dial(signal: AbortSignal): Promise<Wire>
  /** There is a new connection. */
  connected?(wire: Wire): void
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

const FIRST_MS = 20
const LONGEST_MS = 500

export function openLine({ name, purpose, dial, connected, clock, random, log }: LineOptions): Line {
  const over = new AbortController()
  const waiters = new Set<(error?: unknown) => void>()
  let wire: Wire | undefined,
    kept: Promise<void> | undefined,
    trouble = new LinkError('away', 'no', `There is no connection to ${name}`),
    told: string | undefined

  async function keep(): Promise<void> {
    for (let failures = 0; !over.signal.aborted;) {
      const began = clock.monotonic()
      try {
        const made = await dial(over.signal)
        if (over.signal.aborted) made.end(closed(name))
        wire = made
        if (told !== undefined) log.info({ redis: name, purpose }, 'connected to Redis again')
        told = undefined
        connected?.(made)
        settle()
        note(await made.ended)
        wire = undefined
        if (clock.monotonic() - began > LONGEST_MS) failures = 0
      } catch (error) {
        note(error)
      }
      if (over.signal.aborted) return
      failures++
      if (trouble.why === 'denied' || trouble.why === 'broken') settle(trouble)
      if (failures > 1) await pause(failures - 2)
    }
  }
  function note(error: unknown): void {
    if (over.signal.aborted) return
    trouble =
      error instanceof LinkError ? new LinkError(error.why, 'no', error.message) : new LinkError('broken', 'no', `${error}`)
    if (told === trouble.message) return
    told = trouble.message
    log.warn({ redis: name, purpose }, `no connection to Redis, trying again: ${told}`)
  }
  /** Half of it is chance, so that clients do not come back all at once. */
  async function pause(times: number): Promise<void> {
    const longest = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(times, 10))
    await sleep(clock, (longest * (1 + random())) / 2, { signal: over.signal }).catch(() => {})
  }
  function settle(error?: unknown): void {
    for (const waiter of waiters) waiter(error)
  }

  const start = () => {
    if (!over.signal.aborted) kept ??= keep()
  }
  return {
    get wire() {
      return wire?.isOpen ? wire : undefined
    },
    absence: () => new LinkError('away', 'no', `Redis cannot be reached: ${trouble.message}`),
    start,
    up(signal) {
      if (over.signal.aborted) return Promise.reject(closed(name))
      if (signal?.aborted) return Promise.reject(signal.reason as Error)
      start()
      if (wire?.isOpen) return Promise.resolve()
      return new Promise((resolve, reject) => {
        const settled = (error?: unknown) => {
          waiters.delete(settled)
          signal?.removeEventListener('abort', abort)
          if (error === undefined) resolve()
          else reject(error as Error)
        }
        const abort = () => settled(signal!.reason)
        waiters.add(settled)
        signal?.addEventListener('abort', abort)
      })
    },
    async [Symbol.asyncDispose]() {
      trouble = closed(name)
      wire?.end(trouble)
      over.abort(trouble)
      settle(trouble)
      await kept
    },
  }
}

const closed = (name: string) => new LinkError('away', 'no', `The connection to ${name} was closed by us`)
