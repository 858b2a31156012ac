/** Those who wait for a connection; and how long one waits between two attempts to make it. */
import { type Clock, sleep } from '../../lib/clock.ts'
import type { Random } from '../../lib/ids.ts'

export interface Waiters {
  /** Resolves or rejects as `settle` says, or rejects with the signal's reason. */
  wait(signal?: AbortSignal): Promise<void>
  settle(error?: Error): void
}

export function waiters(): Waiters {
  const all = new Set<(error?: Error) => void>()
  return {
    wait: signal =>
      new Promise((resolve, reject) => {
        const settled = (error?: Error) => {
          all.delete(settled)
          signal?.removeEventListener('abort', abort)
          if (error === undefined) resolve()
          else reject(error)
        }
        const abort = () => settled(signal!.reason as Error)
        all.add(settled)
        signal?.addEventListener('abort', abort)
        if (signal?.aborted) abort()
      }),
    settle(error) {
      for (const settled of all) settled(error)
    },
  }
}

const FIRST_MS = 20
export const LONGEST_PAUSE_MS = 500

/** Before the first repetition (0) there is none, then longer and longer ones. Half of each is chance, so that clients do not come back all at once. */
export async function pause(times: number, clock: Clock, random: Random, signal: AbortSignal): Promise<void> {
  if (times === 0 || signal.aborted) return
  const longest = Math.min(LONGEST_PAUSE_MS, FIRST_MS * 2 ** Math.min(times - 1, 10))
  await sleep(clock, (longest * (1 + random())) / 2, { signal }).catch(() => {})
}
