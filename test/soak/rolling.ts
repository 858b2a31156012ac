/**
 * Workers restarted one after the other by SIGTERM while messages keep coming: nothing is lost, nothing runs twice, every one ends well;
 * and with a single worker of concurrency 1 messages run in the order in which they were sent.
 */
import { join } from 'node:path'
import { statSync } from 'node:fs'
import { embeddedBroker } from '../../brokers/embedded/index.ts'
import { greenroom } from '../../index.ts'
import { type Member, member, until } from './crew.ts'
import { judge } from './judge.ts'
import { deadOf, drained } from './kills.ts'
import { MARK_BYTES, readMarks } from './marks.ts'
import { type Row, atLeast, count, exactly, note, pause, scenario, shown } from './scenario.ts'

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
  const data = { url: `file:${path}`, folder: parts.folder, marks: `marks-${name}`, concurrency }
  const hire = () => member('fault-worker', data)
  const crew: Member[] = [],
    codes: unknown[] = []
  let sent = 0,
    restarted = 0
  const ran = () => (statSync(join(parts.folder, data.marks), { throwIfNoEntry: false })?.size ?? 0) / (2 * MARK_BYTES)
  const send = async () => {
    while (restarted < restarts)
      if (sent - ran() > AHEAD) await pause(1)
      else sent += (await work.sendMany(Array.from({ length: BATCH }, (_, i): [number] => [sent + i]))).length
  }
  try {
    const sending = send()
    for (let i = 0; i < processes; i++) crew.push(await hire())
    while (restarted < restarts) {
      const before = ran()
      await until('messages run', async () => ran() > before + processes || ran(), { everyMs: 1 })
      const old = crew.shift()!
      // The new one first, as a deploy does; with one that keeps the order, after it.
      if (processes > 1) crew.push(await hire())
      codes.push(await old.stop())
      if (processes === 1) crew.push(await hire())
      if (++restarted % 100 === 0) say(`${name}: ${restarted} restarted, ${shown(ran())} run`)
    }
    await sending
    await drained(broker)
    for (const each of crew.splice(0)) codes.push(await each.stop())
    const dead = await deadOf(broker)
    const found = judge({
      size: sent,
      acked: () => true,
      dead: new Set(dead),
      faulty: new Set(),
      marks: readMarks(parts.folder, data.marks),
    })
    return [
      note(`${name}: messages`, `${shown(sent)}, ${shown(processes)} at concurrency ${concurrency}`),
      exactly(`${name}: restarts under load`, restarts, restarted),
      atLeast(`${name}: messages that ran`, sent, found.ran),
      exactly(`${name}: lost`, 0, found.lost.length),
      exactly(`${name}: ran twice`, 0, found.again),
      exactly(`${name}: dead letters`, 0, dead.length),
      exactly(`${name}: workers that did not end with 0`, 0, codes.filter(code => code !== 0).length),
      ...(concurrency === 1 ? [exactly(`${name}: begun after a later one`, 0, found.disorder.length)] : []),
    ]
  } finally {
    await Promise.all(crew.map(each => each.kill()))
    await app.close()
    await broker[Symbol.asyncDispose]()
  }
}
