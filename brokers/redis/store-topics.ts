/** Reading topics: a look at what is there; and when that is nothing, a wait for whoever appends to say so. */
import type { Clock } from '../../lib/clock.ts'
import { onAbort } from '../../lib/on-abort.ts'
import type { Store, TopicEntry } from '../../lib/store.ts'
import type { Link } from './link.ts'
import type { Calls } from './store-calls.ts'
import type { StoreKeys } from './store-keys.ts'

/** The most that one read returns of a topic, and about how many bytes of it. */
const LONGEST_READ = 1_000
const MOST_BYTES = 4 * 1_048_576
/** Of an entry, before its value: its number, and when it ends. */
const HEAD = 14

type Asked = Parameters<Store['read']>[0][number]
type Found = readonly (readonly TopicEntry[])[]

export interface TopicsParts {
  readonly link: Link
  readonly keys: StoreKeys
  readonly calls: Calls
  readonly clock: Clock
  /** Aborted when the store is closed. */
  readonly over: AbortSignal
}

export function topicReader({ link, keys, calls, clock, over }: TopicsParts): Store['read'] {
  const look = (asked: readonly Asked[]): Promise<Found> =>
    calls.each(asked, { nameOf: ({ topic }) => topic }, async ({ entries }) => {
      const after = entries.map(entry => entry.after ?? '0'),
        answers: TopicEntry[][] = entries.map(() => [])
      // A topic may begin with many that have ended: then the answer says only where to go on.
      for (let open = [...entries.keys()]; open.length > 0;) {
        const reply = (await calls.again(() =>
          link.run(
            'store-read',
            open.map(at => keys.keyOf('t', entries[at]!.topic)),
            [LONGEST_READ, MOST_BYTES, ...open.map(at => after[at]!)],
          ),
        )) as readonly (readonly [number | Buffer, ...Buffer[]])[]
        const read = open
        open = []
        for (const [i, [goOn, ...found]] of reply.entries()) {
          const at = read[i]!
          answers[at] = found.map(readEntry)
          if (typeof goOn === 'number') continue
          after[at] = String(goOn)
          open.push(at)
        }
      }
      return answers
    })

  return (asked, { waitMs, signal }) => {
    const nothing: Found = asked.map(() => [])
    if (signal?.aborted) return Promise.resolve(nothing)
    return new Promise((resolve, reject) => {
      const endings: (() => void)[] = []
      const end = () => finish(nothing)
      let isLooking = false,
        isWoken = false,
        isLate = waitMs <= 0,
        isOver = false

      function close(): boolean {
        if (isOver) return false
        isOver = true
        for (const ending of endings) ending()
        return true
      }
      function finish(found: Found): void {
        if (close()) resolve(found)
      }
      function fail(error: unknown): void {
        if (close()) reject(error)
      }
      /** One at a time; what is appended meanwhile is looked for once more. */
      async function lookNow(): Promise<void> {
        isWoken = true
        if (isLooking) return
        isLooking = true
        while (isWoken && !isOver) {
          isWoken = false
          const wasLate = isLate,
            found = await look(asked)
          if (wasLate || found.some(({ length }) => length > 0)) finish(found)
        }
        isLooking = false
      }
      const wake = () => void lookNow().catch(fail)

      for (const one of signal ? [signal, over] : [over]) endings.push(onAbort(one, end))
      if (waitMs > 0) {
        const timer = clock.after(
          waitMs,
          () => {
            isLate = true
            wake()
          },
          { ref: false },
        )
        endings.push(() => timer.cancel())
      }
      lookNow().then(() => {
        if (isOver) return
        // It tells at once from when on it hears, and that is looked for again: nothing falls in between.
        for (const topic of new Set(asked.map(({ topic }) => topic))) endings.push(link.listen(keys.keyOf('t', topic), wake))
      }, fail)
    })
  }
}

const readEntry = (entry: Buffer): TopicEntry => ({ cursor: `${entry.readBigUInt64BE(0)}`, value: entry.subarray(HEAD) })
