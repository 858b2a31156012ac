/** What the keeper thread makes of its looks at the event loop, in numbers; and how it renews. */
import t from 'tap'
import type { KeeperModule } from '../../lib/broker.ts'
import { Board } from '../../lib/keeper/board.ts'
import { createRenewals } from '../../lib/keeper/renewals.ts'
import { createWatch, limitOf } from '../../lib/keeper/watch.ts'
import { movingClock } from '../../lib/moving-clock.ts'
import { turns } from '../helpers/turns.ts'

const limits = { thresholdMs: 1_000, limitMs: 5_000 }

t.test('a loop that stands still is blocked once, over from its limit on, and back once', async t => {
  const watch = createWatch()
  const look = (now: number, beatAt: number) => watch.look({ now, beatAt, ...limits }).kind
  t.equal(look(0, 0), 'moves')
  t.equal(look(500, 400), 'moves')
  t.equal(look(1_000, 400), 'moves')
  t.equal(look(1_500, 400), 'blocked')
  t.equal(watch.nextAt, 1_600, 'it looks more often')
  t.equal(look(1_600, 400), 'still')
  t.strictSame(watch.look({ now: 1_700, beatAt: 1_650, ...limits }), { kind: 'back', blockedMs: 1_250 })
  t.equal(look(2_200, 2_150), 'moves')
  for (let now = 2_700; now < 7_150; now += 100) look(now, 2_150)
  t.equal(look(7_150, 2_150), 'over')
})

t.test('it looks when the loop has stood still for as long as is reported, not later', async t => {
  const watch = createWatch()
  const look = (now: number) => watch.look({ now, beatAt: 400, thresholdMs: 5_000, limitMs: 60_000 }).kind
  for (let now = 500; now < 5_400; now = watch.nextAt) t.equal(look(now), 'moves', `at ${now}`)
  t.equal(watch.nextAt, 5_400)
  t.equal(look(5_400), 'blocked')
})

t.test(
  'a process that stood still as a whole is not blocked, and one that was blocked before is for as long as it ran',
  async t => {
    const watch = createWatch()
    const look = (now: number, beatAt: number) => watch.look({ now, beatAt, ...limits })
    look(0, 0)
    t.equal(look(600_000, 0).kind, 'moves', 'this thread stood still with it')
    t.equal(look(600_500, 600_400).kind, 'moves')
    look(601_000, 600_400)
    t.equal(look(601_500, 600_400).kind, 'blocked')
    t.equal(look(700_000, 600_400).kind, 'still', 'a stop in the middle of a block')
    t.match(look(700_100, 700_050), { kind: 'back', blockedMs: 1_250 })
  },
)

t.test('a process that was stopped while the thread started is not blocked; a loop that never moves is', async t => {
  const watch = createWatch()
  const look = (now: number) => watch.look({ now, beatAt: 0, ...limits }).kind
  t.equal(look(3_000), 'moves')
  t.equal(look(3_500), 'moves')
  t.equal(look(4_000), 'blocked')
})

t.test(
  'the limit is the longest time limit that runs and the grace, a quarter of an hour at most; the longer of two workers counts',
  async t => {
    const worker = { thresholdMs: 1_000, graceMs: 25_000, maxBlockMs: undefined }
    t.equal(limitOf([worker], 10_000), 35_000)
    t.equal(limitOf([{ ...worker, graceMs: 0 }], 10), 2_000)
    t.equal(limitOf([worker], Infinity), 900_000)
    t.equal(limitOf([worker], 0), 900_000, 'no handler runs: it is other code of the process')
    t.equal(limitOf([{ ...worker, maxBlockMs: 60_000 }, worker], 10_000), 60_000)
    t.equal(limitOf([{ ...worker, maxBlockMs: Infinity }, worker], 10_000), Infinity)
  },
)

t.test('the board tells a thread which handlers run, and how long they may', async t => {
  const board = new Board(),
    seen = new Board(board.memory)
  board.named = (place, name) => {
    seen.names[place] = name
  }
  const places = ['mail', 'resize', 'mail'].map((name, n) => board.enter(name, 1_000 * n))
  t.strictSame([seen.running, seen.longestMs], [['mail', 'resize'], 2_000])
  board.leave(places[1]!)
  t.strictSame(seen.running, ['mail'])
  t.strictSame([seen.limitOf('mail'), seen.limitOf('resize'), seen.limitOf('other')], [2_000, undefined, undefined])
  board.leave(places[0]!)
  board.leave(places[2]!)
  board.enter('mail', 500)
  t.equal(seen.limitOf('mail'), 500, 'those that ended do not count')
  board.beat(0, true)
  t.strictSame([seen.longestMs, seen.inspected, seen.beatAt], [0, true, board.beatAt])
  for (let n = 0; n < 2_000; n++) board.enter(`many-${n}`, 1)
  t.ok(seen.names.length <= 512, 'its memory has an end')
  t.equal(seen.names.at(-1), 'another actor')
})

/** Renewals of modules that are made here, and what was told of them. */
function renewing(modules: Readonly<Record<string, unknown>>) {
  const clock = movingClock(),
    told: (readonly [id: number, error: string | undefined])[] = []
  const renewals = createRenewals(
    clock,
    async name => modules[name],
    (id, error) => told.push([id, error]),
  )
  const keep = (id: number, module: string) => renewals.keep(id, { module, data: { id }, everyMs: 1_000 })
  const pass = async (ms: number) => {
    for (let left = ms; left > 0; left -= 500) {
      clock.advance(Math.min(500, left))
      await turns()
    }
  }
  return { told, keep, drop: renewals.drop, pass }
}

t.test('a lease is renewed at once and then in its time, until it is dropped; then its module closes what it holds', async t => {
  let renewed = 0
  const seen: unknown[] = []
  const module: KeeperModule = {
    keep(data) {
      seen.push(data)
      return { renew: () => void renewed++, [Symbol.asyncDispose]: async () => void seen.push('closed') }
    },
  }
  const { keep, pass, drop, told } = renewing({ module })
  keep(1, 'module')
  await turns()
  t.equal(renewed, 1)
  await pass(3_000)
  t.equal(renewed, 4)
  await drop(1)
  await pass(3_000)
  t.equal(renewed, 4)
  t.strictSame(seen, [{ id: 1 }, 'closed'])
  t.strictSame(told, [])
})

t.test(
  'a renewal that fails is told of once, tried again, and told of when it works; one that hangs holds up no other',
  async t => {
    let failing = true,
      renewed = 0,
      calls = 0
    const modules = {
      failing: { keep: () => ({ renew: async () => void (failing && (await Promise.reject(new Error('no server')))) }) },
      hanging: { keep: () => ({ renew: () => (calls++, new Promise(() => {})) }) },
      wrong: {},
      good: { keep: () => ({ renew: () => void renewed++ }) },
    }
    const { keep, pass, drop, told } = renewing(modules)
    Object.keys(modules).forEach((name, id) => keep(id, name))
    await pass(6_000)
    t.equal(renewed, 7)
    t.ok(calls >= 3, 'one that does not answer is asked again')
    t.match(
      told.toSorted(([a], [b]) => a - b),
      [
        [0, 'no server'],
        [1, /^it has not answered for \d+ ms$/],
        [2, 'wrong exports no function keep(data)'],
      ],
    )
    failing = false
    await pass(1_000)
    t.strictSame(told.at(-1), [0, undefined])
    for (let id = 0; id < 4; id++) void drop(id)
  },
)
