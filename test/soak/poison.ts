/**
 * One message that kills its process each time, among many that do not, under the command line with four processes: it is a dead
 * letter after exactly `maxDeliveries`, and none of its neighbours is one.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { embeddedBroker } from '../../brokers/embedded/index.ts'
import { greenroom } from '../../index.ts'
import { root } from '../root.ts'
import { judge } from './judge.ts'
import { deadOf, drained } from './kills.ts'
import { readMarks } from './marks.ts'
import { atLeast, atMost, count, exactly, note, scenario, seeded, shown } from './scenario.ts'

const PROCESSES = 4
const MAX_DELIVERIES = 5
const BATCH = 5_000

/** The actors, as a user would write them. */
const JOBS = (url: string, folder: string) => `
import { current, greenroom } from 'greenroom'
import { openMarks } from ${JSON.stringify(join(root, '.build/test/soak/marks.js'))}
const app = greenroom({ broker: ${JSON.stringify(url)} })
const { mark } = openMarks(${JSON.stringify(folder)})
app.actor(async (n, poison) => {
  const { attempt, deliveries } = current()
  mark('start', n, attempt, deliveries)
  if (poison) process.kill(process.pid, 'SIGKILL')
  if (n % 16 === 0) await new Promise(resolve => setTimeout(resolve, 2))
  mark('end', n, attempt, deliveries)
}, { name: 'work', maxRetries: 0 })
`

export const poison = scenario({
  name: 'poison',
  summary: 'one message that kills its process, among others, under greenroom worker --processes 4',
  flags: { neighbours: count(10_000, 10_000, 'messages that kill nobody') },
  async run({ neighbours }, { seed, folder }) {
    const url = `file:${join(folder, 'queue')}`,
      broker = embeddedBroker({ path: join(folder, 'queue') }),
      app = greenroom({ broker }),
      work = app.declare<(n: number, poison: boolean) => void>('work')
    const guilty = Math.floor(seeded(seed)() * neighbours),
      size = neighbours + 1
    for (let from = 0; from < size; from += BATCH)
      await work.sendMany(
        Array.from({ length: Math.min(BATCH, size - from) }, (_, i): [number, boolean] => [from + i, from + i === guilty]),
      )
    mkdirSync(join(folder, 'node_modules'))
    symlinkSync(root, join(folder, 'node_modules/greenroom'))
    writeFileSync(join(folder, 'jobs.mjs'), JOBS(url, folder))
    const { GREENROOM_FAIL: _, ...env } = process.env
    const parent = spawn(
      process.execPath,
      [join(root, 'dist/esm/cli/main.js'), 'worker', 'jobs.mjs', '--processes', `${PROCESSES}`, '--concurrency', '16'],
      { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] },
    )
    let told = ''
    for (const stream of [parent.stdout, parent.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (told += text))
    const ended = once(parent, 'close')
    try {
      await drained(broker)
      parent.kill('SIGTERM')
      const [code] = (await ended) as [number | null]
      const page = await broker.inspector!.list('default', 'dead'),
        dead = await deadOf(broker)
      const killed = new Set<number>(),
        delivered: number[] = []
      for (const { n, kind, pid, deliveries } of readMarks(folder))
        if (n === guilty && kind === 'start') {
          killed.add(pid)
          delivered.push(deliveries)
        }
      const found = judge({ size, acked: () => true, dead: new Set(dead), faulty: killed, marks: readMarks(folder) })
      return [
        exactly('times that the poison was run', MAX_DELIVERIES, delivered.length),
        exactly('and counted by one each', 0, delivered.filter((deliveries, i) => deliveries !== i + 1).length),
        exactly('dead letters', 1, dead.length),
        exactly('the poison among them', guilty, dead[0] ?? NaN),
        exactly('its reason says crash loop', 1, Number(page.entries[0]?.reason?.startsWith('crash loop') ?? false)),
        atLeast('neighbours that ran', neighbours, found.ran),
        exactly('lost', 0, found.lost.length),
        exactly('ran again without a reason', 0, found.unexplained.length),
        atMost('ran again for one death', 16 + 512, found.perFault),
        exactly('the exit code of the command line', 0, code ?? NaN),
        note('ran again, in all', shown(found.again)),
      ]
    } catch (error) {
      throw new Error(`${(error as Error).message}; the command line said:\n${told.slice(-2_000)}`, { cause: error })
    } finally {
      parent.kill('SIGKILL')
      await app.close()
      await broker[Symbol.asyncDispose]()
    }
  },
})
