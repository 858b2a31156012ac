import { once } from 'node:events'
import { sleep } from '../../lib/clock.ts'
import { shortDuration } from '../../lib/duration.ts'
import { durationOf } from '../args.ts'
import { command, type Io } from '../command.ts'
import { EXIT } from '../exit.ts'
import { lineOf, usage } from '../failure.ts'
import { type Opened, TARGET_FLAGS, withInspector } from '../target.ts'
import { safe, table } from '../text.ts'

const EVERY_MS = 2_000
/** A broker is asked at most so often, whatever a person types. */
const EVERY_MIN_MS = 200
/** To the upper left, and the rest of the screen away. */
const CLEAR = '\u001b[H\u001b[J'

export const queues = command({
  name: 'queues',
  usage: '',
  summary: 'Show how many messages each queue holds, and in which state.',
  notes: [
    'waiting: ready to run; delayed: until its time, or its next run; running: held by a worker; suspect: its workers died with it.',
    'oldest: how long the oldest waiting one has been ready. --json has the words of the broker: ready for waiting, leased for running.',
  ],
  flags: {
    json: { type: 'boolean', help: 'One line of JSON a queue' },
    watch: { type: 'boolean', short: 'w', help: 'Again and again, until Ctrl-C' },
    every: { type: 'string', value: 'duration', help: `How often with --watch (default ${shortDuration(EVERY_MS)})` },
    ...TARGET_FLAGS,
  },
  examples: [
    'greenroom queues',
    'greenroom queues --json | jq .ready',
    'greenroom queues --watch --every 500ms',
    'GREENROOM_BROKER=file:/var/lib/app greenroom queues',
  ],
  arity: [0, 0],
  async run({ values }, io) {
    if (values.every !== undefined && !values.watch) throw usage('--every says how often --watch looks', 'Add --watch')
    const everyMs = Math.max(EVERY_MIN_MS, values.every === undefined ? EVERY_MS : durationOf(values.every, '--every'))
    const show = values.json ? asJson : asTable
    return withInspector(values, io, async opened => {
      if (!values.watch) for (const line of await show(opened)) io.print(line)
      else await watch(io, everyMs, !values.json, () => show(opened))
      return EXIT.ok
    })
  },
})

/** Prints what `look` answers until somebody stops it. A broker that is away for a while is told of, and asked again. @param isDated: each has its time above it, where it is kept */
async function watch(io: Io, everyMs: number, isDated: boolean, look: () => Promise<readonly string[]>): Promise<void> {
  const stop = new AbortController()
  const off = io.onStop(() => stop.abort())
  const stopped = once(stop.signal, 'abort')
  while (!stop.signal.aborted) {
    const lines = await Promise.race([look().catch((error: unknown) => [`greenroom: ${lineOf(error)}`]), stopped])
    if (stop.signal.aborted) break
    const head = io.isTerminal ? CLEAR : isDated ? `${new Date(io.clock.now()).toISOString()}\n` : ''
    io.print(`${head}${lines.join('\n')}`)
    await sleep(io.clock, everyMs, { signal: stop.signal }).catch(() => {})
  }
  off()
}

const countsOf = async ({ inspector }: Opened) =>
  Promise.all((await inspector.queues()).map(async queue => ({ queue, ...(await inspector.counts(queue)) })))

const asJson = async (opened: Opened) => (await countsOf(opened)).map(counts => safe(JSON.stringify(counts)))

async function asTable(opened: Opened): Promise<string[]> {
  const {
    broker,
    internals: { namespace },
  } = opened
  const all = await countsOf(opened),
    place = safe(`${broker.name} (namespace ${namespace})`)
  if (all.length === 0) return [place, 'It has no queue yet.']
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
  return [place, ...table(head, rows)]
}
