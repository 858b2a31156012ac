/** Delayed messages on Redis by a clock that is moved: never early, on time behind those of next month, in crowds, through restarts, and whatever a worker's own clock says. */
import t from 'tap'
import type { Consumer } from '../../lib/broker.ts'
import { movingClock } from '../../lib/moving-clock.ts'
import { redisAt } from '../rig/redis-at.ts'
import { scanRedis } from '../rig/redis-scan.ts'
import { consume, envelope, ids, never } from './embedded-target.ts'
import { brokerAt, receive } from './redis-faults.ts'

const HOUR = 3_600_000
const look = (consumer: Consumer, max = 1_000) => consumer.take(max, { waitMs: 0, signal: never })
const done = (taken: readonly { readonly token: string }[]) => taken.map(({ token }) => ({ token, kind: 'done' as const }))

t.test(
  'messages for next month hold back none that is due before them, and each comes in its millisecond, none before',
  async t => {
    await using server = await redisAt()
    const broker = brokerAt(t, server)
    await broker.open(['q'])
    await broker.push(Array.from({ length: 2_000 }, (_, n) => envelope(`far-${n}`, { due: { afterMs: 30 * 24 * HOUR + n } })))
    await broker.push([3_000, 1_000, 2_000].map(ms => envelope(`near-${ms}`, { due: { afterMs: ms } })))
    await using consumer = await consume(broker)
    for (const ms of [1_000, 2_000, 3_000]) {
      server.advance(999)
      t.strictSame(ids(await look(consumer)), [], `a millisecond before ${ms}`)
      server.advance(1)
      const taken = await look(consumer)
      t.strictSame(ids(taken), [`near-${ms}`])
      await consumer.settle(done(taken))
    }
    t.strictSame((await scanRedis(server.port)).counts, { delayed: 2_000 })
  },
)

t.test('100,000 retries that are due in one millisecond come in bounded lots, and hold back nothing that is ready', async t => {
  await using server = await redisAt()
  const broker = brokerAt(t, server),
    COUNT = 100_000
  await broker.open(['q'])
  for (let n = 0; n < COUNT; n += 1_000)
    await broker.push(Array.from({ length: 1_000 }, (_, i) => envelope(`${n + i}`, { due: { at: server.now() + HOUR } })))
  await using consumer = await consume(broker, { credit: COUNT })
  server.advance(HOUR)
  await broker.push([envelope('ready', { priority: 1 })])
  const first = await look(consumer, 10)
  t.equal(ids(first)[0], 'ready', 'what is ready comes first')
  const { counts } = await scanRedis(server.port)
  t.equal(counts.delayed, COUNT - 84, 'one take moves 2 x 10 + 64 of them')
  const seen = new Set(ids(first))
  await consumer.settle(done(first))
  let takes = 0
  while (seen.size <= COUNT) {
    const taken = await receive(consumer, Math.min(500, COUNT + 1 - seen.size))
    takes++
    for (const id of ids(taken)) seen.add(id)
    await consumer.settle(done(taken))
  }
  t.ok(takes < COUNT / 250, `${takes} takes`)
  const after = await scanRedis(server.port)
  t.strictSame(after.counts, {})
  t.strictSame(after.wrong, [])
})

t.test('server and workers end while messages are delayed: all are there afterwards, none early, none late', async t => {
  await using server = await redisAt({ appendfsync: 'always' })
  const COUNT = 20_000
  {
    await using broker = brokerAt(t, server)
    await using consumer = await consume(broker)
    for (let n = 0; n < COUNT; n += 1_000)
      await broker.push(Array.from({ length: 1_000 }, (_, i) => envelope(`${n + i}`, { due: { afterMs: HOUR + (n + i) } })))
    t.strictSame(ids(await look(consumer)), [])
  }
  await server.kill()
  server.advance(HOUR - 1)
  await server.start()
  const broker = brokerAt(t, server)
  await using consumer = await consume(broker, { credit: COUNT })
  t.strictSame(ids(await look(consumer)), [], 'none early')
  let ran = 0
  for (const upTo of [1, 2, 1_000, 15_000, COUNT]) {
    server.advance(upTo - ran)
    const taken = await receive(consumer, upTo - ran)
    t.strictSame(
      ids(taken),
      Array.from({ length: upTo - ran }, (_, i) => `${ran + i}`),
      'all that are due, in that order',
    )
    t.strictSame(ids(await look(consumer)), [], 'and none that is not')
    await consumer.settle(done(taken))
    ran = upTo
  }
  const { counts, wrong } = await scanRedis(server.port)
  t.strictSame(counts, {})
  t.strictSame(wrong, [])
})

t.test('workers whose clocks are an hour ahead and behind: nothing is reaped, nothing is early, nothing is late', async t => {
  await using server = await redisAt()
  const brokers = [-HOUR, HOUR].map(ms => brokerAt(t, server, { clock: movingClock(server.now() + ms) }))
  const lost: string[] = []
  const [behind, ahead] = (await Promise.all(
    brokers.map(broker => consume(broker, { onLost: tokens => lost.push(...tokens) })),
  )) as [Consumer, Consumer]
  await brokers[0]!.push([envelope('a')])
  await brokers[1]!.push([envelope('b')])
  const held = [...(await look(behind, 1)), ...(await look(ahead, 1))]
  t.strictSame(ids(held), ['a', 'b'])
  await brokers[0]!.push([envelope('later-0', { due: { afterMs: 5_000 } })])
  await brokers[1]!.push([envelope('later-1', { due: { afterMs: 5_000 } })])
  for (const consumer of [behind, ahead, behind]) t.strictSame(ids(await look(consumer)), [])
  server.advance(4_999)
  for (const consumer of [behind, ahead]) t.strictSame(ids(await look(consumer)), [], 'not early')
  server.advance(1)
  t.strictSame(ids(await look(ahead)), ['later-0', 'later-1'], 'not late')
  t.strictSame(await behind.settle(done(held.slice(0, 1))), ['ok'])
  t.strictSame(await ahead.settle(done(held.slice(1))), ['ok'])
  t.strictSame(lost, [])
  const { messages, wrong } = await scanRedis(server.port)
  t.strictSame(
    messages.map(({ id, lapses }) => [id, lapses]),
    [
      ['later-0', 0],
      ['later-1', 0],
    ],
  )
  t.strictSame(wrong, [])
})
