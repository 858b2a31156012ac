import { checkName } from '../../lib/names.ts'
import { command } from '../command.ts'
import { deadIn, existingQueues, oneQueue } from '../dead-letters.ts'
import { entryJson } from '../entry.ts'
import { EXIT } from '../exit.ts'
import { TARGET_FLAGS, withInspector } from '../target.ts'
import { plural } from '../text.ts'

export const deadExport = command({
  name: 'dead export',
  usage: '[queue]',
  summary:
    'Print all dead letters as JSON, one a line, with the bytes of their bodies: to keep them, or to look at them elsewhere.',
  notes: [
    'The fields of dead list --json, and bodyBase64: the body as it was sent. Nothing is deleted; greenroom dead drop does that.',
    'How many there were is said on standard error.',
  ],
  flags: { queue: { type: 'string', value: 'name', help: 'The same as the argument' }, ...TARGET_FLAGS },
  examples: ['greenroom dead export > dead.ndjson', 'greenroom dead export mail | jq -r .bodyBase64'],
  arity: [0, 1],
  run: ({ positionals: [named], values }, io) =>
    withInspector(values, io, async opened => {
      const queue = oneQueue(named, values.queue)
      if (queue !== undefined) checkName(queue, 'queue')
      let exported = 0
      for (const name of await existingQueues(opened, queue)) {
        for await (const page of deadIn(opened, name)) {
          for (const entry of page) io.print(entryJson(entry, opened.internals.encoder, { withBody: true }))
          exported += page.length
        }
      }
      io.error(`greenroom: ${plural(exported, 'dead letter')}`)
      return EXIT.ok
    }),
})
