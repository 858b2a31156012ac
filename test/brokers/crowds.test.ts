/** Many at once, on both brokers: a hundred thousand retries of one moment beside others, and more poison than dead letters are kept. */
import t, { type Test } from 'tap'
import { embeddedBroker } from '../../brokers/embedded/index.ts'
import { memoryBroker } from '../../brokers/memory/index.ts'
import type { BrokerTarget } from '../../conformance.ts'
import type { Broker } from '../../lib/broker.ts'
import { keepLines } from '../helpers/recorder.ts'
import { open } from '../helpers/open.ts'
import { embeddedTarget, envelope, folder, ids, never, receive } from './embedded-target.ts'
import { memoryTarget } from './memory-target.ts'

const MANY = 100_000
const STEP = 1_000
const LATER_MS = 60_000

async function openFile(t: Test): Promise<BrokerTarget> {
  const target = await embeddedTarget({ path: folder(t), sync: 'none' })
  t.teardown(() => target[Symbol.asyncDispose]())
  return target
}

for (const [name, target] of [
  ['memory:', async () => memoryTarget()],
  ['file:', openFile],
] as const) {
  t.test(
    `${name} 100,000 retries due in one millisecond: all come, each once, and neither other queues nor those that waited before starve`,
    async t => {
      const { open, advance } = await target(t)
      await using broker = await open('crowd')
      await broker.open(['q', 'r'])
      const consume = (queues: readonly string[]) =>
        broker.consume({ queues, credit: 2 * STEP, leaseMs: 10 * LATER_MS, onLost: tokens => t.fail(`lost ${tokens.length}`) })
      await using first = await consume(['q'])
      for (let from = 0; from < MANY; from += STEP) {
        await broker.push(Array.from({ length: STEP }, (_, i) => envelope(`${from + i}`)))
        const taken = await receive(first, STEP)
        await first.settle(taken.map(({ token }) => ({ token, kind: 'retry', afterMs: LATER_MS })))
      }
      t.match(await broker.inspector!.counts('q'), { delayed: MANY, ready: 0, leased: 0 })
      const waiting = Array.from({ length: 10 }, (_, n) => `waits-${n}`)
      await broker.push(waiting.map(id => envelope(id)))
      await advance(LATER_MS)
      const others = Array.from({ length: 10 }, (_, n) => `other-${n}`)
      await broker.push(others.map(id => envelope(id, { queue: 'r' })))

      await using second = await consume(['q', 'r'])
      const look = { waitMs: 0, signal: never }
      const taken = [...(await second.take(40, look))]
      t.ok(taken.length <= 40)
      const found = ids(taken)
      t.strictSame(
        found.filter(id => id.startsWith('waits-')),
        waiting,
        'those that waited in the queue come before what fell due',
      )
      t.strictSame(
        found.filter(id => id.startsWith('other-')),
        others,
        'and the other queue has its turns',
      )
      await second.settle(taken.map(({ token }) => ({ token, kind: 'done' })))

      await broker.push([envelope('late', { queue: 'r' })])
      const seen = new Set(found)
      let lateAfter = 0
      for (let takes = 1; seen.size < MANY + 21; takes++) {
        const more = await second.take(STEP, { waitMs: LATER_MS, signal: never })
        t.ok(more.length > 0 && more.length <= STEP, 'some, and no more than asked for')
        for (const { envelope, deliveries } of more) {
          if (seen.has(envelope.id)) t.fail(`${envelope.id} twice`)
          if (envelope.queue === 'q' && (envelope.attempt !== 1 || deliveries !== 1))
            t.fail(`${envelope.id}: attempt ${envelope.attempt}`)
          if (envelope.id === 'late') lateAfter = takes
          seen.add(envelope.id)
        }
        await second.settle(more.map(({ token }) => ({ token, kind: 'done' })))
      }
      t.equal(lateAfter, 1, 'what comes meanwhile has its turn at once')
      t.match(await broker.inspector!.counts('q'), { delayed: 0, ready: 0, leased: 0, dead: 0 })
    },
  )
}

const POISON = 5_000
const KEPT = 1_000
/** What is kept, and what waits, has room in it; what was dropped has not. */
const MOST_BYTES = 6_000_000

for (const [name, make] of [
  ['memory:', (_: Test, log: ReturnType<typeof keepLines>['log']): Broker => memoryBroker({ log, maxDead: KEPT })],
  [
    'file:',
    (t: Test, log: ReturnType<typeof keepLines>['log']): Broker =>
      embeddedBroker({ path: folder(t), sync: 'none', log, maxDead: KEPT, maxBytes: MOST_BYTES }),
  ],
] as const) {
  t.test(
    `${name} 5,000 poison messages where 1,000 dead letters are kept: the newest, a warning says how many went, and their room is free`,
    async t => {
      const { log, lines } = keepLines()
      await using broker = make(t, log)
      const { app, until } = open(t, { broker })
      const poison = app.actor(
        (_n: number, _padding: string) => {
          throw new Error('always')
        },
        { name: 'poison', maxRetries: 0 },
      )
      await app.work({ concurrency: 1 })
      const padding = 'x'.repeat(2_000),
        sent: string[] = []
      for (let from = 0; from < POISON; from += KEPT / 2) {
        const handles = await poison.sendMany(Array.from({ length: KEPT / 2 }, (_, i): [number, string] => [from + i, padding]))
        sent.push(...handles.map(({ id }) => id))
        await until('settled', sent.length)
      }
      t.match(await broker.inspector!.counts('default'), { ready: 0, leased: 0, dead: KEPT })
      const { entries } = await broker.inspector!.list('default', 'dead', { limit: 1_000 })
      t.strictSame(ids(entries), sent.slice(-KEPT), 'the oldest went')
      t.equal(await broker.inspector!.find(sent[0]!), undefined)
      const warned = lines.filter(({ level, facts }) => level === 'warn' && 'dropped' in facts)
      t.ok(warned.length === 1 && (warned[0]!.facts['dropped'] as number) > 0, 'once, and not a line each')
      await app.close()
    },
  )
}
