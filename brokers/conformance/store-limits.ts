/** Rules: limits are exact at their bounds, and tickets keep their places. */
import assert from 'node:assert/strict'
import type { Bucket, FixedWindow, Limit, SlidingWindow, Slots } from '../../lib/store.ts'
import type { Rule } from './rules.ts'
import { seeded } from './soak.ts'
import type { StoreBench } from './store-bench.ts'

const SLOTS: Slots = { kind: 'slots', max: 2, leaseMs: 10_000 }
const SLIDING: SlidingWindow = { kind: 'sliding', limit: 3, windowMs: 1_000 }
const FIXED: FixedWindow = { kind: 'fixed', limit: 3, windowMs: 1_000 }
const BUCKET: Bucket = { kind: 'bucket', rate: 2, perMs: 1_000, burst: 3 }
/** A place is kept for at least so long after its turn; two of these later it is surely lost. */
const PLACE_LEASE_MS = 30_000

const askAll = async (bench: StoreBench, key: string, limit: Limit, ...tickets: readonly string[]) => {
  const waits: number[] = []
  for (const ticket of tickets) waits.push(await bench.ask(key, ticket, limit))
  return waits
}

/** Whether so many, at these times, are within the limit; if not, why. */
function excess(limit: Limit, times: readonly number[]): string | undefined {
  for (const [at, time] of times.entries()) {
    if (limit.kind === 'sliding') {
      const first = times[at - limit.limit]
      if (first !== undefined && time - first < limit.windowMs) return `${limit.limit + 1} within ${time - first} ms`
    }
    if (limit.kind === 'bucket') {
      for (const [from, first] of times.slice(0, at + 1).entries()) {
        const count = at - from + 1,
          most = limit.burst + ((time - first) * limit.rate) / limit.perMs
        if (count > most + 1e-6) return `${count} within ${time - first} ms, at most ${most} may`
      }
    }
  }
  return undefined
}

/** Tickets arrive at random and come back when they were told to: nobody may be early, overtaken, or asked back often. */
async function crowd(bench: StoreBench, limit: Limit, tickets: number): Promise<void> {
  const seed = Math.floor(bench.random() * 2 ** 32),
    random = seeded(seed),
    key = bench.name('crowd')
  const coming = Array.from({ length: tickets }, (_, n) => ({
    ticket: `t${n}`,
    at: Math.floor(n / 3) * Math.floor(random() * 40),
    asked: 0,
  }))
  const order: string[] = [],
    times: number[] = []
  let now = 0
  while (coming.length > 0) {
    const next = coming.reduce((first, other) => (other.at < first.at ? other : first))
    await bench.target.advance(Math.max(0, next.at - now))
    now = Math.max(now, next.at)
    const waitMs = await bench.ask(key, next.ticket, limit)
    next.asked++
    next.at = now + waitMs
    if (waitMs > 0) continue
    coming.splice(coming.indexOf(next), 1)
    order.push(next.ticket)
    times.push(now)
    assert.ok(next.asked <= 3, `seed ${seed}: ${next.ticket} was sent back ${next.asked - 1} times`)
  }
  assert.equal(excess(limit, times), undefined, `seed ${seed}`)
  assert.equal(order.length, tickets)
}

export const limits: readonly Rule<StoreBench>[] = [
  [
    'a sliding window lets as many through as it says, and the next when the first has left',
    async bench => {
      const key = bench.name('sliding')
      assert.deepEqual(await askAll(bench, key, SLIDING, 'a', 'b'), [0, 0])
      await bench.target.advance(400)
      assert.deepEqual(await askAll(bench, key, SLIDING, 'c', 'd', 'e', 'f'), [0, 600, 600, 1_000])
      await bench.target.advance(599)
      assert.deepEqual(await askAll(bench, key, SLIDING, 'd'), [1])
      await bench.target.advance(1)
      assert.deepEqual(await askAll(bench, key, SLIDING, 'd', 'e', 'f'), [0, 0, 400])
    },
    ['exactClock'],
  ],

  [
    'a fixed window lets as many through as it says, and the next ones in the next windows',
    async bench => {
      const key = bench.name('fixed'),
        first = await askAll(bench, key, FIXED, 'a', 'b', 'c', 'd', 'e', 'f', 'g')
      assert.deepEqual(first.slice(0, 3), [0, 0, 0])
      const toNext = first[3]!
      assert.ok(toNext >= 1 && toNext <= 1_000, `${toNext} ms to the next window`)
      assert.deepEqual(first.slice(4), [toNext, toNext, toNext + 1_000])
      await bench.target.advance(toNext - 1)
      assert.equal(await bench.ask(key, 'd', FIXED), 1)
      await bench.target.advance(1)
      assert.deepEqual(await askAll(bench, key, FIXED, 'd', 'e', 'f', 'g'), [0, 0, 0, 1_000])
    },
    ['exactClock'],
  ],

  [
    'a bucket lets its burst through at once, and then its rate',
    async bench => {
      const key = bench.name('bucket')
      assert.deepEqual(await askAll(bench, key, BUCKET, 'a', 'b', 'c', 'd', 'e'), [0, 0, 0, 500, 1_000])
      await bench.target.advance(499)
      assert.equal(await bench.ask(key, 'd', BUCKET), 1)
      await bench.target.advance(1)
      assert.deepEqual(await askAll(bench, key, BUCKET, 'd', 'e'), [0, 500])
      await bench.target.advance(500)
      assert.equal(await bench.ask(key, 'e', BUCKET), 0)
      await bench.target.advance(10_000)
      assert.deepEqual(
        await askAll(bench, key, BUCKET, 'f', 'g', 'h', 'i'),
        [0, 0, 0, 500],
        'no more than its burst after a pause',
      )
    },
    ['exactClock'],
  ],

  ...(
    [
      ['sliding window', SLIDING],
      ['fixed window', FIXED],
      ['bucket', BUCKET],
    ] as const
  ).map(([name, limit]): Rule<StoreBench> => [
    `of a crowd at a ${name} nobody is let through too early, and nobody is sent back often`,
    bench => crowd(bench, limit, 60),
    ['exactClock'],
  ]),

  [
    'a ticket keeps its place: asking again does not move it, and nobody overtakes',
    async bench => {
      const key = bench.name('place'),
        one: SlidingWindow = { kind: 'sliding', limit: 1, windowMs: 1_000 }
      assert.deepEqual(await askAll(bench, key, one, 'a', 'b', 'c'), [0, 1_000, 2_000])
      assert.deepEqual(await askAll(bench, key, one, 'c', 'b', 'c', 'd'), [2_000, 1_000, 2_000, 3_000])
      await bench.target.advance(1_000)
      assert.deepEqual(await askAll(bench, key, one, 'd', 'e', 'b'), [2_000, 3_000, 0])
    },
    ['exactClock'],
  ],

  [
    'a ticket that comes late finds a turn, and the window stays exact',
    async bench => {
      const key = bench.name('late'),
        one: SlidingWindow = { kind: 'sliding', limit: 1, windowMs: 1_000 }
      assert.deepEqual(await askAll(bench, key, one, 'a', 'b', 'c'), [0, 1_000, 2_000])
      await bench.target.advance(1_900)
      assert.equal(await bench.ask(key, 'b', one), 0)
      await bench.target.advance(100)
      assert.equal(await bench.ask(key, 'c', one), 900)
      await bench.target.advance(900)
      assert.equal(await bench.ask(key, 'c', one), 0)
    },
    ['exactClock'],
  ],

  [
    'a ticket that has gone on and comes again is a new one',
    async bench => {
      const key = bench.name('again'),
        one: SlidingWindow = { kind: 'sliding', limit: 1, windowMs: 1_000 }
      assert.deepEqual(await askAll(bench, key, one, 'a', 'a'), [0, 1_000])
    },
    ['exactClock'],
  ],

  [
    'a place that is never claimed blocks nobody for good',
    async bench => {
      const key = bench.name('abandoned'),
        one: SlidingWindow = { kind: 'sliding', limit: 1, windowMs: 1_000 }
      assert.deepEqual(await askAll(bench, key, one, 'a', 'gone', 'b'), [0, 1_000, 2_000])
      await bench.target.advance(2_000)
      assert.equal(await bench.ask(key, 'b', one), 0)
      await bench.target.advance(2 * PLACE_LEASE_MS)
      assert.deepEqual(await askAll(bench, key, one, 'c', 'gone'), [0, 1_000])
    },
    ['exactClock'],
  ],

  [
    'a reserved place is given up by a release, and given-up places block nobody',
    async bench => {
      const key = bench.name('given up'),
        one: SlidingWindow = { kind: 'sliding', limit: 1, windowMs: 1_000 }
      assert.deepEqual(await askAll(bench, key, one, 'a', 'b', 'c'), [0, 1_000, 2_000])
      await bench.release(key, 'b')
      await bench.release(key, 'c')
      assert.deepEqual(await askAll(bench, key, one, 'd'), [1_000])
      await bench.release(key, 'a')
      assert.deepEqual(await askAll(bench, key, one, 'e'), [2_000], 'what went on cannot be given back')
    },
    ['exactClock'],
  ],

  [
    'keys are limited apart',
    async bench => {
      const one: SlidingWindow = { kind: 'sliding', limit: 1, windowMs: 1_000 }
      for (const limit of [one, { ...FIXED, limit: 1 }, { ...BUCKET, burst: 1 }, { ...SLOTS, max: 1 }]) {
        assert.deepEqual([await bench.ask(bench.name('k'), 'a', limit), await bench.ask(bench.name('k'), 'b', limit)], [0, 0])
      }
    },
  ],

  [
    'a batch is answered entry by entry, in order',
    async bench => {
      const [first, second] = [bench.name('k'), bench.name('k')],
        limit: SlidingWindow = { kind: 'sliding', limit: 2, windowMs: 1_000 }
      const asked = [
        [first, 'a'],
        [first, 'b'],
        [second, 'a'],
        [first, 'c'],
        [second, 'b'],
      ] as const
      assert.deepEqual(
        await bench.soon(bench.store.acquire(asked.map(([key, ticket]) => ({ key, ticket, limit })))),
        [0, 0, 0, 1_000, 0],
      )
    },
    ['exactClock'],
  ],

  [
    'slots have at most max holders, whatever comes at once',
    async bench => {
      const key = bench.name('slots'),
        waits = await Promise.all(Array.from({ length: 20 }, (_, n) => bench.ask(key, `t${n}`, SLOTS)))
      assert.equal(waits.filter(waitMs => waitMs === 0).length, SLOTS.max)
    },
  ],

  [
    'a slot that is given back goes to the one who waits longest',
    async bench => {
      const key = bench.name('slots')
      assert.deepEqual(await askAll(bench, key, SLOTS, 'a', 'b'), [0, 0])
      for (const ticket of ['c', 'd', 'e']) assert.notEqual(await bench.ask(key, ticket, SLOTS), 0)
      await bench.release(key, 'a')
      for (const ticket of ['e', 'd', 'f']) assert.notEqual(await bench.ask(key, ticket, SLOTS), 0, `${ticket} overtook c`)
      assert.equal(await bench.ask(key, 'c', SLOTS), 0)
      await bench.release(key, 'b')
      await bench.release(key, 'c')
      assert.deepEqual(await askAll(bench, key, SLOTS, 'd', 'e'), [0, 0])
      assert.notEqual(await bench.ask(key, 'f', SLOTS), 0)
    },
  ],

  [
    'who waits for a slot is told to wait at least 50 ms',
    async bench => {
      const key = bench.name('slots'),
        waits = await askAll(bench, key, { ...SLOTS, max: 1 }, 'a', 'b', 'c')
      assert.equal(waits[0], 0)
      assert.ok(waits[1]! >= 50 && waits[2]! >= 50, `${waits}`)
    },
  ],

  [
    'a slot comes back when its holder does not for a lease, and is renewed by asking',
    async bench => {
      const key = bench.name('slots'),
        one = { ...SLOTS, max: 1 }
      assert.equal(await bench.ask(key, 'a', one), 0)
      await bench.target.advance(9_000)
      assert.equal(await bench.ask(key, 'a', one), 0, 'a holder asks again')
      await bench.target.advance(9_000)
      assert.notEqual(await bench.ask(key, 'b', one), 0)
      await bench.target.advance(1_001)
      assert.equal(await bench.ask(key, 'b', one), 0)
      assert.notEqual(await bench.ask(key, 'a', one), 0, "its slot is another's")
    },
    ['exactClock'],
  ],

  [
    'the place of one who waits for a slot and does not come back is lost after a lease',
    async bench => {
      const key = bench.name('slots'),
        one = { ...SLOTS, max: 1 }
      assert.equal(await bench.ask(key, 'a', one), 0)
      const waitMs = await bench.ask(key, 'gone', one)
      assert.notEqual(await bench.ask(key, 'c', one), 0)
      await bench.release(key, 'a')
      assert.notEqual(await bench.ask(key, 'c', one), 0, 'its place is kept for a lease')
      for (let waited = 0; waited <= waitMs + one.leaseMs; waited += 1_000) {
        await bench.target.advance(1_000)
        if ((await bench.ask(key, 'c', one)) === 0) return
      }
      assert.fail('the place was not lost')
    },
    ['exactClock'],
  ],

  [
    'one who waits for a slot may give its place up',
    async bench => {
      const key = bench.name('slots'),
        one = { ...SLOTS, max: 1 }
      assert.equal(await bench.ask(key, 'a', one), 0)
      for (const ticket of ['b', 'c']) assert.notEqual(await bench.ask(key, ticket, one), 0)
      await bench.release(key, 'b')
      await bench.release(key, 'a')
      await bench.release(key, 'nobody')
      assert.equal(await bench.ask(key, 'c', one), 0)
    },
  ],
]
