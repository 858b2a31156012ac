import { command } from '../command.ts'
import { entryJson, entryLines, STATES } from '../entry.ts'
import { EXIT } from '../exit.ts'
import { lookUp, notThere, QUEUE_FLAG } from '../lookup.ts'
import { TARGET_FLAGS, withInspector } from '../target.ts'
import { safe } from '../text.ts'

export const deadShow = command({
  name: 'dead show',
  usage: '<id>',
  summary: 'Show a dead letter: why it died, its last error with the stack, its arguments.',
  flags: { json: { type: 'boolean', help: 'One line of JSON' }, ...QUEUE_FLAG, ...TARGET_FLAGS },
  examples: ['greenroom dead show invoice-42', 'greenroom dead show invoice-42 --json'],
  arity: [1, 1],
  run: ({ positionals: [id = ''], values }, io) =>
    withInspector(values, io, async opened => {
      const entry = await lookUp(opened, id, values.queue)
      const { encoder } = opened.internals
      if (entry?.place !== 'dead') {
        io.error(
          safe(
            `greenroom: ${id}: ${entry ? `it is not dead (${STATES[entry.place]}). greenroom show shows it` : notThere(opened, values.queue)}`,
          ),
        )
        return EXIT.usage
      }
      if (values.json) io.print(entryJson(entry, encoder))
      else for (const line of entryLines(entry, encoder, io.clock.now())) io.print(line)
      return EXIT.ok
    }),
})
