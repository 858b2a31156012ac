/**
 * Workers restarted one after the other by SIGTERM while messages keep coming: nothing is lost, nothing runs twice, every one ends well;
 * and with a single worker of concurrency 1 messages run in the order in which they were sent.
 */
import { join } from 'node:path'
import { embeddedBroker } from '../../brokers/embedded/index.ts'
import { greenroom } from '../../index.ts'
import { countEffects, openLedger } from '../rig/ledger.ts'
import { type Member, member, until } from './crew.ts'
import type { FaultWorker } from './fault-worker.ts'
import { drained, judged } from './judged.ts'
import { type Row, count, exactly, note, pause, scenario, shown } from './scenario.ts'

/** Of those restarts, so many are of a single worker, whose order is looked at. */
const IN_ORDER = 0.3
const BATCH = 100
const AHEAD = 1_000

export const rolling = scenario({
  name: 'rolling',
  summary: 'workers on file: restarted by SIGTERM under load, and order kept at concurrency 1',
  flags: { restarts: count(1_000, 12, 'restarts in all') },
  async run({ restarts }, { folder, say }) {
    const alone = Math.round(restarts * IN_ORDER)
    return [
      ...(await roll({ folder, name: 'several', processes: 3, concurrency: 8, restarts: restarts - alone, say })),
      ...(await roll({ folder, name: 'alone', processes: 1, concurrency: 1, restarts: alone, say })),
    ]
  },
})

async function roll(parts: {
  readonly folder: string
  readonly name: string
  readonly processes: number
  readonly concurrency: number
  readonly restarts: number
  say(line: string): void
}): Promise<readonly Row[]> {
  const { name, processes, concurrency, restarts, say } = parts,
    path = join(parts.folder, name),
    broker = embeddedBroker({ path }),
    app = greenroom({ broker }),
    work = app.declare<(n: number) => void>('work')
  using ledger = openLedger(join(parts.folder, `ledger-${name}`))
  using effects = countEffects(ledger.folder)
  const data: FaultWorker = { url: `file:${path}`, folder: ledger.folder, concurrency },
    crew: Member[] = []
  const hire = () => member('fault-worker', data, { onStderr: text => ledger.unhandled(text) })
  const dismiss = async (each: Member) => ledger.exit(`worker-${each.pid}`, await each.stop(), [0])
  let sent = 0,
    restarted = 0,
    isOver = false
  const send = async () => {
    while (!isOver && restarted < restarts)
      if (sent - effects.now() > AHEAD) await pause(1)
      else {
        await work.sendMany(Array.from({ length: BATCH }, (_, i): [number] => [sent + i]))
        ledger.acked(sent, (sent += BATCH))
      }
  }
  try {
    const sending = send()
    sending.catch(() => {}) // it is awaited below, unless a worker fails before
    for (let i = 0; i < processes; i++) crew.push(await hire())
    while (restarted < restarts) {
      const before = effects.now()
      await until('messages run', async () => effects.now() > before + processes || effects.now(), { everyMs: 1 })
      const old = crew.shift()!
      // The new one first, as a deploy does; with one that keeps the order, after it.
      if (processes > 1) crew.push(await hire())
      await dismiss(old)
      if (processes === 1) crew.push(await hire())
      if (++restarted % 100 === 0) say(`${name}: ${restarted} restarted, ${shown(effects.now())} run`)
    }
    await sending
    await drained(broker)
    for (const each of crew.splice(0)) await dismiss(each)
    // Nobody is at fault here, so nothing may run again, nor be taken and not begun.
    const { verdict, rows } = await judged(ledger, broker, {
      invariants: ['I1', 'I2', 'I3', 'I4', 'I6', 'I7', 'I9', 'I10', ...(concurrency === 1 ? (['I11'] as const) : [])],
      attempts: () => 1,
    })
    return [
      note(`${name}: messages`, `${shown(sent)}, ${shown(processes)} at concurrency ${concurrency}`),
      exactly(`${name}: restarts under load`, restarts, restarted),
      exactly(`${name}: messages that ran`, sent, verdict.ended),
      exactly(`${name}: ran twice`, 0, verdict.reruns),
      exactly(`${name}: dead letters`, 0, verdict.dead),
      ...rows.map(row => ({ ...row, what: `${name}: ${row.what}` })),
    ]
  } finally {
    isOver = true
    await Promise.all(crew.map(each => each.kill()))
    await app.close()
    await broker[Symbol.asyncDispose]()
  }
}
