import { shortDuration } from '../../lib/duration.ts'
import { command } from '../command.ts'
import { EXIT } from '../exit.ts'
import { TARGET_FLAGS, withInspector } from '../target.ts'
import { safe, table } from '../text.ts'

export const queues = command({
  name: 'queues',
  usage: '',
  summary: 'Show how many messages each queue holds, and in which state.',
  notes: [
    'waiting: ready to run; delayed: until its time, or its next run; running: held by a worker; suspect: its workers died with it.',
    'oldest: how long the oldest waiting one has been ready. --json has the words of the broker: ready for waiting, leased for running.',
  ],
  flags: { json: { type: 'boolean', help: 'One line of JSON a queue' }, ...TARGET_FLAGS },
  examples: ['greenroom queues', 'greenroom queues --json | jq .ready', 'GREENROOM_BROKER=file:/var/lib/app greenroom queues'],
  arity: [0, 0],
  run: ({ values }, io) =>
    withInspector(values, io, async ({ broker, inspector, internals: { namespace } }) => {
      const names = await inspector.queues()
      const all = await Promise.all(names.map(async queue => ({ queue, ...(await inspector.counts(queue)) })))
      if (values.json) for (const counts of all) io.print(safe(JSON.stringify(counts)))
      if (values.json) return EXIT.ok
      io.print(safe(`${broker.name} (namespace ${namespace})`))
      if (all.length === 0) io.print('It has no queue yet.')
      const head = ['queue', 'waiting', 'delayed', 'running', 'suspect', 'dead', 'oldest', 'paused']
      const rows = all.map(({ queue, ready, delayed, leased, suspect, dead, oldestMs, paused }) => [
        queue,
        ready,
        delayed,
        leased,
        suspect,
        dead,
        oldestMs > 0 ? shortDuration(oldestMs) : '-',
        paused ? 'paused' : '-',
      ])
      if (all.length > 0) for (const line of table(head, rows)) io.print(line)
      return EXIT.ok
    }),
})
