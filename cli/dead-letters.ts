/** Which dead letters a command is about: those of some ids, or all of them, in batches. */
import type { Entry } from '../lib/broker.ts'
import { checkName } from '../lib/names.ts'
import type { Flags, Io } from './command.ts'
import { EXIT } from './exit.ts'
import { usage } from './failure.ts'
import { each } from './lookup.ts'
import type { Opened } from './target.ts'
import { plural } from './text.ts'

export const CHOICE_FLAGS = {
  all: { type: 'boolean', help: 'All dead letters, of every queue or of --queue' },
  queue: { type: 'string', value: 'name', help: 'Of this queue only' },
} as const satisfies Flags

/** Small enough that no broker is held up by one. */
const BATCH = 100

/** The queues that are meant. */
export const queuesOf = async ({ inspector }: Opened, queue: string | undefined): Promise<readonly string[]> =>
  queue === undefined ? inspector.queues() : [checkName(queue, 'queue')]

/** The dead letters of a queue, oldest first, a page at a time; no more than there were at the start, as what is revived may die again. */
export async function* deadIn({ inspector }: Opened, queue: string): AsyncGenerator<readonly Entry[], void> {
  let left = (await inspector.counts(queue)).dead,
    cursor: string | undefined
  while (left > 0) {
    const page = await inspector.list(queue, 'dead', {
      limit: Math.min(left, BATCH),
      ...(cursor === undefined ? {} : { cursor }),
    })
    yield page.entries
    left -= page.entries.length
    cursor = page.cursor
    if (cursor === undefined) return
  }
}

export interface Deed {
  /** `revived`. */
  readonly did: string
  act(queue: string, ids: readonly string[]): Promise<number>
  /** Why nothing happened to a dead letter that is there. */
  readonly why: string
}

/** Does something to the dead letters that were chosen, and says how many they were. */
export async function toDead(
  opened: Opened,
  ids: readonly string[],
  { all = false, queue }: { readonly all?: boolean; readonly queue?: string },
  io: Io,
  { did, act, why }: Deed,
): Promise<number> {
  if (all === ids.length > 0)
    throw usage(all ? 'Both ids and --all are given' : 'Nothing is chosen', 'Give ids, or --all, with --queue for one queue only')
  if (!all) {
    return each(opened, ids, queue, io, async ({ envelope, place }) => {
      if (place !== 'dead') return { why: `it is not dead (${place})` }
      return (await act(envelope.queue, [envelope.id])) === 1 ? { did } : { why }
    })
  }
  let found = 0,
    done = 0
  for (const name of await queuesOf(opened, queue)) {
    for await (const entries of deadIn(opened, name)) {
      found += entries.length
      done += await act(
        name,
        entries.map(({ envelope: { id } }) => id),
      )
    }
  }
  io.print(`${did} ${plural(done, 'dead letter')}`)
  if (done < found) io.error(`greenroom: ${plural(found - done, 'dead letter')} left: ${why}`)
  return EXIT.ok
}
