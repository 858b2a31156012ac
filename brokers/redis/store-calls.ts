/**
 * How a batch of the store becomes calls: one script a group of entries (all of them, or on a Cluster those of one hash tag) and at most so many at
 * once, in order. A call whose answer did not come is made again until the reply's deadline has passed; those that are not the same when they are
 * done twice carry a token, by which the server knows them again (scripts/shared/token.lua).
 */
import type { Clock } from '../../lib/clock.ts'
import type { Random } from '../../lib/ids.ts'
import { closed, failureOf, passes } from './errors.ts'
import { type Argument, type Link, LinkError } from './link.ts'
import type { ScriptName } from './scripts.ts'
import type { StoreKeys } from './store-keys.ts'
import { LONGEST_PAUSE_MS, pause } from './waiters.ts'

/** What one call may hold, so that it keeps the server for a few milliseconds at most. One entry may be larger. */
const MOST_ENTRIES = 1_000
const MOST_BYTES = 1_048_576

/** Entries that one call may take, and the hash tag of the first. */
export interface Part<E> {
  readonly tag: string
  readonly entries: readonly E[]
}

export interface Calls {
  /** Calls once for each part of a batch, and puts the answers in the order of the entries. */
  each<E, A>(
    batch: readonly E[],
    options: { nameOf(entry: NoInfer<E>): string; bytesOf?(entry: NoInfer<E>): number },
    call: (part: Part<E>) => Promise<readonly A[]>,
  ): Promise<readonly A[]>
  /** A call that may be made again. */
  again<T>(call: () => Promise<T>): Promise<T>
  /** A script that is run once, whatever becomes of its answer: its first key and argument are a token's. */
  once(script: ScriptName, tag: string, keys: readonly string[], args: readonly Argument[]): Promise<string>
}

export interface CallsParts {
  readonly link: Link
  readonly keys: StoreKeys
  /** Of waits on the network. */
  readonly network: Clock
  readonly random: Random
  readonly replyTimeoutMs: number
  /** Aborted when the store is closed. */
  readonly over: AbortSignal
}

export function storeCalls({ link, keys, network, random, replyTimeoutMs, over }: CallsParts): Calls {
  const store = [random(), random()].map(part => Math.floor(part * 2 ** 48).toString(36)).join('.')
  const free: number[] = []
  let tokens = 0,
    calls = 0

  /**
   * Before a call is made again: until there is a connection, or for a moment. On a Cluster some nodes may be away for long, and this key be on
   * another one.
   */
  async function wait(times: number, left: number): Promise<void> {
    if (!link.isUp) {
      const late = new AbortController(),
        timer = network.after(Math.min(left, LONGEST_PAUSE_MS), () => late.abort())
      try {
        await link.up(AbortSignal.any([over, late.signal]))
      } catch (error) {
        if (error instanceof LinkError && !passes(error.why)) throw error
      } finally {
        timer.cancel()
      }
    }
    await pause(times, network, random, over)
  }

  async function again<T>(call: () => Promise<T>): Promise<T> {
    const deadline = network.monotonic() + replyTimeoutMs
    let ran: 'no' | 'maybe' = 'no'
    const failed = (error: unknown) => {
      if (over.aborted) return closed('store')
      if (!(error instanceof LinkError)) return failureOf(error, link.name)
      return failureOf(new LinkError(error.why, ran, error.message, error), link.name)
    }
    for (let times = 0; ; times++) {
      try {
        return await call()
      } catch (error) {
        const left = deadline - network.monotonic()
        if (error instanceof LinkError && error.ran === 'maybe') ran = 'maybe'
        if (!(error instanceof LinkError && passes(error.why)) || left <= 0 || over.aborted) throw failed(error)
        await wait(times, left).catch((why: unknown) => {
          throw failed(why)
        })
      }
      if (over.aborted) throw closed('store')
    }
  }

  return {
    again,
    async each(batch, { nameOf, bytesOf = () => 0 }, call) {
      const groups = new Map<string, number[]>()
      for (const [at, entry] of batch.entries()) {
        const tag = link.oneSlot ? '' : keys.tagOf(nameOf(entry)),
          group = groups.get(tag)
        if (group) group.push(at)
        else groups.set(tag, [at])
      }
      const answers: Awaited<ReturnType<typeof call>>[number][] = Array.from({ length: batch.length })
      async function callAll(group: readonly number[]): Promise<void> {
        for (let from = 0, to = 0; from < group.length; from = to) {
          let bytes = 0
          do bytes += bytesOf(batch[group[to++]!]!)
          while (to < group.length && to - from < MOST_ENTRIES && bytes < MOST_BYTES)
          const places = group.slice(from, to),
            entries = places.map(at => batch[at]!)
          const answered = await call({ tag: keys.tagOf(nameOf(entries[0]!)), entries })
          for (const [i, at] of places.entries()) answers[at] = answered[i]!
        }
      }
      await Promise.all([...groups.values()].map(callAll))
      return answers
    },
    async once(script, tag, names, args) {
      const token = free.pop() ?? tokens++,
        // One tag for all where that is possible, so that there are no more tokens than calls at a time.
        key = keys.token(link.oneSlot ? keys.tagOf('') : tag, `${store}.${token}`),
        number = ++calls
      try {
        const answer = await again(() => link.run(script, [key, ...names], [number, ...args]))
        if (answer === null) throw failureOf(new LinkError('broken', 'maybe', 'two stores have the same token'), link.name)
        return String(answer)
      } finally {
        free.push(token)
      }
    },
  }
}
