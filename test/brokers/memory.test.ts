/** The memory broker and store keep all the rules, and a few of their own. */
import t from 'tap'
import { memoryBroker, memoryStore } from '../../brokers/memory/index.ts'
import { brokerRules, runBrokerRules, runStoreRules, storeRules } from '../../conformance.ts'
import type { Verdict } from '../../conformance.ts'
import type { Delivery, Envelope } from '../../lib/broker.ts'
import type { Logger } from '../../lib/log.ts'
import { movingClock } from '../../lib/moving-clock.ts'
import { memoryStoreTarget, memoryTarget } from './memory-target.ts'

const signal = new AbortController().signal
const envelope = (id: string, rest: Partial<Envelope> = {}): Envelope => ({
  id,
  queue: 'q',
  body: new Uint8Array(1),
  attempt: 0,
  priority: 1,
  ...rest,
})
const consume = { queues: ['q'], credit: 100, leaseMs: 9_000, onLost() {} }

/** Each rule as a test; returns those that did not apply. */
function reporter(t: Tap, excluded: string[]) {
  return async (rule: string, verdict: Verdict) => {
    if (verdict.kind === 'excluded') return excluded.push(`${rule} (${verdict.missing})`)
    return t.test(rule, async t => {
      if (verdict.kind === 'failed') throw verdict.error
      t.pass()
    })
  }
}
type Tap = typeof t

t.test('every rule of brokers', async t => {
  const target = memoryTarget(),
    excluded: string[] = []
  await runBrokerRules(brokerRules, target, reporter(t as Tap, excluded))
  t.test('no rule was left out that applies, and no timer is left', async t => {
    t.strictSame(excluded, [
      'two brokers see the same messages (shared)',
      'a restart keeps everything (durable,restart)',
      'what is leased when everything stops comes back after a restart (durable,restart)',
    ])
    t.equal(target.clock.pending, 0)
  })
})

t.test('every rule of stores', async t => {
  const target = memoryStoreTarget(),
    excluded: string[] = []
  await runStoreRules(storeRules, target, reporter(t as Tap, excluded))
  t.test('no rule was left out that applies, and no timer is left', async t => {
    t.strictSame(excluded, ['two stores see the same entries (shared)'])
    t.equal(target.clock.pending, 0)
  })
})

t.test('dead letters are capped by count and by age, and the log says so once a minute', async t => {
  const clock = movingClock(),
    lines: object[] = []
  const log = { warn: (facts: object) => lines.push(facts) } as unknown as Logger
  await using broker = memoryBroker({ clock, log, maxDead: 2, maxDeadMs: 100_000 })
  const consumer = await broker.consume(consume)
  const bury = async (...ids: readonly string[]) => {
    await broker.push(ids.map(id => envelope(id)))
    const taken = await consumer.take(100, { waitMs: 0, signal })
    await consumer.settle(taken.map(({ token }: Delivery) => ({ token, kind: 'dead', reason: 'test' })))
  }
  const left = async () => (await broker.inspector.list('q', 'dead')).entries.map(({ envelope: { id } }) => id)
  await bury('a', 'b', 'c', 'd')
  t.strictSame(await left(), ['c', 'd'])
  t.strictSame(lines, [{ queue: 'q', dropped: 2 }])
  await bury('e')
  t.equal(lines.length, 1, 'not again within a minute')
  clock.advance(60_000)
  await bury('f')
  t.strictSame(lines.slice(1), [{ queue: 'q', dropped: 1 }], 'what was dropped since')
  clock.advance(60_000)
  t.strictSame(await left(), ['f'], 'e is too old')
  t.strictSame(await broker.push([envelope('e')]), ['stored'], 'the id of what was dropped may come again')
})

t.test('a lease is renewed before it is reaped when the loop was blocked for longer than a lease', async t => {
  const clock = movingClock(),
    lost: string[] = []
  let skipped = 0
  // A loop that was blocked: the wall clock is far ahead when the timers at last fire.
  await using broker = memoryBroker({ clock: { ...clock, now: () => clock.now() + skipped } })
  const consumer = await broker.consume({ ...consume, onLost: tokens => lost.push(...tokens) })
  await broker.push([envelope('a')])
  await consumer.take(1, { waitMs: 0, signal })
  skipped = 3_600_000
  clock.advance(9_000)
  t.strictSame(lost, [])
})

t.test('only a take that waits keeps the process alive, and a disposal leaves no timer', async t => {
  const clock = movingClock(),
    refs: boolean[] = []
  const after: typeof clock.after = (ms, fn, options) => {
    refs.push(options?.ref ?? true)
    return clock.after(ms, fn)
  }
  const broker = memoryBroker({ clock: { ...clock, after } }),
    consumer = await broker.consume(consume)
  await broker.push([envelope('a'), envelope('later', { due: { afterMs: 5_000 } })])
  await consumer.take(1, { waitMs: 1_000, signal })
  const reading = broker.store.read([{ topic: 'results' }], { waitMs: 1_000 })
  t.ok(refs.length >= 2)
  t.notOk(refs.includes(true), 'a due time, a lease and a read')
  const taking = consumer.take(1, { waitMs: 1_000, signal })
  t.strictSame(refs.filter(Boolean), [true])
  await broker[Symbol.asyncDispose]()
  t.strictSame([await taking, await reading], [[], [[]]])
  t.equal(clock.pending, 0)
})

t.test('an onLost that throws is logged and harms nobody', async t => {
  const clock = movingClock(),
    lines: object[] = []
  const log = { error: (facts: object) => lines.push(facts), warn() {} } as unknown as Logger
  await using broker = memoryBroker({ clock, log })
  const victim = await broker.consume({
      ...consume,
      onLost() {
        throw new Error('a bug')
      },
    }),
    other = await broker.consume(consume)
  await broker.push([envelope('a')])
  await victim.take(1, { waitMs: 0, signal })
  broker.freeze(victim)
  clock.advance(9_000)
  t.equal((await other.take(1, { waitMs: 0, signal })).length, 1)
  t.match(lines, [{ error: { message: 'a bug' } }])
})

t.test('a follow-up that cannot be stored refuses the call, and nothing of it was done', async t => {
  await using broker = memoryBroker({ clock: movingClock() })
  const consumer = await broker.consume(consume)
  await broker.push([envelope('a'), envelope('b')])
  const [a, b] = await consumer.take(2, { waitMs: 0, signal })
  await t.rejects(
    consumer.settle([
      { token: a!.token, kind: 'done' },
      { token: b!.token, kind: 'done', then: [envelope('c', { queue: 'not a name' })] },
    ]),
    { code: 'NAME_INVALID' },
  )
  t.equal((await broker.inspector.counts('q')).leased, 2)
})

t.test('wrong options are refused with a code', async t => {
  await using broker = memoryBroker({ clock: movingClock() })
  t.throws(() => memoryBroker({ namespace: 'not a name' }), { code: 'NAME_INVALID' })
  await t.rejects(broker.open(['not a name']), { code: 'NAME_INVALID' })
  await t.rejects(broker.consume({ ...consume, queues: [] }), { code: 'OPTION_INVALID' })
  await t.rejects(broker.consume({ ...consume, queues: ['not a name'] }), { code: 'NAME_INVALID' })
  await broker.push([envelope('a')])
  await t.rejects(broker.inspector.reschedule('q', 'a', { due: { afterMs: NaN } }), { code: 'OPTION_INVALID' })
})

t.test('a topic keeps its newest 100,000 entries', async t => {
  await using store = memoryStore({ clock: movingClock() })
  const value = new Uint8Array(0),
    batch = Array.from({ length: 10_000 }, () => ({ topic: 'control', value, ttlMs: 1_000 }))
  for (let appended = 0; appended < 12; appended++) await store.append(batch)
  let kept = 0,
    after: string | undefined
  for (;;) {
    const [entries] = await store.read([{ topic: 'control', ...(after !== undefined && { after }) }], { waitMs: 0 })
    if (entries!.length === 0) break
    kept += entries!.length
    after = entries!.at(-1)!.cursor
  }
  t.equal(kept, 100_000)
  t.equal(after, '120000', 'the newest')
})
