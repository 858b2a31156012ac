/**
 * Millions of delayed messages, all workers killed and started again while they wait: none early, none lost, nearly all on time, and
 * nothing of them in a worker's memory. Messages for next month were stored first: they hold back nobody.
 */
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { embeddedBroker } from '../../brokers/embedded/index.ts'
import { greenroom } from '../../index.ts'
import { systemClock } from '../../lib/clock.ts'
import { seeded } from '../rig/random.ts'
import { type Member, type Memory, member, until } from './crew.ts'
import { type Row, atMost, count, exactly, note, pause, scenario, shown } from './scenario.ts'

const PROCESSES = 2
const CONCURRENCY = 100
/** What had ended in a worker and was not yet settled, at most. */
const UNSETTLED = 512
const BATCH = 5_000
/** Time to start everything before the first is due; and messages stored a second, at least, as each goes to a page of its own. */
const LEAD_MS = 500
const STORED = 6_000
const BUCKETS_MS = [10, 25, 50, 100, 250, 500, 1_000, Infinity]

export interface Outage {
  readonly from: number
  readonly to: number
}

export const delayed = scenario({
  name: 'delayed',
  summary: 'delayed messages on file:, all workers killed while they wait',
  flags: {
    messages: count(2_000_000, 5_000, 'messages that fall due'),
    far: count(200_000, 1_000, 'messages stored before them, due in 30 days'),
    window: count(900, 4, 'seconds over which they fall due'),
    kills: count(3, 3, 'how often all workers are killed'),
  },
  async run({ messages, far, window, kills }, { seed, isShort, folder, say }) {
    const url = `file:${join(folder, 'queue')}`,
      windowMs = window * 1_000,
      random = seeded(seed),
      broker = embeddedBroker({ path: join(folder, 'queue') }),
      app = greenroom({ broker })
    const late = app.actor((_n: number, _due: number) => {}, { name: 'late', maxRetries: 0 })
    const crew: Member[] = [],
      used: Memory[] = [],
      outages: Outage[] = []
    const start = async () => {
      const began = await Promise.all(Array.from({ length: PROCESSES }, () => member('delayed-worker', { url, folder })))
      crew.push(...began)
    }
    const look = async () => {
      for (const memory of await Promise.all(crew.map(each => each.ask<Memory>('memory')))) used.push(memory)
    }
    try {
      for (let from = 0; from < far; from += BATCH)
        await late
          .with({ delay: '30d' })
          .sendMany(Array.from({ length: Math.min(BATCH, far - from) }, (_, i): [number, number] => [-1 - from - i, 0]))
      // The filling takes as long as it takes: what fell due meanwhile would be late for want of workers, which start at its end.
      const first = systemClock.now() + LEAD_MS + (messages / STORED) * 1_000
      for (let from = 0; from < messages; from += BATCH) {
        const batch = Array.from({ length: Math.min(BATCH, messages - from) }, (_, i) => {
          const due = Math.floor(first + random() * windowMs)
          return late.with({ at: due }).message(from + i, due)
        })
        await app.send(batch)
      }
      say(`${shown(messages + far)} are stored`)
      await start()
      await look()
      outages.push({ from: 0, to: systemClock.now() })
      for (let kill = 1; kill <= kills; kill++) {
        const at = first + (windowMs * kill) / (kills + 1)
        while (systemClock.now() < at) {
          await pause(Math.min(500, Math.max(1, at - systemClock.now())))
          await look()
        }
        const from = systemClock.now()
        await Promise.all(crew.map(each => each.kill()))
        crew.length = 0
        await start()
        outages.push({ from, to: systemClock.now() })
        say(`killed all and started again, ${systemClock.now() - from} ms`)
      }
      let counts = await broker.inspector!.counts('default')
      await until(
        'the delayed ones fall due',
        async () => {
          await look()
          counts = await broker.inspector!.counts('default')
          return (
            (counts.delayed === far && counts.ready + counts.leased + counts.suspect === 0) ||
            counts.delayed + counts.ready + counts.leased
          )
        },
        { everyMs: 250, patienceMs: windowMs + 60_000 },
      )
      return [
        exactly('workers that ended by themselves', 0, crew.filter(({ ended }) => ended !== undefined).length),
        exactly('those for next month, still waiting', far, counts.delayed),
        exactly('dead letters', 0, counts.dead),
        ...judge(readRuns(folder), { messages, outages, isShort }),
        ...memoryRows(used, isShort),
      ]
    } finally {
      await Promise.all(crew.map(each => each.kill()))
      await app.close()
      await broker[Symbol.asyncDispose]()
    }
  },
})

/** What the workers noted: which, due when, run when. */
function* readRuns(folder: string): Generator<readonly [n: number, due: number, ran: number]> {
  for (const name of readdirSync(folder).filter(name => name.startsWith('ran-'))) {
    const bytes = readFileSync(join(folder, name)),
      rows = new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length - (bytes.length % 24)))
    for (let at = 0; at < rows.length; at += 3) yield [rows[at]!, rows[at + 1]!, rows[at + 2]!]
  }
}

/** Of what ran when. Time without any worker does not count as late: it counts from when one is back. */
export function judge(
  runs: Iterable<readonly [n: number, due: number, ran: number]>,
  { messages, outages, isShort }: { messages: number; outages: readonly Outage[]; isShort: boolean },
): readonly Row[] {
  const times = new Uint8Array(messages),
    buckets = BUCKETS_MS.map(() => 0),
    soonest: number[] = []
  let early = 0,
    strangers = 0,
    ran = 0,
    again = 0,
    unexplained = 0,
    onTime = 0,
    worst = 0,
    worstAfter = 0
  const kills = outages.filter(({ from }) => from > 0),
    firstRan = new Float64Array(messages)
  const all = [...runs].sort((a, b) => a[2] - b[2])
  for (const [n, due, at] of all) {
    if (at < due) early++
    if (!(n >= 0 && n < messages)) {
      strangers++
      continue
    }
    if (times[n]! > 0) {
      again++
      // Killed between its run and its settlement.
      if (!kills.some(({ from, to }) => firstRan[n]! <= to && at >= from)) unexplained++
      continue
    }
    times[n] = 1
    firstRan[n] = at
    ran++
    const missed = outages.reduce((sum, { from, to }) => sum + Math.max(0, Math.min(at, to) - Math.max(due, from)), 0),
      late = Math.max(0, at - due - missed)
    buckets[BUCKETS_MS.findIndex(most => late <= most)]!++
    soonest.push(late)
    if (late <= 250) onTime++
    worst = Math.max(worst, late)
    if (missed > 0) worstAfter = Math.max(worstAfter, late)
  }
  soonest.sort((a, b) => a - b)
  const share = (part: number) => shown(soonest[Math.min(soonest.length - 1, Math.floor(soonest.length * part))] ?? NaN)
  const timed = (row: Row): Row => (isShort ? note(row.what, row.measured) : row)
  return [
    exactly('run before they were due', 0, early),
    exactly('lost', 0, messages - ran),
    exactly('run that were not due at all', 0, strangers),
    exactly('second runs that no kill explains', 0, unexplained),
    atMost('second runs', (CONCURRENCY + UNSETTLED) * PROCESSES * kills.length, again),
    timed({
      what: 'at most 250 ms late',
      goal: 'at least 99%',
      measured: `${((onTime / messages) * 100).toFixed(3)}%`,
      ok: onTime >= messages * 0.99,
    }),
    timed(atMost('the latest of those due while no worker was there', 1_000, worstAfter, ' ms')),
    note('the latest', `${shown(worst)} ms`),
    note('late by: half, 90%, 99%, 99.9%', `${[0.5, 0.9, 0.99, 0.999].map(share).join(', ')} ms`),
    note(
      'how many are late by up to',
      BUCKETS_MS.map((most, i) => `${most === Infinity ? 'more' : `${most} ms`}: ${shown(buckets[i]!)}`).join(', '),
    ),
  ]
}

function memoryRows(used: readonly Memory[], isShort: boolean): readonly Row[] {
  const most = (of: (memory: Memory) => number) => Math.round(Math.max(...used.map(of)))
  const own = atMost(
    "a worker's own memory",
    120,
    most(({ own }) => own),
    ' MB',
  )
  return [isShort ? note(own.what, own.measured) : own, note('with the pages of the file', `${most(({ rss }) => rss)} MB`)]
}
