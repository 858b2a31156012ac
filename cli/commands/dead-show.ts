import { command } from '../command.ts'
import { findDead } from '../dead-letters.ts'
import { entryJson, entryLines, placeText } from '../entry.ts'
import { EXIT } from '../exit.ts'
import { QUEUE_FLAG } from '../lookup.ts'
import { TARGET_FLAGS, withInspector } from '../target.ts'
import { safe } from '../text.ts'

export const deadShow = command({
  name: 'dead show',
  usage: '<id>',
  summary: 'Show a dead letter: why it died, its last error with the stack, its arguments.',
  notes: ['The beginning of an id will do where no other dead letter begins so.'],
  flags: { json: { type: 'boolean', help: 'One line of JSON' }, ...QUEUE_FLAG, ...TARGET_FLAGS },
  examples: ['greenroom dead show invoice-42', 'greenroom dead show invoice-42 --json'],
  arity: [1, 1],
  run: ({ positionals: [id = ''], values }, io) =>
    withInspector(values, io, async opened => {
      const found = await findDead(opened, id, values.queue)
      const { encoder } = opened.internals
      if ('why' in found || found.place !== 'dead') {
        const why = 'why' in found ? found.why : `it is not dead (${placeText(found.place)}). greenroom show shows it`
        io.error(safe(`greenroom: ${id}: ${why}`))
        return EXIT.usage
      }
      if (values.json) io.print(entryJson(found, encoder))
      else for (const line of entryLines(found, encoder, io.clock.now())) io.print(line)
      return EXIT.ok
    }),
})
