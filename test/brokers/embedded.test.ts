/** The embedded broker keeps all the rules of brokers and of stores, and a few of its own that need no second process. */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { isAlive, thisProcess } from '../../brokers/embedded/processes.ts'
import { embeddedBroker } from '../../brokers/embedded/index.ts'
import { advance, crash } from '../../brokers/embedded/testing.ts'
import { brokerRules, runBrokerRules, runStoreRules, storeRules } from '../../conformance.ts'
import type { Verdict } from '../../conformance.ts'
import { FOREVER, consume, embeddedTarget, envelope, folder, ids, never, receive } from './embedded-target.ts'

type Tap = typeof t
/** Each rule as a test; none may be left out. */
const reporter = (t: Tap) => (rule: string, verdict: Verdict) =>
  t.test(rule, async t => {
    if (verdict.kind === 'excluded') throw new Error(`left out, for want of ${verdict.missing}`)
    if (verdict.kind === 'failed') throw verdict.error
    t.pass()
  })

for (const sync of ['flush', 'none'] as const)
  t.test(`every rule of brokers, sync: ${sync}`, async t => {
    await using target = await embeddedTarget({ path: folder(t), sync })
    await runBrokerRules(brokerRules, target, reporter(t as Tap))
  })

t.test('every rule of stores', async t => {
  const path = folder(t)
  await using anchor = embeddedBroker({ path })
  await advance(anchor, 0)
  const target = {
    shared: true,
    async open(namespace = 'conformance') {
      const broker = embeddedBroker({ path, namespace })
      return {
        ...broker.store!,
        async [Symbol.asyncDispose]() {
          await broker.store![Symbol.asyncDispose]()
          await broker[Symbol.asyncDispose]()
        },
      }
    },
    advance: (ms: number) => advance(anchor, ms),
  }
  await runStoreRules(storeRules, target, reporter(t as Tap))
})

t.test('there is no I/O before the first call', async t => {
  const path = folder(t),
    broker = embeddedBroker({ path })
  t.notOk(existsSync(path))
  await broker[Symbol.asyncDispose]()
  t.notOk(existsSync(path), 'nor by closing it')
})

t.test('a path that is not absolute is an error that says so', async t => {
  t.throws(() => embeddedBroker({ path: 'here' }), { code: 'BROKER_INVALID', message: /absolute/ })
})

t.test('files are for their owner alone', async t => {
  const path = folder(t)
  await using broker = embeddedBroker({ path })
  await consume(broker)
  t.equal(statSync(path).mode & 0o777, 0o700)
  for (const name of ['data.mdb', 'lock.mdb', 'ballast', join('wake', readdirSync(join(path, 'wake'))[0]!)])
    t.equal(statSync(join(path, name)).mode & 0o777, 0o600, name)
})

t.test('brokers of a process on one folder share one engine, apart by namespace, and the last one closes it', async t => {
  const path = folder(t),
    threads = () => process.getActiveResourcesInfo().filter(name => name === 'Worker').length
  const before = threads(),
    first = embeddedBroker({ path }),
    second = embeddedBroker({ path, namespace: 'other' })
  await Promise.all([first.push([envelope('a')]), second.push([envelope('b')])])
  t.equal((await first.inspector!.counts('q')).ready, 1)
  await first[Symbol.asyncDispose]()
  t.strictSame(ids(await receive(await consume(second), 1)), ['b'])
  await t.rejects(first.push([envelope('c')]), { code: 'BROKER_DOWN' })
  await second[Symbol.asyncDispose]()
  t.equal(threads(), before)
  await using third = embeddedBroker({ path })
  t.equal((await third.inspector!.find('a'))?.place, 'ready', 'and a later one opens it again')
})

t.test('closing leaves no handle, no file of its own, and gives back what was held', async t => {
  const path = folder(t),
    before = process.getActiveResourcesInfo().toSorted()
  const broker = embeddedBroker({ path }),
    consumer = await consume(broker)
  await broker.push([envelope('a'), envelope('b')])
  await receive(consumer, 2)
  const taking = consumer.take(1, { waitMs: FOREVER, signal: never }),
    reading = broker.store!.read([{ topic: 't' }], { waitMs: FOREVER })
  await broker[Symbol.asyncDispose]()
  t.strictSame([await taking, await reading], [[], [[]]])
  t.strictSame(readdirSync(join(path, 'wake')), [])
  t.strictSame(process.getActiveResourcesInfo().toSorted(), before)
  await using again = embeddedBroker({ path })
  const counts = await again.inspector!.counts('q')
  t.match(counts, { ready: 2, leased: 0 })
})

t.test('dead letters are capped by count and by age, and a warning says so', async t => {
  const lines: object[] = [],
    log = {
      debug() {},
      info() {},
      error() {},
      warn: (facts: object) => {
        lines.push(facts)
      },
    }
  await using broker = embeddedBroker({ path: folder(t), log, maxDead: 2, maxDeadMs: 100_000 })
  await advance(broker, 0)
  const consumer = await consume(broker),
    left = async () => ids((await broker.inspector!.list('q', 'dead')).entries)
  const bury = async (...names: readonly string[]) => {
    await broker.push(names.map(name => envelope(name)))
    await consumer.settle((await receive(consumer, names.length)).map(({ token }) => ({ token, kind: 'dead', reason: 'test' })))
  }
  await bury('a', 'b', 'c', 'd')
  t.strictSame(await left(), ['c', 'd'])
  t.ok(lines.length > 0)
  await advance(broker, 60_000)
  await bury('e')
  await advance(broker, 60_000)
  t.strictSame(await left(), ['e'], 'd is too old')
  t.equal((await broker.inspector!.counts('q')).dead, 1)
})

t.test('what was due before a push, or before a retry, is taken before it, though nobody looked meanwhile', async t => {
  await using broker = embeddedBroker({ path: folder(t) })
  await advance(broker, 0)
  const consumer = await consume(broker)
  await broker.push([envelope('retried'), envelope('first', { due: { afterMs: 1_000 } })])
  const [retried] = await receive(consumer, 1)
  await advance(broker, 2_000)
  await consumer.settle([{ token: retried!.token, kind: 'retry', afterMs: 0 }])
  t.strictSame(ids(await receive(consumer, 2)), ['first', 'retried'])
  await broker.push([envelope('second', { due: { afterMs: 1_000 } })])
  await advance(broker, 2_000)
  await broker.push([envelope('pushed')])
  t.strictSame(ids(await receive(consumer, 2)), ['second', 'pushed'])
})

t.test('an onLost that throws is logged and harms nobody', async t => {
  const lines: object[] = [],
    log = {
      debug() {},
      info() {},
      warn() {},
      error: (facts: object) => {
        lines.push(facts)
      },
    }
  await using broker = embeddedBroker({ path: folder(t), log })
  await advance(broker, 0)
  const victim = await consume(broker, {
      onLost() {
        throw new Error('a bug')
      },
    }),
    other = await consume(broker)
  await broker.push([envelope('a')])
  const [held] = await receive(victim, 1)
  await crash(broker, victim)
  // Its process lives, so it is doubted first.
  for (let step = 0; step < 9; step++) await advance(broker, 7_500)
  t.strictSame(ids(await receive(other, 1)), ['a'])
  t.strictSame(await victim.settle([{ token: held!.token, kind: 'done' }]), ['lost'])
  t.match(lines, [{ error: { message: 'a bug' } }])
})

t.test('maxBytes refuses pushes and nothing else', async t => {
  await using broker = embeddedBroker({ path: folder(t), maxBytes: 10_000 })
  const batch = Array.from({ length: 20 }, (_, n) => envelope(`${n}`, { body: Buffer.alloc(1_000) }))
  for (const one of batch.slice(0, 10)) await broker.push([one])
  const [verdict] = await broker.push([batch[10]!])
  t.match(verdict, { code: 'DISK_FULL', retryable: true, message: /maxBytes/ })
  const consumer = await consume(broker),
    held = await receive(consumer, 10)
  t.strictSame(new Set(await consumer.settle(held.map(({ token }) => ({ token, kind: 'done' })))), new Set(['ok']))
  t.strictSame(await broker.push([batch[11]!]), ['stored'])
})

t.test('a process is known by its pid and its start', async t => {
  const self = thisProcess(0)
  t.ok(isAlive(self))
  t.notOk(isAlive({ ...self, pid: 2 ** 30 }))
  if (self.start !== '') t.notOk(isAlive({ ...self, start: '1' }), 'another one had this pid before')
})
