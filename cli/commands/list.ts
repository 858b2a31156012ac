import type { Entry, Inspector, Place } from '../../lib/broker.ts'
import { GreenroomError, listed } from '../../lib/errors.ts'
import { shown } from '../../lib/duration.ts'
import { STATES } from '../../lib/handle.ts'
import { wholeOf } from '../args.ts'
import { command } from '../command.ts'
import { existingQueues, oneQueue } from '../dead-letters.ts'
import { decoded, entryJson } from '../entry.ts'
import { EXIT } from '../exit.ts'
import { usage } from '../failure.ts'
import { TARGET_FLAGS, withInspector } from '../target.ts'
import { cut, relative, safe, table } from '../text.ts'

const LIMIT = 20
/** Wider arguments are cut in the table; `show` has all of them. */
const ARGS_WIDTH = 60
/** Small enough that no broker is held up by one. */
const PAGE = 100

type Alive = Exclude<Place, 'dead'>
/** What is listed, in this order; a suspect is waiting too, and taken before the others. */
const PLACES: readonly Alive[] = ['leased', 'suspect', 'ready', 'delayed']

export const list = command({
  name: 'list',
  usage: '[queue]',
  summary: 'List messages that run, wait or are delayed, in the order in which they are taken.',
  notes: ['It shows the arguments: they may be private. greenroom dead list shows what was given up.'],
  flags: {
    state: { type: 'string', value: 'word', help: 'Only those that are running, waiting or delayed' },
    queue: { type: 'string', value: 'name', help: 'The same as the argument' },
    limit: { type: 'string', value: 'n', help: `At most so many (default ${LIMIT})` },
    json: { type: 'boolean', help: 'One line of JSON a message' },
    ...TARGET_FLAGS,
  },
  examples: ['greenroom list', 'greenroom list images --state delayed --limit 100', 'greenroom list --json | jq -r .id'],
  arity: [0, 1],
  run: ({ positionals: [named], values }, io) =>
    withInspector(values, io, async opened => {
      const queue = oneQueue(named, values.queue)
      const { broker, inspector, internals } = opened
      if (!broker.capabilities.peek) {
        throw new GreenroomError('BROKER_UNSUPPORTED', `${broker.name} cannot list messages`, {
          help: 'greenroom queues counts them, greenroom dead list shows its dead letters',
        })
      }
      const places = placesOf(values.state),
        limit = wholeOf(values.limit ?? `${LIMIT}`, '--limit')
      const entries: Entry[] = []
      let there = 0
      for (const name of await existingQueues(opened, queue)) {
        const counts = await inspector.counts(name)
        for (const place of places) {
          there += counts[place]
          entries.push(...(await first(inspector, name, place, limit - entries.length)))
        }
      }
      if (values.json) for (const entry of entries) io.print(entryJson(entry, internals.encoder))
      if (values.json) return EXIT.ok
      if (entries.length === 0)
        io.print(safe(`No such message in ${queue === undefined ? '' : `the queue ${queue} of `}${broker.name}`))
      else
        for (const line of table(['queue', 'id', 'actor', 'state', 'retries', 'age', 'due', 'args'], entries.map(row)))
          io.print(line)
      if (there > entries.length) io.print(`... and ${there - entries.length} more; --limit shows them`)
      return EXIT.ok

      function row(entry: Entry): (string | number)[] {
        const { envelope, place, at, dueAt } = entry
        const content = decoded(entry, internals.encoder),
          now = io.clock.now()
        return [
          envelope.queue,
          envelope.id,
          'message' in content ? content.message.actor : '?',
          place === 'suspect' ? 'suspect' : STATES[place],
          envelope.attempt,
          relative(at, now),
          dueAt === undefined ? '-' : relative(dueAt, now),
          'message' in content ? argsText(content.message.args) : cut(`undecodable: ${content.inShort}`, ARGS_WIDTH),
        ]
      }
    }),
})

/** @throws {CliError} */
function placesOf(state: string | undefined): readonly Alive[] {
  const places = PLACES.filter(place => state === undefined || STATES[place] === state)
  if (places.length > 0) return places
  const words = listed(new Set(PLACES.map(place => STATES[place])))
  throw usage(`--state cannot be ${shown(state)}`, state === 'dead' ? 'Use greenroom dead list' : `It is one of ${words}`)
}

/** As `send` takes them. */
const argsText = (args: readonly unknown[]): string => cut(args.map(arg => JSON.stringify(arg)).join(' '), ARGS_WIDTH)

async function first(inspector: Inspector, queue: string, place: Place, most: number): Promise<readonly Entry[]> {
  const entries: Entry[] = []
  let cursor: string | undefined
  while (entries.length < most) {
    const limit = Math.min(PAGE, most - entries.length)
    const page = await inspector.list(queue, place, { limit, ...(cursor === undefined ? {} : { cursor }) })
    entries.push(...page.entries)
    cursor = page.cursor
    if (cursor === undefined) break
  }
  return entries
}
