/**
 * Workers killed while they hold work, as often as is asked, and at every failpoint; senders killed while they send. Nothing that was
 * acknowledged is lost, whatever runs twice has a killed process for its reason, and a kill repeats no more than it may.
 */
import { join } from 'node:path'
import { embeddedBroker } from '../../brokers/embedded/index.ts'
import { greenroom } from '../../index.ts'
import { machineMs } from '../../lib/clock.ts'
import { FAILPOINTS, type Failpoint } from '../../lib/failpoint.ts'
import { countEffects, openLedger } from '../rig/ledger.ts'
import { seeded } from '../rig/random.ts'
import { type Member, member, until } from './crew.ts'
import type { FaultWorker } from './fault-worker.ts'
import { drained, judged } from './judged.ts'
import { atLeast, atMost, count, exactly, note, pause, scenario, shown } from './scenario.ts'

const PROCESSES = 3
const CONCURRENCY = 16
/** What had ended in a worker and was not yet settled, at most. */
const UNSETTLED = 512
const BATCH = 1_000
/** So many are there whenever somebody is killed. */
const TOPPED_UP = 4_000
/** For each sender that dies at a failpoint. */
const SENT_BY_DYING = 2_000
/** Who passes which place. Transactions are made by both. */
const CASES = FAILPOINTS.flatMap(place => {
  const roles = place.endsWith('push')
    ? (['sender'] as const)
    : place.endsWith('commit')
      ? (['sender', 'worker'] as const)
      : (['worker'] as const)
  return roles.map(role => ({ place, role }))
})

export const kills = scenario({
  name: 'kills',
  summary: 'workers on file: killed while they hold work, and at every failpoint',
  flags: {
    messages: count(5_000_000, 20_000, 'messages'),
    kills: count(300, 6, 'workers that are killed'),
    passes: count(3, 1, 'processes that die at each failpoint'),
  },
  async run({ messages, kills, passes }, { seed, folder, say }) {
    const url = `file:${join(folder, 'queue')}`,
      random = seeded(seed),
      broker = embeddedBroker({ path: join(folder, 'queue') }),
      app = greenroom({ broker }),
      work = app.declare<(n: number) => void>('work')
    const crew: Member[] = [],
      onStderr = (text: string) => ledger.unhandled(text)
    using ledger = openLedger(join(folder, 'ledger'))
    using effects = countEffects(ledger.folder)
    let sent = 0,
      given = 0,
      killed = 0,
      idle = 0,
      isOver = false
    const data: FaultWorker = { url, folder: ledger.folder, concurrency: CONCURRENCY }
    const hire = async () => void crew.push(await member('fault-worker', data, { onStderr }))
    /** Sends for as long as kills go on, and at least so many: no kill may find idle workers. */
    const topUp = async () => {
      while (!isOver && (killed < kills || sent < messages)) {
        if (sent - effects.now() >= 2 * TOPPED_UP) await pause(1)
        else {
          await work.sendMany(Array.from({ length: BATCH }, (_, i): [number] => [sent + i]))
          ledger.acked(sent, (sent += BATCH))
        }
      }
    }
    try {
      const sending = topUp()
      sending.catch(() => {}) // it is awaited below, unless a worker fails before
      for (let i = 0; i < PROCESSES; i++) await hire()
      while (killed < kills) {
        const next = ((killed + random()) / kills) * messages
        await until('messages run', async () => effects.now() >= next || effects.now(), { everyMs: 5 })
        const victim = crew.splice(Math.floor(random() * crew.length), 1)[0]!
        let held = 0
        for (let look = 0; held === 0 && look < 100; look++) held = await victim.ask<number>('held')
        const from = machineMs()
        ledger.exit(`worker-${victim.pid}`, await victim.kill(), ['SIGKILL'])
        ledger.fault('kill', victim.pid, from, machineMs())
        if (held > 0) killed++
        else idle++
        await hire()
        if (killed % 50 === 0 && held > 0) say(`${killed} killed, ${shown(effects.now())} run`)
      }
      await sending
      await dismiss()
      const certain = (given = sent)
      const deaths = await atFailpoints()
      for (let i = 0; i < PROCESSES; i++) await hire()
      await drained(broker)
      await dismiss()
      const { verdict, rows } = await judged(ledger, broker, {
        invariants: ['I1', 'I2', 'I3', 'I4', 'I6', 'I7', 'I9', 'I10'],
        unflushed: CONCURRENCY + UNSETTLED,
        attempts: () => 1,
      })
      return [
        exactly('workers killed while they held work', kills, killed),
        exactly('processes that died at a failpoint', passes * CASES.length, deaths),
        atLeast('messages that ran', Math.max(certain, verdict.sent), verdict.ended),
        ...rows,
        exactly('dead letters', 0, verdict.dead),
        atMost('ran again for one kill', CONCURRENCY + UNSETTLED, verdict.mostReruns),
        note('ran again, in all', shown(verdict.reruns)),
        note('half of the faults: all that they interrupted ran again within', `${shown(verdict.recovery?.medianMs ?? NaN)} ms`),
        note('killed while they held nothing', shown(idle)),
      ]
    } finally {
      isOver = true
      await Promise.all(crew.map(each => each.kill()))
      await app.close()
      await broker[Symbol.asyncDispose]()
    }

    async function dismiss(): Promise<void> {
      const ended = crew.splice(0).map(async each => ledger.exit(`worker-${each.pid}`, await each.stop(), [0]))
      await Promise.all(ended)
    }
    /** Lets processes die at each place, under work, one after the other; says how many did. */
    async function atFailpoints(): Promise<number> {
      let deaths = 0
      for (let pass = 0; pass < passes; pass++)
        for (const { place, role } of CASES) {
          if (role === 'worker') {
            await using sender = await member('fault-sender', data, { onStderr })
            await sender.ask('send', { from: given, to: (given += SENT_BY_DYING) })
            if (place === 'during-reap') await dies('fault-worker', 'after-take') // one that holds what is to be reaped
          }
          await dies(`fault-${role}`, place)
          deaths++
          // Where every worker dies, one after the other, what they take first is rightly given up: so a sound one works in between.
          await hire()
          await drained(broker)
          await dismiss()
          say(`${role} died at ${place}`)
        }
      return deaths
    }
    async function dies(program: string, place: Failpoint): Promise<void> {
      const env = { GREENROOM_FAIL: `${place}:${place === 'during-reap' ? 1 : 1 + Math.floor(random() * 5)}` }
      const from = machineMs()
      await using doomed = await member(program, data, { env, mayDie: true, onStderr })
      if (program === 'fault-sender')
        doomed.ask('send', { from: given, to: (given += SENT_BY_DYING) }).then(
          () => {},
          () => {},
        )
      await until(`a process dies at ${env.GREENROOM_FAIL}`, async () => doomed.ended !== undefined || 0)
      if (doomed.ended !== 'SIGKILL') throw new Error(`${program} at ${place}: ${doomed.ended}`)
      ledger.fault('fail', doomed.pid, from, machineMs())
    }
  },
})
