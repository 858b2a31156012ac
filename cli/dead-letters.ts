/** Which dead letters a command is about: those of some ids, or all of them, in batches. */
import type { Entry } from '../lib/broker.ts'
import { nearest } from '../lib/did-you-mean.ts'
import { listed } from '../lib/errors.ts'
import { checkName } from '../lib/names.ts'
import type { Flags, Io } from './command.ts'
import { EXIT } from './exit.ts'
import { usage } from './failure.ts'
import { placeText } from './entry.ts'
import { each, lookUp, notThere, type Why } from './lookup.ts'
import type { Opened } from './target.ts'
import { listedShort, plural } from './text.ts'

export const CHOICE_FLAGS = {
  all: { type: 'boolean', help: 'All dead letters, of every queue or of --queue' },
  queue: { type: 'string', value: 'name', help: 'Of this queue only' },
} as const satisfies Flags

/** Small enough that no broker is held up by one. */
const BATCH = 100

/** The queue of the argument, or of --queue. @throws {CliError} for two */
export function oneQueue(named: string | undefined, flag: string | undefined): string | undefined {
  if (named !== undefined && flag !== undefined && named !== flag)
    throw usage(`Two queues are given, ${named} and ${flag}`, 'Give one; without any it is all of them')
  return named ?? flag
}

/** The queues that are meant. */
export const queuesOf = async ({ inspector }: Opened, queue: string | undefined): Promise<readonly string[]> =>
  queue === undefined ? inspector.queues() : [checkName(queue, 'queue')]

/** The same; a queue that was never used is probably a typing error. @throws {CliError} for one */
export async function existingQueues(opened: Opened, queue: string | undefined): Promise<readonly string[]> {
  const chosen = await queuesOf(opened, queue),
    all = queue === undefined ? chosen : await opened.inspector.queues()
  const ofActors = [...opened.internals.definitions.values()].map(({ queue }) => queue) // with --module: not yet used
  if (queue === undefined || all.includes(queue) || ofActors.includes(queue)) return chosen
  const near = nearest(queue, all)
  throw usage(
    `There is no queue ${queue} in ${opened.broker.name}`,
    `${near === undefined ? '' : `Did you mean ${near}? `}${all.length === 0 ? 'It has no queue yet' : `Queues: ${listedShort(all)}`}`,
  )
}

/** So many of one beginning are enough to show that it is not enough. */
const MOST_ALIKE = 3

/** The message of this id; or the one dead letter whose id begins so, as people copy less than all of it. */
export async function findDead(opened: Opened, id: string, queue: string | undefined): Promise<Entry | Why> {
  const exact = await lookUp(opened, id, queue)
  if (exact) return exact
  const found: Entry[] = []
  for (const name of await queuesOf(opened, queue)) {
    for await (const page of deadIn(opened, name)) {
      found.push(...page.filter(({ envelope }) => envelope.id.startsWith(id)))
      if (found.length >= MOST_ALIKE) break
    }
  }
  if (found.length === 1) return found[0]!
  if (found.length === 0) return { why: notThere(opened, queue) }
  const alike = found.slice(0, MOST_ALIKE).map(({ envelope }) => envelope.id)
  return { why: `several dead letters begin so: ${listed(alike)}. Give more of the id` }
}

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
  /** Whether the beginning of an id will do. */
  readonly byPrefix?: boolean
  /** Why nothing happened to a dead letter that is there. */
  readonly why: string
}

/** Does something to the dead letters that were chosen, and says how many they were. */
export async function toDead(
  opened: Opened,
  ids: readonly string[],
  { all = false, queue }: { readonly all?: boolean; readonly queue?: string },
  io: Io,
  { did, act, why, byPrefix = false }: Deed,
): Promise<number> {
  if (all === ids.length > 0)
    throw usage(all ? 'Both ids and --all are given' : 'Nothing is chosen', 'Give ids, or --all, with --queue for one queue only')
  if (!all) {
    const one = async ({ envelope, place }: Entry) => {
      if (place !== 'dead') return { why: `it is not dead (${placeText(place)})` }
      return (await act(envelope.queue, [envelope.id])) === 1 ? { did } : { why }
    }
    return each(opened, ids, queue, io, one, ...(byPrefix ? [findDead] : []))
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
