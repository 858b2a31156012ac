import { command } from '../command.ts'
import { entryJson, entryLines } from '../entry.ts'
import { EXIT } from '../exit.ts'
import { lookUp, notThere, QUEUE_FLAG } from '../lookup.ts'
import { TARGET_FLAGS, withInspector } from '../target.ts'
import { safe } from '../text.ts'

export const show = command({
  name: 'show',
  usage: '<id>',
  summary: 'Show a message: its state, options, arguments, and the error of a dead one.',
  notes: ['It shows the arguments: they may be private.'],
  flags: { json: { type: 'boolean', help: 'One line of JSON' }, ...QUEUE_FLAG, ...TARGET_FLAGS },
  examples: ['greenroom show 0b5d4c1e-6f0a-4f43-9a57-3f1f0d7f8f11', 'greenroom show invoice-42 --queue mail --json'],
  arity: [1, 1],
  run: ({ positionals: [id = ''], values }, io) =>
    withInspector(values, io, async opened => {
      const entry = await lookUp(opened, id, values.queue)
      const { encoder } = opened.internals
      if (!entry) {
        io.error(safe(`greenroom: ${id}: ${notThere(opened, values.queue)}`))
        return EXIT.usage
      }
      if (values.json) io.print(entryJson(entry, encoder))
      else for (const line of entryLines(entry, encoder, io.clock.now())) io.print(line)
      return EXIT.ok
    }),
})
