import { command } from '../command.ts'
import { eachQueue } from '../each-queue.ts'
import { TARGET_FLAGS } from '../target.ts'

export const resume = command({
  name: 'resume',
  usage: '<queue...>',
  summary: 'End the pause of these queues.',
  flags: TARGET_FLAGS,
  examples: ['greenroom resume mail', 'greenroom resume images mail'],
  arity: [1, Infinity],
  run: ({ positionals, values }, io) =>
    eachQueue(values, io, positionals, async ({ inspector }, queue) => {
      const { paused } = await inspector.counts(queue)
      await inspector.resume(queue)
      return paused ? `resumed ${queue}` : `${queue} was not paused`
    }),
})
