/**
 * Bodies that cannot be read, pushed past every sender beside good traffic. Each must be a dead letter byte for byte, and good messages run
 * exactly once, about as fast as while nobody pushes: that is measured in turns, in one run, under two loads.
 *
 * Held is the share of good messages a second at half of what the worker manages: that is a service in its ordinary state, and there the flood
 * may cost nothing but what it takes of the machine. At full load the share is printed and not held: everything shares one queue, first come
 * first served, one disk and its flushes, and whatever a flood takes of those is missing, as it is with as many well-formed messages.
 * Both want the machine for themselves: a second load on it makes each flush of the disk longer, for a flood more than for a few.
 */
import { join } from 'node:path'
import { embeddedBroker } from '../../brokers/embedded/index.ts'
import type { Broker } from '../../lib/broker.ts'
import { systemClock } from '../../lib/clock.ts'
import { member, until } from './crew.ts'
import type { Load } from './hostile-worker.ts'
import { hostileBodies } from './hostile-bodies.ts'
import { type Row, count, exactly, note, pause, scenario, shown } from './scenario.ts'

const BATCH = 100
/** Each of the bodies of up to 5 MiB once among so many: it is not the disk that is measured. */
const EACH_LARGE = 200_000
const PAGE = 1_000
/** Of what good traffic is without them. */
const SHARE = 0.9

interface Waited {
  readonly median: number
  readonly most: number
}
interface Turn extends Waited {
  readonly ran: number
  readonly ms: number
}
interface Pair {
  readonly beside: Turn[]
  readonly alone: Turn[]
}
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
    /** What ran during it, how long it took, and how long good messages waited meanwhile. */
    async function during(work: () => Promise<unknown>): Promise<Turn> {
      await worker.ask('waited')
      const [before, began] = [await now(), systemClock.monotonic()]
      await work()
      const [after, ended] = [await now(), systemClock.monotonic()]
      return { ran: after.ran - before.ran, ms: ended - began, ...(await worker.ask<Waited>('waited')) }
    }
    let pushed = 0
    /** Hostile ones up to so many, until the worker is through with them. */
    const flood = (goal: number) => async () => {
      pushed = await push(broker, body, pushed, goal, rate)
      await until('bodies are rejected', async () => {
        const { rejected } = await now()
        return rejected >= goal || rejected
      })
    }
    const drained = () =>
      until('good ones end', async () => {
        const { ran, sent } = await now()
        return ran === sent || ran
      })
    const turns: Record<Exclude<Load, 'none'>, Pair> = { steady: { beside: [], alone: [] }, full: { beside: [], alone: [] } }
    const halves = rounds * 2
    for (let half = 1; half <= halves; half++) {
      const load = half % 2 === 1 ? 'steady' : 'full',
        { beside, alone } = turns[load]
      await worker.ask('load', load)
      await pause(isShort ? 0 : 3_000)
      const turn = await during(flood(Math.floor((messages * half) / halves)))
      beside.push(turn)
      await pause(isShort ? 0 : 1_000) // what waits behind the last of them is theirs
      alone.push(await during(() => pause(turn.ms / 2)))
      say(`${shown(pushed)} pushed, ${load}: ${told(beside.slice(-1))} beside, ${told(alone.slice(-1))} without`)
      await worker.ask('load', 'none')
      await drained()
    }
    const { ran, sent, rejected, polluted } = await now(),
      counts = await broker.inspector!.counts('default'),
      letters = await compare(broker, body, messages)
    return [
      note('how the worker process ended', worker.ended ?? 'it did not'),
      exactly('worker processes that ended', 0, worker.ended === undefined ? 0 : 1),
      exactly('dead letters', messages, counts.dead),
      exactly('rejected, as its events tell', messages, rejected),
      exactly('dead letters with the very bytes and a reason', messages, letters.same),
      exactly('hostile ones, each found once', messages, letters.found),
      exactly('good ones that ran, of those sent', sent, ran),
      exactly('changes to Object.prototype', 0, polluted ? 1 : 0),
      heldRow(turns.steady, isShort),
      note('the same at full load', comparison(turns.full)),
    ]
  },
})

const sum = (turns: readonly Turn[], of: 'ran' | 'ms') => turns.reduce((all, turn) => all + turn[of], 0)
const speed = (turns: readonly Turn[]) => (sum(turns, 'ran') / sum(turns, 'ms')) * 1_000
const worst = (turns: readonly Turn[], of: keyof Waited) => Math.round(Math.max(...turns.map(turn => turn[of])))
const told = (turns: readonly Turn[]) =>
  `${Math.round(speed(turns))} a second, waits of ${worst(turns, 'median')} ms (1% over ${worst(turns, 'most')})`
const shareOf = ({ beside, alone }: Pair) => speed(beside) / speed(alone)
const comparison = (pair: Pair) => `${(shareOf(pair) * 100).toFixed(1)}% (${told(pair.beside)}; ${told(pair.alone)} without)`

function heldRow(pair: Pair, isShort: boolean): Row {
  const what = 'good traffic at a steady pace, of what it is without them',
    measured = comparison(pair)
  return isShort ? note(what, measured) : { what, goal: `at least ${SHARE * 100}%`, measured, ok: shareOf(pair) >= SHARE }
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
