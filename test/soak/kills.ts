/**
 * Workers killed while they hold work, as often as is asked, and at every failpoint; senders killed while they send. Nothing that was
 * acknowledged is lost, whatever runs twice has a killed process for its reason, and a kill repeats no more than it may.
 */
import { readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { embeddedBroker } from '../../brokers/embedded/index.ts'
import { greenroom } from '../../index.ts'
import type { Broker } from '../../lib/broker.ts'
import { FAILPOINTS, type Failpoint } from '../../lib/failpoint.ts'
import { judge } from './judge.ts'
import { MARK_BYTES, readMarks } from './marks.ts'
import { type Member, member, until } from './crew.ts'
import type { FaultWorker } from './fault-worker.ts'
import { atLeast, atMost, count, exactly, note, pause, scenario, seeded, shown } from './scenario.ts'

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
    const faulty = new Set<number>(),
      crew: Member[] = []
    let sent = 0,
      given = 0,
      killed = 0,
      idle = 0
    const data: FaultWorker = { url, folder, concurrency: CONCURRENCY }
    const hire = async () => void crew.push(await member('fault-worker', data))
    /** Sends for as long as kills go on, and at least so many: no kill may find idle workers. */
    const topUp = async () => {
      while (killed < kills || sent < messages) {
        if (sent - ran() >= 2 * TOPPED_UP) await pause(1)
        else sent += (await work.sendMany(Array.from({ length: BATCH }, (_, i): [number] => [sent + i]))).length
      }
    }
    const ran = () => (statSync(join(folder, 'marks'), { throwIfNoEntry: false })?.size ?? 0) / (2 * MARK_BYTES)
    try {
      const sending = topUp()
      for (let i = 0; i < PROCESSES; i++) await hire()
      while (killed < kills) {
        const next = ((killed + random()) / kills) * messages
        await until('messages run', async () => ran() >= next || ran(), { everyMs: 5 })
        const victim = crew.splice(Math.floor(random() * crew.length), 1)[0]!
        let held = 0
        for (let look = 0; held === 0 && look < 100; look++) held = await victim.ask<number>('held')
        await victim.kill()
        faulty.add(victim.pid)
        if (held > 0) killed++
        else idle++
        await hire()
        if (killed % 50 === 0 && held > 0) say(`${killed} killed, ${shown(ran())} run`)
      }
      await sending
      await Promise.all(crew.splice(0).map(each => each.stop()))
      const certain = (given = sent)
      const deaths = await atFailpoints()
      for (let i = 0; i < PROCESSES; i++) await hire()
      await drained(broker)
      const codes = await Promise.all(crew.splice(0).map(each => each.stop()))
      const acked = readAcked(folder, given),
        dead = await deadOf(broker)
      const found = judge({
        size: given,
        acked: n => n < certain || acked[n] === 1,
        maybe: () => true, // a sender that died may have stored what nobody acknowledged
        dead: new Set(dead),
        faulty,
        marks: readMarks(folder),
      })
      return [
        exactly('workers killed while they held work', kills, killed),
        exactly('processes that died at a failpoint', passes * CASES.length, deaths),
        atLeast('messages that ran', certain, found.ran),
        exactly('lost', 0, found.lost.length),
        exactly('ran again without a reason', 0, found.unexplained.length),
        exactly('ran, and nobody sent them', 0, found.phantom.length),
        exactly('attempts that do not follow', 0, found.attempts.length),
        exactly('dead letters', 0, dead.length),
        exactly('workers that did not end well', 0, codes.filter(code => code !== 0).length),
        atMost('ran again for one kill', CONCURRENCY + UNSETTLED, found.perFault),
        note('ran again, in all', shown(found.again)),
        note('killed while they held nothing', shown(idle)),
      ]
    } finally {
      await Promise.all(crew.map(each => each.kill()))
      await app.close()
      await broker[Symbol.asyncDispose]()
    }

    /** Lets processes die at each place, under work, one after the other; says how many did. */
    async function atFailpoints(): Promise<number> {
      let deaths = 0
      for (let pass = 0; pass < passes; pass++)
        for (const { place, role } of CASES) {
          if (role === 'worker') {
            await using sender = await member('fault-sender', { url, folder })
            await sender.ask('send', { from: given, to: (given += SENT_BY_DYING) })
            if (place === 'during-reap') await dies('fault-worker', 'after-take') // one that holds what is to be reaped
          }
          await dies(`fault-${role}`, place)
          deaths++
          say(`${role} died at ${place}`)
        }
      return deaths
    }
    async function dies(program: string, place: Failpoint): Promise<void> {
      const env = { GREENROOM_FAIL: `${place}:${place === 'during-reap' ? 1 : 1 + Math.floor(random() * 5)}` }
      await using doomed = await member(program, data, { env, mayDie: true })
      if (program === 'fault-sender')
        doomed.ask('send', { from: given, to: (given += SENT_BY_DYING) }).then(
          () => {},
          () => {},
        )
      await until(`a process dies at ${env.GREENROOM_FAIL}`, async () => doomed.ended !== undefined || 0)
      if (doomed.ended !== 'SIGKILL') throw new Error(`${program} at ${place}: ${doomed.ended}`)
      faulty.add(doomed.pid)
    }
  },
})

/** Until nothing waits, runs or is held by the dead. */
export const drained = (broker: Broker): Promise<void> =>
  until('the queue empties', async () => {
    const { ready, leased, suspect, delayed } = await broker.inspector!.counts('default')
    return ready + leased + suspect + delayed === 0 || ready + leased + suspect + delayed
  })

/** The numbers of the dead letters. */
export async function deadOf(broker: Broker): Promise<number[]> {
  const dead: number[] = []
  for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
    const page = await broker.inspector!.list('default', 'dead', { limit: 1_000, ...(cursor !== undefined && { cursor }) })
    for (const { envelope } of page.entries)
      dead.push((JSON.parse(Buffer.from(envelope.body).toString()) as { args: [number] }).args[0])
    cursor = page.cursor
  }
  return dead
}

/** Which numbers senders were told to be there. */
function readAcked(folder: string, size: number): Uint8Array {
  const acked = new Uint8Array(size)
  for (const name of readdirSync(folder).filter(name => name.startsWith('acked-'))) {
    const bytes = readFileSync(join(folder, name))
    for (let at = 0; at + 8 <= bytes.length; at += 8) acked.fill(1, bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4))
  }
  return acked
}
