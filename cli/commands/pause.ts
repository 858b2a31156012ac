import { command } from '../command.ts'
import { eachQueue } from '../each-queue.ts'
import { TARGET_FLAGS } from '../target.ts'

export const pause = command({
  name: 'pause',
  usage: '<queue...>',
  summary: 'Let no worker take anything from these queues, until they are resumed.',
  notes: ['What runs goes on, and sends are stored. A pause outlives restarts of workers and of the broker where messages do.'],
  flags: TARGET_FLAGS,
  examples: ['greenroom pause mail', 'greenroom pause images mail'],
  arity: [1, Infinity],
  run: ({ positionals, values }, io) =>
    eachQueue(values, io, positionals, async ({ inspector }, queue) => {
      await inspector.pause(queue)
      const { leased } = await inspector.counts(queue)
      return `paused ${queue}${leased > 0 ? `; ${leased} still running` : ''}`
    }),
})
