/** Topics of a memory store: what was appended, in order, and readers that wait for more. */
import type { Clock } from '../../lib/clock.ts'
import type { Store, TopicEntry } from '../../lib/store.ts'
import { expiring } from './expiring.ts'

/** The most entries that a topic keeps; the oldest go first. */
export const LONGEST_TOPIC = 100_000
/** The most that one read returns of a topic. */
const LONGEST_READ = 1_000
const SWEPT_A_CALL = 64

interface Line { readonly number: number, readonly value: Uint8Array, readonly until: number }
interface Topic { lines: Line[], until: number }
interface Reading { look(): void, end(): void }

export type Topics = Pick<Store, 'append' | 'read'> & { close(): void }

export function topics(clock: Clock): Topics {
  const kept = expiring<Topic>(), readers = new Map<string, Set<Reading>>()
  // One count for all topics, so that a cursor stays good when its topic ended and began again.
  let count = 0

  function linesAfter(name: string, after: string | undefined, now: number): readonly TopicEntry[] {
    const lines = kept.get(name, now)?.lines ?? []
    const found: TopicEntry[] = []
    for (let at = firstAfter(lines, after === undefined ? -1 : Number(after)); at < lines.length && found.length < LONGEST_READ; at++) {
      const { number, value, until } = lines[at]!
      if (now < until) found.push({ cursor: `${number}`, value })
    }
    return found
  }

  function add(name: string, value: Uint8Array, ttlMs: number, now: number): void {
    const topic = kept.get(name, now) ?? { lines: [], until: 0 }
    topic.lines.push({ number: ++count, value, until: now + ttlMs })
    topic.until = Math.max(topic.until, now + ttlMs)
    const ended = topic.lines.findIndex(({ until }) => now < until), tooMany = topic.lines.length - LONGEST_TOPIC
    // A tenth at a time once it is full: cutting the head off for each new line would copy all of them each time.
    if (ended > 0 || tooMany > LONGEST_TOPIC / 10) topic.lines.splice(0, Math.max(ended, tooMany))
    kept.set(name, topic, topic.until)
  }

  return {
    async append(entries) {
      const now = clock.now()
      kept.sweep(now, SWEPT_A_CALL)
      for (const { topic, value, ttlMs } of entries) add(topic, value, ttlMs, now)
      for (const { topic } of entries) for (const { look } of readers.get(topic) ?? []) look()
    },
    read(asked, { waitMs, signal }) {
      const look = () => asked.map(({ topic, after }) => linesAfter(topic, after, clock.now()))
      const found = look()
      if (waitMs <= 0 || signal?.aborted || found.some(({ length }) => length > 0)) return Promise.resolve(found)
      return new Promise(resolve => {
        const end = () => finish(look())
        const reading: Reading = {
          look() {
            const more = look()
            if (more.some(({ length }) => length > 0)) finish(more)
          },
          end,
        }
        const timer = clock.after(waitMs, end, { ref: false })
        signal?.addEventListener('abort', end, { once: true })
        for (const { topic } of asked) readers.set(topic, (readers.get(topic) ?? new Set()).add(reading))

        function finish(lines: readonly (readonly TopicEntry[])[]): void {
          timer.cancel()
          signal?.removeEventListener('abort', end)
          for (const { topic } of asked) {
            const others = readers.get(topic)
            if (others?.delete(reading) && others.size === 0) readers.delete(topic)
          }
          resolve(lines)
        }
      })
    },
    close() { for (const those of readers.values()) for (const { end } of those) end() },
  }
}

/** Lines are in the order of their numbers: where the first one above `after` is. */
function firstAfter(lines: readonly Line[], after: number): number {
  let low = 0, high = lines.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (lines[middle]!.number <= after) low = middle + 1
    else high = middle
  }
  return low
}
