/** Several servers as one: they start side by side, all or none of them, and are asked until they agree. */
import { sleep, systemClock } from '../../lib/clock.ts'
import { type Daemon, type Kind, startDaemon } from './daemon.ts'

export async function startAll(kinds: readonly Kind[]): Promise<Daemon[]> {
  const started = await Promise.allSettled(kinds.map(startDaemon))
  const running = started.filter(one => one.status === 'fulfilled').map(({ value }) => value)
  const failed = started.find(one => one.status === 'rejected')
  if (!failed) return running
  await disposeAll(running)
  throw failed.reason
}

export async function disposeAll(daemons: readonly Daemon[]): Promise<void> {
  await Promise.all(daemons.map(one => one[Symbol.asyncDispose]()))
}

/** Servers tell nobody when they have found each other: they are asked so often. */
const EVERY_MS = 20
/** On a machine that is busy with other tests. */
const LONGEST_MS = 60_000

/** Asks until it is so; one that cannot be asked yet is asked again. Rejects with the sentence when it does not come to that. */
export async function until(sentence: string, isSo: () => Promise<boolean>): Promise<void> {
  const end = systemClock.monotonic() + LONGEST_MS
  for (let last: unknown = 'no'; systemClock.monotonic() < end; await sleep(systemClock, EVERY_MS)) {
    try {
      if (await isSo()) return
      last = 'no'
    } catch (error) {
      last = error
    }
    if (systemClock.monotonic() + EVERY_MS >= end) throw new Error(`${sentence}: not within ${LONGEST_MS} ms`, { cause: last })
  }
}
