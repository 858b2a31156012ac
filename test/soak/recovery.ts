/**
 * How soon what a worker held runs again elsewhere: once it was killed, when its pid is gone; once it was stopped, when only its lease
 * tells. The stopped one finds itself fenced when it goes on.
 */
import { join } from 'node:path'
import { embeddedBroker } from '../../brokers/embedded/index.ts'
import { greenroom } from '../../index.ts'
import { systemClock } from '../../lib/clock.ts'
import { member } from './crew.ts'
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
      ran: number[] = []
    let again = () => {}
    // The victim has an actor of this name that never ends; here it ends at once.
    const hold = app.actor(
      (n: number) => {
        ran.push(n)
        if (ran.length === HELD) again()
      },
      { name: 'hold', maxRetries: 0 },
    )
    const worker = { lease: LEASE_MS, concurrency: HELD }
    const late = { SIGKILL: [] as number[], SIGSTOP: [] as number[] }
    let fenced = 0,
      twice = 0
    try {
      for (let round = 0; round < kills + stops; round++) {
        const signal = round < kills ? 'SIGKILL' : 'SIGSTOP'
        await using victim = await member('hold-worker', { url: `file:${path}`, lease: LEASE_MS, held: HELD })
        ran.length = 0
        await hold.sendMany(Array.from({ length: HELD }, (_, i): [number] => [round * HELD + i]))
        await victim.ask('holds')
        await using survivor = await app.work(worker)
        const back = new Promise<void>(resolve => (again = resolve)),
          from = systemClock.monotonic()
        process.kill(victim.pid, signal)
        await back
        late[signal].push(systemClock.monotonic() - from)
        if (signal === 'SIGSTOP') {
          process.kill(victim.pid, 'SIGCONT')
          if ((await victim.ask<number>('fenced')) === HELD) fenced++
        }
        await survivor.close()
        if (ran.length !== HELD) twice++
      }
      const { leased, ready, dead } = await broker.inspector!.counts('default')
      return [
        ...rows('killed', late.SIGKILL, AT_ONCE_MS, isShort),
        ...rows('stopped', late.SIGSTOP, LEASE_MS + MORE_MS, isShort),
        exactly('stopped ones whose runs were aborted: lease lost', stops, fenced),
        exactly('messages that ran more than once again', 0, twice),
        exactly('messages left over', 0, leased + ready + dead),
      ]
    } finally {
      await app.close()
      await broker[Symbol.asyncDispose]()
    }
  },
})

/** Half of them in time; the rest is for people. In the short form time is printed alone. */
function rows(name: string, ms: readonly number[], goalMs: number, isShort: boolean): readonly Row[] {
  const sorted = [...ms].sort((a, b) => a - b),
    half = sorted[sorted.length >> 1] ?? NaN
  const what = `${name}: half run again within`
  return [
    isShort ? note(what, `${shown(half)} ms`) : atMost(what, goalMs, half, ' ms'),
    isShort
      ? exactly(`${name}: that run again`, ms.length, sorted.filter(Number.isFinite).length)
      : note(`${name}: all within`, `${shown(sorted.at(-1) ?? NaN)} ms`),
  ]
}
