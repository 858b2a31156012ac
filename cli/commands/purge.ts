import { command } from '../command.ts'
import { existingQueues } from '../dead-letters.ts'
import { EXIT } from '../exit.ts'
import { usage } from '../failure.ts'
import { TARGET_FLAGS, withInspector } from '../target.ts'
import { plural, safe } from '../text.ts'

export const purge = command({
  name: 'purge',
  usage: '<queue...>',
  summary: 'Delete what waits and what is delayed in these queues, for ever. What runs, and dead letters, stay.',
  notes: ['Without --yes it deletes nothing, and says how much it would. greenroom dead drop --all deletes dead letters.'],
  flags: { yes: { type: 'boolean', short: 'y', help: 'Really delete' }, ...TARGET_FLAGS },
  examples: ['greenroom purge mail', 'greenroom purge mail --yes'],
  arity: [1, Infinity],
  run: ({ positionals, values }, io) =>
    withInspector(values, io, async opened => {
      const { inspector } = opened,
        names = [...new Set(positionals)]
      for (const name of names) await existingQueues(opened, name)
      if (!values.yes) {
        const counts = await Promise.all(names.map(queue => inspector.counts(queue)))
        const there = counts.reduce((sum, { ready, delayed, suspect }) => sum + ready + delayed + suspect, 0)
        throw usage(`This would delete ${plural(there, 'message')} for ever`, 'Add --yes if that is meant; nothing was deleted')
      }
      for (const name of names) io.print(safe(`deleted ${plural(await inspector.purge(name), 'message')} of the queue ${name}`))
      return EXIT.ok
    }),
})
