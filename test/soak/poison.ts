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
import { openLedger } from '../rig/ledger.ts'
import { seeded } from '../rig/random.ts'
import { drained, judged } from './judged.ts'
import { atMost, count, exactly, note, scenario, shown } from './scenario.ts'

const PROCESSES = 4
const CONCURRENCY = 16
/** What had ended in a worker and was not yet settled, at most. */
const UNSETTLED = 512
const MAX_DELIVERIES = 5
const BATCH = 5_000

/** The actors, as a user would write them. */
const JOBS = (url: string, folder: string) => `
import { current, greenroom } from 'greenroom'
import { machineMs } from ${JSON.stringify(join(root, '.build/lib/clock.js'))}
import { openLedger } from ${JSON.stringify(join(root, '.build/test/rig/ledger.js'))}
const app = greenroom({ broker: ${JSON.stringify(url)} })
const ledger = openLedger(${JSON.stringify(folder)})
ledger.opened()
app.actor(async (n, poison) => {
  const { attempt, deliveries } = current()
  ledger.start(n, attempt, deliveries)
  if (poison) {
    ledger.fault('kill', process.pid, machineMs(), machineMs())
    process.kill(process.pid, 'SIGKILL')
  }
  if (n % 16 === 0) await new Promise(resolve => setTimeout(resolve, 2))
  ledger.effect(n)
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
    using ledger = openLedger(join(folder, 'ledger'))
    for (let from = 0; from < size; from += BATCH) {
      const batch = Array.from({ length: Math.min(BATCH, size - from) }, (_, i): [number, boolean] => [
        from + i,
        from + i === guilty,
      ])
      await work.sendMany(batch)
      ledger.acked(from, from + batch.length)
    }
    mkdirSync(join(folder, 'node_modules'))
    symlinkSync(root, join(folder, 'node_modules/greenroom'))
    writeFileSync(join(folder, 'jobs.mjs'), JOBS(url, ledger.folder))
    const { GREENROOM_FAIL: _, ...env } = process.env
    const parent = spawn(
      process.execPath,
      [
        join(root, 'dist/esm/cli/main.js'),
        'worker',
        'jobs.mjs',
        '--processes',
        `${PROCESSES}`,
        '--concurrency',
        `${CONCURRENCY}`,
      ],
      { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] },
    )
    let told = ''
    for (const stream of [parent.stdout, parent.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (told += text))
    const ended = once(parent, 'close')
    try {
      await drained(broker)
      parent.kill('SIGTERM')
      const [code] = (await ended) as [number | null]
      const delivered: number[] = []
      const { verdict, rows, dead } = await judged(
        ledger,
        broker,
        {
          invariants: ['I1', 'I2', 'I3', 'I4', 'I9', 'I10'],
          unflushed: CONCURRENCY + UNSETTLED,
          attempts: () => 1,
        },
        line => {
          if (line.startsWith(`S ${guilty} `)) delivered.push(Number(line.split(' ', 4)[3]))
        },
      )
      return [
        exactly('times that the poison was run', MAX_DELIVERIES, delivered.length),
        exactly('and counted by one each', 0, delivered.filter((deliveries, i) => deliveries !== i + 1).length),
        exactly('dead letters', 1, dead.length),
        exactly('the poison among them', guilty, dead[0]?.n ?? NaN),
        exactly('its reason says crash loop', 1, Number(dead[0]?.reason.startsWith('crash loop') ?? false)),
        exactly('neighbours that ran', neighbours, verdict.ended),
        ...rows,
        atMost('ran again for one death', CONCURRENCY + UNSETTLED, verdict.mostReruns),
        exactly('the exit code of the command line', 0, code ?? NaN),
        note('ran again, in all', shown(verdict.reruns)),
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
