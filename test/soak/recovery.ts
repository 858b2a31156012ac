/**
 * How soon what a worker held runs again elsewhere: once it was killed, when its pid is gone; once it was stopped, when only its lease
 * tells. The stopped one finds itself fenced when it goes on.
 */
import { join } from 'node:path'
import { embeddedBroker } from '../../brokers/embedded/index.ts'
import { current, greenroom } from '../../index.ts'
import { machineMs } from '../../lib/clock.ts'
import { freeze } from '../helpers/freeze.ts'
import { type Ledger, openLedger } from '../rig/ledger.ts'
import { member } from './crew.ts'
import { judged } from './judged.ts'
import { type Row, atMost, count, exactly, note, scenario, shown } from './scenario.ts'

const HELD = 3
const LEASE_MS = 2_000
/** On top of the lease where only that tells. */
const MORE_MS = 500
const AT_ONCE_MS = 100

export const recovery = scenario({
  name: 'recovery',
  summary: 'how soon messages of a killed and of a stopped worker run again on file:',
  flags: { kills: count(200, 10, 'workers that are killed'), stops: count(20, 2, 'workers that are stopped') },
  async run({ kills, stops }, { folder, isShort }) {
    const path = join(folder, 'queue'),
      broker = embeddedBroker({ path }),
      app = greenroom({ broker }),
      rows: Row[] = []
    let ledger: Ledger,
      back = 0,
      again = () => {}
    // The victim has an actor of this name that never ends; here it ends at once.
    const hold = app.actor(
      (n: number) => {
        const { attempt, deliveries } = current()
        ledger.start(n, attempt, deliveries)
        ledger.effect(n)
        if (++back === HELD) again()
      },
      { name: 'hold', maxRetries: 0 },
    )
    const worker = { lease: LEASE_MS, concurrency: HELD }
    let fenced = 0
    try {
      rows.push(...(await suffer('killed', kills, AT_ONCE_MS)))
      rows.push(...(await suffer('stopped', stops, LEASE_MS + MORE_MS)))
      return [...rows, exactly('stopped ones whose runs were aborted: lease lost', stops, fenced)]
    } finally {
      await app.close()
      await broker[Symbol.asyncDispose]()
    }

    async function suffer(name: 'killed' | 'stopped', times: number, goalMs: number): Promise<readonly Row[]> {
      using opened = openLedger(join(folder, name))
      ledger = opened
      for (let round = 0; round < times; round++) await once(name, round * HELD)
      const { verdict, rows } = await judged(ledger, broker, {
        invariants: ['I1', 'I2', 'I3', 'I4', 'I6', 'I7', 'I9', 'I10'],
        rerunsPerFault: HELD,
        attempts: () => 1,
      })
      const half = verdict.recovery?.medianMs ?? NaN,
        what = `${name}: half run again within`
      // In the short form time is printed alone.
      return [
        isShort ? note(what, `${shown(half)} ms`) : atMost(what, goalMs, half, ' ms'),
        note(`${name}: all within`, `${shown(verdict.recovery?.mostMs ?? NaN)} ms`),
        exactly(`${name}: workers whose messages ran again`, times, verdict.faults - verdict.idleFaults),
        exactly(`${name}: messages that ran again`, times * HELD, verdict.reruns),
        exactly(`${name}: dead letters`, 0, verdict.dead),
        ...rows.map(row => ({ ...row, what: `${name}: ${row.what}` })),
      ]
    }
    async function once(name: 'killed' | 'stopped', first: number): Promise<void> {
      const data = { url: `file:${path}`, folder: ledger.folder, lease: LEASE_MS, held: HELD }
      await using victim = await member('hold-worker', data, { onStderr: text => ledger.unhandled(text) })
      back = 0
      await hold.sendMany(Array.from({ length: HELD }, (_, i): [number] => [first + i]))
      ledger.acked(first, first + HELD)
      await victim.ask('holds')
      await using survivor = await app.work(worker)
      const allBack = new Promise<void>(resolve => (again = resolve))
      let from = machineMs()
      if (name === 'killed') {
        const ended = victim.kill()
        await allBack
        ledger.exit(`worker-${victim.pid}`, await ended, ['SIGKILL'])
      } else {
        from = await freeze(victim.pid, broker)
        await allBack
        process.kill(victim.pid, 'SIGCONT')
        if ((await victim.ask<number>('fenced')) === HELD) fenced++
        ledger.exit(`worker-${victim.pid}`, await victim.kill(), ['SIGKILL'])
      }
      ledger.fault(name === 'killed' ? 'kill' : 'stop', victim.pid, from, machineMs())
      await survivor.close()
    }
  },
})
