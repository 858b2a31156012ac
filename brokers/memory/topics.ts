/** Topics of a memory store: what was appended, in order, and readers that wait for more. */
import type { Clock } from '../../lib/clock.ts'
import type { Store, TopicEntry } from '../../lib/store.ts'
import { expiring } from './expiring.ts'

/** The most entries that a topic keeps; the oldest go first. */
export const LONGEST_TOPIC = 100_000
/** The most that one read returns of a topic. */
const LONGEST_READ = 1_000
const SWEPT_A_CALL = 64

interface Line {
  readonly number: number
  readonly value: Uint8Array
  readonly until: number
}
/** What is before `start` has gone; it leaves the array when it is half of it, so that dropping one costs no copy of all. */
interface Topic {
  lines: Line[]
  start: number
  until: number
}
interface Reading {
  look(): void
  end(): void
}

export type Topics = Pick<Store, 'append' | 'read'> & { close(): void }

export function topics(clock: Clock): Topics {
  const kept = expiring<Topic>(),
    readers = new Map<string, Set<Reading>>()
  // One count for all topics, so that a cursor stays good when its topic ended and began again.
  let count = 0

  function linesAfter(name: string, after: string | undefined, now: number): readonly TopicEntry[] {
    const topic = kept.get(name, now),
      found: TopicEntry[] = []
    if (!topic) return found
    const { lines, start } = topic
    for (let at = firstAfter(lines, start, after); at < lines.length && found.length < LONGEST_READ; at++) {
      const { number, value, until } = lines[at]!
      if (now < until) found.push({ cursor: `${number}`, value })
    }
    return found
  }

  function add(name: string, value: Uint8Array, ttlMs: number, now: number): void {
    const topic = kept.get(name, now) ?? { lines: [], start: 0, until: 0 }
    topic.lines.push({ number: ++count, value, until: now + ttlMs })
    topic.until = Math.max(topic.until, now + ttlMs)
    while (
      topic.start < topic.lines.length &&
      (topic.lines[topic.start]!.until <= now || topic.lines.length - topic.start > LONGEST_TOPIC)
    )
      topic.start++
    if (topic.start * 2 > topic.lines.length) {
      topic.lines = topic.lines.slice(topic.start)
      topic.start = 0
    }
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
    close() {
      for (const those of readers.values()) for (const { end } of those) end()
    },
  }
}

/** Lines are in the order of their numbers: where the first one behind the cursor is. */
function firstAfter(lines: readonly Line[], start: number, cursor: string | undefined): number {
  const after = Number(cursor ?? -1)
  let low = start,
    high = lines.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (lines[middle]!.number <= after) low = middle + 1
    else high = middle
  }
  return low
}
