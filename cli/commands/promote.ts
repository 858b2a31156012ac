import { GreenroomError } from '../../lib/errors.ts'
import { command } from '../command.ts'
import { placeText } from '../entry.ts'
import { each, QUEUE_FLAG } from '../lookup.ts'
import { TARGET_FLAGS, withInspector } from '../target.ts'

export const promote = command({
  name: 'promote',
  usage: '<id...>',
  summary: 'Make delayed messages ready now, also those that wait for their next attempt.',
  flags: { ...QUEUE_FLAG, ...TARGET_FLAGS },
  examples: ['greenroom promote invoice-42', 'greenroom promote invoice-42 --queue mail'],
  arity: [1, Infinity],
  run: ({ positionals, values }, io) =>
    withInspector(values, io, async opened => {
      const { broker, inspector } = opened
      if (!broker.capabilities.removal) {
        throw new GreenroomError('BROKER_UNSUPPORTED', `${broker.name} cannot make a single delayed message ready`, {
          help: 'Remove the delay where it is sent',
        })
      }
      return each(opened, positionals, values.queue, io, async ({ envelope: { queue, id }, place }) => {
        const answer = await inspector.promote(queue, id)
        if (answer === 'promoted') return { did: 'promoted' }
        return {
          why:
            answer === 'missing'
              ? 'it has just gone'
              : `it is not delayed (${placeText(place)})${place === 'dead' ? '; greenroom dead revive makes it ready' : ''}`,
        }
      })
    }),
})
