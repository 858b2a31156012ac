import { GreenroomError } from '../../lib/errors.ts'
import { command } from '../command.ts'
import { each, QUEUE_FLAG } from '../lookup.ts'
import { TARGET_FLAGS, withInspector } from '../target.ts'

export const remove = command({
  name: 'remove',
  usage: '<id...>',
  summary: 'Take messages away before they run. One that runs is left alone.',
  flags: { ...QUEUE_FLAG, ...TARGET_FLAGS },
  examples: ['greenroom remove invoice-42', 'greenroom remove invoice-42 invoice-43 --queue mail'],
  arity: [1, Infinity],
  run: ({ positionals, values }, io) =>
    withInspector(values, io, async opened => {
      const { broker, inspector } = opened
      if (!broker.capabilities.removal) {
        throw new GreenroomError('BROKER_UNSUPPORTED', `${broker.name} cannot take a single message out of a queue`, {
          help: "Let it run and do nothing, or use the broker's own tools",
        })
      }
      return each(opened, positionals, values.queue, io, async ({ envelope: { queue, id } }) => {
        const answer = await inspector.remove(queue, id)
        if (answer === 'removed') return { did: 'removed' }
        return { why: answer === 'leased' ? 'it is running now; wait until it is done or has failed' : 'it has just gone' }
      })
    }),
})
