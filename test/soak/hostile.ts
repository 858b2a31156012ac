/**
 * Millions of bodies that cannot be read, pushed past every sender beside good traffic. Each must be a dead letter byte for byte; good
 * messages run exactly once, about as fast as while nobody pushes: both are measured in turns, in one run.
 */
import { join } from 'node:path'
import { embeddedBroker } from '../../brokers/embedded/index.ts'
import type { Broker } from '../../lib/broker.ts'
import { systemClock } from '../../lib/clock.ts'
import { member, until } from './crew.ts'
import { hostileBodies } from './hostile-bodies.ts'
import { type Row, count, exactly, note, pause, scenario, shown } from './scenario.ts'

const BATCH = 100
/** Each of the bodies of up to 5 MiB once among so many: it is not the disk that is measured. */
const EACH_LARGE = 200_000
const PAGE = 1_000
/** Of what good traffic is without them. */
const SHARE = 0.9

interface Now {
  readonly ran: number
  readonly sent: number
  readonly rejected: number
  readonly polluted: boolean
}

export const hostile = scenario({
  name: 'hostile',
  summary: 'bodies that cannot be read, beside good traffic',
  flags: {
    messages: count(2_000_000, 10_000, 'hostile bodies'),
    rate: count(3_000, 5_000, 'of them a second'),
    rounds: count(20, 2, 'turns with and without them'),
  },
  async run({ messages, rate, rounds }, { seed, isShort, folder, say }) {
    const path = join(folder, 'queue'),
      maxDead = messages * 2,
      body = hostileBodies(seed, messages, Math.ceil(messages / EACH_LARGE))
    await using broker = embeddedBroker({ path, maxDead })
    await using worker = await member('hostile-worker', { url: `file:${path}?maxDead=${maxDead}` })
    const now = () => worker.ask<Now>('now')
    /** What ran during it, and how long it took. */
    async function during(work: () => Promise<unknown>) {
      const [before, began] = [await now(), systemClock.monotonic()]
      await work()
      const [after, ended] = [await now(), systemClock.monotonic()]
      return { ran: after.ran - before.ran, ms: ended - began }
    }
    const speed = (parts: readonly { ran: number; ms: number }[]) =>
      (parts.reduce((sum, { ran }) => sum + ran, 0) / parts.reduce((sum, { ms }) => sum + ms, 0)) * 1_000
    const beside: { ran: number; ms: number }[] = [],
      alone: { ran: number; ms: number }[] = []
    await pause(isShort ? 0 : 5_000)
    let pushed = 0
    for (let round = 1; round <= rounds; round++) {
      const goal = Math.floor((messages * round) / rounds)
      const flood = await during(async () => {
        pushed = await push(broker, body, pushed, goal, rate)
        await until('bodies are rejected', async () => {
          const { rejected } = await now()
          return rejected >= goal || rejected
        })
      })
      beside.push(flood)
      alone.push(await during(() => pause(flood.ms / 2)))
      say(
        `${shown(pushed)} pushed: ${Math.round(speed([flood]))} good ones a second, ${Math.round(speed(alone.slice(-1)))} without`,
      )
    }
    await worker.ask('stop')
    await until('good ones end', async () => {
      const { ready, leased } = await broker.inspector!.counts('default')
      return ready + leased === 0 || ready + leased
    })
    const { ran, sent, rejected, polluted } = await now(),
      counts = await broker.inspector!.counts('default'),
      letters = await compare(broker, body, messages),
      share = speed(beside) / speed(alone),
      speeds = `${Math.round(speed(beside))} a second beside them, ${Math.round(speed(alone))} without`
    return [
      note('how the worker process ended', worker.ended ?? 'it did not'),
      exactly('worker processes that ended', 0, worker.ended === undefined ? 0 : 1),
      exactly('dead letters', messages, counts.dead),
      exactly('rejected, as its events tell', messages, rejected),
      exactly('dead letters with the very bytes and a reason', messages, letters.same),
      exactly('hostile ones, each found once', messages, letters.found),
      exactly('good ones that ran, of those sent', sent, ran),
      exactly('changes to Object.prototype', 0, polluted ? 1 : 0),
      goodRow(share, speeds, isShort),
    ]
  },
})

function goodRow(share: number, speeds: string, isShort: boolean): Row {
  const what = 'good traffic, of what it is without them',
    measured = `${(share * 100).toFixed(1)}% (${speeds})`
  return isShort ? note(what, measured) : { what, goal: `at least ${SHARE * 100}%`, measured, ok: share >= SHARE }
}

/** Pushes those from `from` to before `to`, so many a second. */
async function push(broker: Broker, body: (n: number) => Uint8Array, from: number, to: number, rate: number): Promise<number> {
  const began = systemClock.monotonic()
  for (let at = from; at < to;) {
    const size = Math.min(BATCH, to - at)
    const batch = Array.from({ length: size }, (_, i) => ({
      id: `hostile-${at + i}`,
      queue: 'default',
      attempt: 0,
      priority: 1 as const,
      body: body(at + i),
    }))
    const verdicts = await broker.push(batch)
    if (verdicts.some(verdict => verdict !== 'stored'))
      throw new Error(`a push was answered with ${String(verdicts.find(each => each !== 'stored'))}`)
    at += size
    const ahead = began + ((at - from) / rate) * 1_000 - systemClock.monotonic()
    if (ahead > 1) await pause(ahead)
  }
  return to
}

/** Every dead letter against what was pushed. */
async function compare(broker: Broker, body: (n: number) => Uint8Array, messages: number) {
  const seen = new Uint8Array(messages)
  let same = 0,
    found = 0,
    cursor: string | undefined
  do {
    const page = await broker.inspector!.list('default', 'dead', { limit: PAGE, ...(cursor !== undefined && { cursor }) })
    for (const { envelope, reason } of page.entries) {
      const n = Number(envelope.id.slice('hostile-'.length))
      if (seen[n] !== 0) continue
      seen[n] = 1
      found++
      if (Buffer.compare(envelope.body, body(n)) === 0 && /^(undecodable|invalid options): ./.test(reason ?? '')) same++
    }
    cursor = page.cursor
  } while (cursor !== undefined)
  return { same, found }
}
