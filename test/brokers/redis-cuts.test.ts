/** The Redis broker on a connection that is cut: at each byte of a reply, and all along a request. Nothing is lost, nothing is there twice. */
import t from 'tap'
import type { Delivery, Settlement } from '../../lib/broker.ts'
import { type Daemon, startDaemon } from '../rig/daemon.ts'
import { openProxy } from '../rig/proxy.ts'
import { redis } from '../rig/redis.ts'
import { scanRedis } from '../rig/redis-scan.ts'
import { consume, envelope, ids } from './embedded-target.ts'
import { atEveryCut, brokerAt, cutPiece, receive } from './redis-faults.ts'

let server: Daemon
t.before(async () => {
  server = await startDaemon(redis())
})
t.teardown(() => server[Symbol.asyncDispose]())

t.test('a send whose conversation is cut anywhere resolves, and is stored exactly once', async t => {
  await using proxy = await openProxy({ to: server })
  const expected: string[] = []
  await atEveryCut(t, proxy, 'push', async (name, arm) => {
    await using broker = brokerAt(t, proxy, { namespace: 'push' })
    await broker.open(['q'])
    const [now, later, once] = [`${name}-now`, `${name}-later`, `${name}-once`]
    const batch = [
      envelope(now),
      envelope(later, { due: { afterMs: 3_600_000 } }),
      envelope(once, { onceMs: 3_600_000 }),
      envelope(once, { onceMs: 3_600_000 }),
    ]
    arm()
    t.strictSame(await broker.push(batch), ['stored', 'stored', 'stored', 'duplicate'], name)
    expected.push(now, later, once)
  })
  const { messages, wrong } = await scanRedis(server.port, 'push')
  t.strictSame(messages.map(({ id }) => id).toSorted(), expected.toSorted())
  t.strictSame(wrong, [])
})

t.test('sends of one turn to several queues, cut together: each is stored once', async t => {
  await using proxy = await openProxy({ to: server })
  const queues = ['a', 'b', 'c', 'd'],
    expected: string[] = []
  await atEveryCut(
    t,
    proxy,
    'push',
    async (name, arm) => {
      await using broker = brokerAt(t, proxy, { namespace: 'pushes' })
      await broker.open(queues)
      const batch = queues.flatMap(queue => [1, 2].map(n => envelope(`${name}-${queue}${n}`, { queue })))
      arm()
      t.strictSame(
        await broker.push(batch),
        batch.map(() => 'stored'),
        name,
      )
      expected.push(...ids(batch.map(one => ({ envelope: one }))))
    },
    { step: 61 },
  )
  const { messages, wrong } = await scanRedis(server.port, 'pushes')
  t.strictSame(messages.map(({ id }) => id).toSorted(), expected.toSorted())
  t.strictSame(wrong, [])
})

/** Five messages that are held, what is to become of each, and what is there afterwards. */
const NAMES = ['done', 'retry', 'release', 'dead', 'then'] as const
const outcomes = (held: readonly Delivery[], name: string): readonly Settlement[] =>
  held.map(({ token, envelope: { id } }) => {
    switch (id.split(':')[1]) {
      case 'retry':
        return { token, kind: 'retry', afterMs: 0 }
      case 'release':
        return { token, kind: 'release', afterMs: 0 }
      case 'dead':
        return { token, kind: 'dead', reason: 'no' }
      case 'then':
        return { token, kind: 'done', then: [envelope(`${name}:next`)] }
      default:
        return { token, kind: 'done' }
    }
  })

for (const [piece, others] of [
  ['exchange', []],
  ['reconcile', ['exchange']],
] as const)
  t.test(`settlements and a take, ${piece} cut anywhere: each is applied once, and what was taken comes once`, async t => {
    await using proxy = await openProxy({ to: server })
    const direct = brokerAt(t, server, { namespace: piece }),
      dead: string[] = []
    await atEveryCut(
      t,
      proxy,
      piece,
      async (name, arm) => {
        await direct.open(['q'])
        await direct.push(NAMES.map(kind => envelope(`${name}:${kind}`)))
        await using broker = brokerAt(t, proxy, { namespace: piece })
        await using consumer = await consume(broker, { onLost: tokens => t.strictSame(tokens, [], `${name}: lost`) })
        const held = await receive(consumer, NAMES.length)
        const lost = others.map(other => cutPiece(proxy, other, 'down', 0))
        arm()
        const settled = consumer.settle(outcomes(held, name))
        const taken = await receive(consumer, 3)
        t.strictSame(await settled, ['ok', 'ok', 'ok', 'ok', 'ok'], name)
        t.strictSame(
          taken.map(({ envelope: { id, attempt }, deliveries }) => [id, attempt, deliveries]).toSorted(),
          [
            [`${name}:next`, 0, 1],
            [`${name}:release`, 0, 1],
            [`${name}:retry`, 1, 1],
          ],
          name,
        )
        t.strictSame(await consumer.settle(taken.map(({ token }) => ({ token, kind: 'done' }))), ['ok', 'ok', 'ok'])
        dead.push(`${name}:dead`)
        for (const one of lost) t.ok((await one).isCut)
      },
      { step: 23, replyStep: 5 },
    )
    const { messages, wrong, counts } = await scanRedis(server.port, piece)
    t.strictSame(counts, { dead: dead.length })
    t.strictSame(messages.map(({ id }) => id).toSorted(), dead.toSorted())
    t.strictSame(wrong, [])
  })

t.test('the first take of a consumer, cut anywhere: what it took comes once, to the one lease that there is', async t => {
  await using proxy = await openProxy({ to: server })
  const direct = brokerAt(t, server, { namespace: 'first' })
  await direct.open(['q'])
  await atEveryCut(
    t,
    proxy,
    'exchange',
    async (name, arm) => {
      await direct.push([1, 2, 3].map(n => envelope(`${name}:${n}`)))
      await using broker = brokerAt(t, proxy, { namespace: 'first' })
      const consumer = await consume(broker)
      arm()
      const taken = await receive(consumer, 3)
      t.strictSame(
        taken.map(({ envelope: { id }, deliveries }) => [id, deliveries]),
        [1, 2, 3].map(n => [`${name}:${n}`, 1]),
      )
      const { messages, wrong } = await scanRedis(server.port, 'first')
      t.equal(new Set(messages.map(({ holder }) => holder)).size, 1)
      t.strictSame(wrong, [])
      await consumer.settle(taken.map(({ token }) => ({ token, kind: 'done' })))
      await consumer[Symbol.asyncDispose]()
    },
    { step: 40, replyStep: 5 },
  )
  t.strictSame((await scanRedis(server.port, 'first')).counts, {})
})

t.test('a consumer that leaves while its last words are cut anywhere: what it held is back, in order and uncounted', async t => {
  await using proxy = await openProxy({ to: server })
  const direct = brokerAt(t, server, { namespace: 'leave' })
  await direct.open(['q'])
  await direct.push([1, 2, 3].map(n => envelope(`m:${n}`)))
  await atEveryCut(
    t,
    proxy,
    'giveback',
    async (name, arm) => {
      await using broker = brokerAt(t, proxy, { namespace: 'leave' })
      const consumer = await consume(broker)
      await receive(consumer, 3)
      arm()
      await consumer[Symbol.asyncDispose]()
      const { messages, wrong } = await scanRedis(server.port, 'leave')
      t.strictSame(
        messages.map(({ id, place, lapses }) => [id, place, lapses]),
        [1, 2, 3].map(n => [`m:${n}`, 'ready', 0]),
        name,
      )
      t.strictSame(wrong, [])
    },
    { step: 20 },
  )
})
