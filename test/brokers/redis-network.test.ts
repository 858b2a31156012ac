/** The Redis broker on a network that goes silent, comes late, is slow or refuses; and requests that arrive after everybody has given them up. */
import t from 'tap'
import { keep } from '../../brokers/redis/keeper.ts'
import { systemClock } from '../../lib/clock.ts'
import { type Daemon, startDaemon } from '../rig/daemon.ts'
import { openProxy } from '../rig/proxy.ts'
import { redis } from '../rig/redis.ts'
import { redisAt } from '../rig/redis-at.ts'
import { scanRedis } from '../rig/redis-scan.ts'
import { consume, envelope, ids } from './embedded-target.ts'
import { brokerAt, cutPiece, listening, receive } from './redis-faults.ts'
import { beside } from './redis-links.ts'

let server: Daemon
t.before(async () => {
  server = await startDaemon(redis())
})
t.teardown(() => server[Symbol.asyncDispose]())

const done = (taken: readonly { readonly token: string }[]) => taken.map(({ token }) => ({ token, kind: 'done' as const }))
const GIVEN_UP = /given up: no reply within/

t.test('a connection on which nothing passes, either way or one way, is given up; what was under way is done once', async t => {
  for (const direction of ['both', 'up', 'down'] as const) {
    const namespace = `silent-${direction}`
    await using proxy = await openProxy({ to: server })
    const { log, lines, said } = listening(),
      broker = brokerAt(t, proxy, { namespace, log, replyTimeoutMs: 150 })
    await using consumer = await consume(broker)
    await broker.push([envelope('a'), envelope('b')])
    const held = await receive(consumer, 2)
    proxy.silence(direction)
    const before = lines.length,
      pushed = broker.push([envelope('c')]),
      settled = consumer.settle(done(held)),
      taken = receive(consumer, 1)
    await said(GIVEN_UP, before)
    proxy.heal()
    t.strictSame(await pushed, ['stored'], direction)
    t.strictSame(await settled, ['ok', 'ok'], direction)
    t.strictSame(ids(await taken), ['c'], direction)
    const { messages, wrong } = await scanRedis(server.port, namespace)
    t.match(messages, [{ id: 'c', place: 'leased', lapses: 0 }])
    t.equal(messages.length, 1)
    t.strictSame(wrong, [])
  }
})

t.test('an idle consumer notices that its connections are dead, and takes what came meanwhile', async t => {
  const namespace = 'idle'
  await using proxy = await openProxy({ to: server })
  const { log, lines, said } = listening(),
    broker = brokerAt(t, proxy, { namespace, log, replyTimeoutMs: 150 }),
    direct = brokerAt(t, server, { namespace })
  await using consumer = await consume(broker)
  const first = receive(consumer, 1)
  await broker.push([envelope('a')])
  await consumer.settle(done(await first))
  const second = receive(consumer, 1)
  proxy.silence('both')
  const before = lines.length
  await direct.push([envelope('b')]) // its wake goes nowhere
  await said(/wake-ups.*given up/, before)
  proxy.heal()
  t.strictSame(ids(await second), ['b'])
})

t.test('requests that arrive long after they were given up change nothing', async t => {
  const namespace = 'late'
  await using far = await openProxy({ to: server })
  await using near = await openProxy({ to: far })
  const { log, lines, said } = listening(),
    broker = brokerAt(t, near, { namespace, log, replyTimeoutMs: 150 }),
    direct = brokerAt(t, server, { namespace })
  await using consumer = await consume(broker)
  /** What is sent while `far` is silent is in its hands until it heals; the next connections lead past it. */
  const later = async (send: () => Promise<unknown>) => {
    near.repoint(far)
    await near.cut()
    await broker.open(['q'])
    far.silence('up')
    const before = lines.length,
      sent = send()
    near.repoint(server)
    await said(GIVEN_UP, before)
    await sent
    await near.cut('fin') // also the connection that listens leads past it from now on
    const passed = far.passed.up
    far.heal()
    await far.quiet()
    t.ok(far.passed.up > passed, 'it did arrive')
    t.strictSame((await scanRedis(server.port, namespace)).wrong, [])
  }
  const counts = async () => (await scanRedis(server.port, namespace)).counts

  await direct.open(['q'])
  await direct.push([1, 2].map(n => envelope(`m-${n}`)))
  let held = await receive(consumer, 2)
  await later(async () => t.strictSame(await consumer.settle([{ token: held[0]!.token, kind: 'retry', afterMs: 0 }]), ['ok']))
  t.strictSame(await counts(), { ready: 1, leased: 1 }, 'a settlement')
  await later(async () => (held = [held[1]!, ...(await receive(consumer, 1))]))
  t.strictSame(await counts(), { leased: 2 }, 'a take')
  t.strictSame(await consumer.settle(done(held)), ['ok', 'ok'])

  await later(async () =>
    t.strictSame(await broker.push([envelope('p'), envelope('o', { onceMs: 60_000 })]), ['stored', 'stored']),
  )
  t.strictSame(await counts(), { ready: 2 }, 'a push')
  await later(async () => {
    const giveUp = new AbortController(),
      pushed = broker.push([envelope('given-up')], { signal: giveUp.signal })
    giveUp.abort()
    t.match(await pushed, [{ code: 'BROKER_DOWN', stored: 'maybe' }])
    t.strictSame(await broker.push([envelope('next')]), ['stored'])
  })
  t.strictSame(await counts(), { ready: 3 }, 'a push that its sender gave up, and whose token another one has used since')
  t.strictSame(ids(await receive(consumer, 3)), ['p', 'o', 'next'])
})

t.test('the first take of a consumer that arrives after it was given up leases nothing to nobody', async t => {
  const namespace = 'late-first'
  await using far = await openProxy({ to: server })
  await using near = await openProxy({ to: far })
  const { log, said } = listening(),
    broker = brokerAt(t, near, { namespace, log, replyTimeoutMs: 150 }),
    direct = brokerAt(t, server, { namespace })
  await using consumer = await consume(broker)
  far.silence('up')
  const taken = receive(consumer, 1)
  near.repoint(server)
  await said(GIVEN_UP)
  await direct.open(['q'])
  await direct.push([envelope('a')])
  t.strictSame(ids(await taken), ['a'])
  await direct.push([envelope('b')])
  far.heal()
  await far.quiet()
  const { messages, wrong } = await scanRedis(server.port, namespace)
  t.equal(new Set(messages.flatMap(({ holder }) => holder ?? [])).size, 1, 'one lease')
  t.strictSame(wrong, [])
  t.strictSame(ids(await receive(consumer, 1)), ['b'])
})

t.test('the keeper renews a lease whose first answer was lost', async t => {
  const namespace = 'keeper'
  await using slow = await redisAt()
  await using proxy = await openProxy({ to: slow })
  const broker = brokerAt(t, proxy, { namespace }),
    direct = brokerAt(t, slow, { namespace })
  await direct.open(['q'])
  await direct.push([envelope('a')])
  await using consumer = await consume(broker, { leaseMs: 30_000 })
  const lost = cutPiece(proxy, 'exchange', 'down', 0)
  await receive(consumer, 1)
  t.ok((await lost).isCut)
  slow.advance(20_000)
  const renewal = await keep(consumer.keeper!.data)
  await renewal.renew()
  await renewal[Symbol.asyncDispose]?.()
  const [, deadline] = (await beside(slow.port, 'ZRANGE', `{${namespace}:q}:leases`, '0', '-1', 'WITHSCORES')) as string[]
  t.equal(Number(deadline), slow.now() + 30_000)
})

t.test(
  'a server that stands still longer than leases last: sends wait for it and are stored once, takes are repeated',
  async t => {
    const namespace = 'still'
    await using one = await startDaemon(redis())
    const { log, lines, said } = listening(),
      broker = brokerAt(t, one, { namespace, log, replyTimeoutMs: 150 })
    await using consumer = await consume(broker, { leaseMs: 1_000 })
    await broker.open(['q'])
    await broker.push([1, 2, 3].map(n => envelope(`m-${n}`)))
    const held = await receive(consumer, 2)
    one.pause()
    const before = lines.length,
      pushes = Array.from({ length: 50 }, (_, n) => broker.push([envelope(`p-${n}`), envelope(`o-${n}`, { onceMs: 60_000 })])),
      settled = consumer.settle([{ token: held[0]!.token, kind: 'retry', afterMs: 0 }]),
      taken = receive(consumer, 10)
    await said(GIVEN_UP, before)
    await new Promise<void>(resolve => void systemClock.after(1_100, resolve)) // the time that is the fault: more than a lease
    one.continue()
    for (const pushed of await Promise.all(pushes)) t.strictSame(pushed, ['stored', 'stored'])
    t.strictSame(await settled, ['ok'])
    const all = [held[1]!, ...(await taken), ...(await receive(consumer, 92))]
    t.equal(new Set(ids(all)).size, 103, 'each once')
    for (const { deliveries } of all) t.equal(deliveries, 1)
    const { counts, wrong } = await scanRedis(one.port, namespace)
    t.strictSame(counts, { leased: 103 })
    t.strictSame(wrong, [])
  },
)
