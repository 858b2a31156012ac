import type { Entry } from '../../lib/broker.ts'
import { decodeFailure } from '../../lib/failure.ts'
import { reasonText } from '../../lib/problems.ts'
import { wholeOf } from '../args.ts'
import { command } from '../command.ts'
import { deadIn, existingQueues, oneQueue } from '../dead-letters.ts'
import { decoded, entryJson } from '../entry.ts'
import { EXIT } from '../exit.ts'
import { TARGET_FLAGS, withInspector } from '../target.ts'
import { cut, relative, safe, table } from '../text.ts'

const LIMIT = 20
/** Wider reasons are cut in the table; `dead show` has all of it. */
const REASON_WIDTH = 80

export const deadList = command({
  name: 'dead list',
  usage: '[queue]',
  summary: 'List messages that were given up, oldest first.',
  flags: {
    queue: { type: 'string', value: 'name', help: 'The same as the argument' },
    limit: { type: 'string', value: 'n', help: `At most so many (default ${LIMIT})` },
    json: { type: 'boolean', help: 'One line of JSON a message' },
    ...TARGET_FLAGS,
  },
  examples: ['greenroom dead list', 'greenroom dead list images --limit 100', 'greenroom dead list --json | jq -r .id'],
  arity: [0, 1],
  run: ({ positionals: [named], values }, io) =>
    withInspector(values, io, async opened => {
      const queue = oneQueue(named, values.queue)
      const {
        broker,
        inspector,
        internals: { encoder },
      } = opened
      const limit = wholeOf(values.limit ?? `${LIMIT}`, '--limit')
      const entries: Entry[] = []
      let dead = 0
      for (const name of await existingQueues(opened, queue)) {
        dead += (await inspector.counts(name)).dead
        if (entries.length >= limit) continue
        for await (const page of deadIn(opened, name)) {
          entries.push(...page.slice(0, limit - entries.length))
          if (entries.length >= limit) break
        }
      }
      if (values.json) for (const entry of entries) io.print(entryJson(entry, encoder))
      if (values.json) return EXIT.ok
      if (entries.length === 0)
        io.print(safe(`No dead letter in ${queue === undefined ? '' : `the queue ${queue} of `}${broker.name}`))
      else for (const line of table(['queue', 'id', 'actor', 'died', 'retries', 'reason'], entries.map(row))) io.print(line)
      if (dead > entries.length) io.print(`... and ${dead - entries.length} more; --limit shows them`)
      return EXIT.ok

      function row(entry: Entry): (string | number)[] {
        const {
          envelope: { id, queue, attempt },
          at,
          reason = '',
        } = entry
        const content = decoded(entry, encoder)
        const why = reasonText(reason, decodeFailure(entry.error))
        return [
          queue,
          id,
          'message' in content ? content.message.actor : '?',
          relative(at, io.clock.now()),
          attempt,
          cut(why, REASON_WIDTH),
        ]
      }
    }),
})
