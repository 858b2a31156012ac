/** Rules: namespaces, restarts, and what is left after the end. */
import assert from 'node:assert/strict'
import { GreenroomError } from '../../lib/errors.ts'
import { DAY_MS, dead, done, envelope, envelopes, ids, never, retry } from './bench.ts'
import type { Bench } from './bench.ts'
import type { Rule } from './rules.ts'

export const lifetime: readonly Rule<Bench>[] = [
  [
    'two namespaces share nothing',
    async bench => {
      const queue = bench.name('apart'),
        one = await bench.open(bench.name('one')),
        two = await bench.open(bench.name('two'))
      const first = await bench.consume(queue, {}, one),
        second = await bench.consume(queue, {}, two)
      assert.deepEqual(await bench.soon(one.push([envelope(queue, 'a'), envelope(queue, 'b')]), 'push() did not end'), [
        'stored',
        'stored',
      ])
      assert.deepEqual(await bench.look(second), [])
      assert.deepEqual(
        await bench.soon(two.push([envelope(queue, 'a')]), 'push() did not end'),
        ['stored'],
        'the same id in another namespace',
      )
      assert.deepEqual(ids(await bench.receive(second, 1)), ['a'])
      assert.deepEqual(await bench.look(second), [])
      assert.deepEqual(ids(await bench.receive(first, 2)), ['a', 'b'])
      if (one.inspector && two.inspector) {
        await one.inspector.pause(queue)
        assert.equal((await two.inspector.counts(queue)).paused, false)
        assert.deepEqual(
          (await two.inspector.queues()).filter(name => name !== queue),
          [],
        )
      }
    },
  ],

  [
    'a restart keeps everything',
    async bench => {
      const queue = bench.name('restart'),
        paused = bench.name('restart')
      const consumer = await bench.consume([queue, paused])
      await bench.push(
        ...envelopes(queue, 'corpse again held'),
        envelope(queue, 'low', { priority: 2 }),
        envelope(queue, 'ready'),
        envelope(queue, 'later', { due: { afterMs: 2 * DAY_MS } }),
        envelope(paused, 'paused'),
        envelope(queue, 'once', { onceMs: DAY_MS }),
      )
      await bench.inspector.pause(paused)
      const taken = await bench.receive(consumer, 5),
        delivery = (id: string) => taken.find(({ envelope: found }) => found.id === id)!
      await bench.settle(consumer, dead(delivery('corpse'), 'why'), retry(delivery('again')), done(delivery('once')))
      await bench.dispose(consumer)
      await bench.broker[Symbol.asyncDispose]()
      await bench.target.restart!()

      const broker = await bench.open(),
        inspector = broker.inspector!,
        { ready, delayed, leased, dead: buried } = await inspector.counts(queue)
      assert.deepEqual({ ready, delayed, leased, buried }, { ready: 4, delayed: 1, leased: 0, buried: 1 })
      assert.equal((await inspector.counts(paused)).paused, true)
      assert.equal((await inspector.find('corpse', queue))?.reason, 'why')
      assert.deepEqual(await bench.soon(broker.push([envelope(queue, 'once'), envelope(queue, 'ready')]), 'push() did not end'), [
        'duplicate',
        'duplicate',
      ])
      const survivor = await bench.consume([queue, paused], {}, broker),
        found = await bench.receive(survivor, 4)
      assert.deepEqual(
        found.map(({ envelope: { id, attempt } }) => [id, attempt]),
        [
          ['held', 0],
          ['ready', 0],
          ['again', 1],
          ['low', 0],
        ],
      )
      assert.deepEqual(await bench.look(survivor), [])
    },
    ['durable', 'restart', 'inspector', 'peek', 'once', 'uniqueIds'],
  ],

  [
    'what is leased when everything stops comes back after a restart',
    async bench => {
      const queue = bench.name('restart'),
        victim = await bench.consume(queue)
      await bench.push(...envelopes(queue, 'a b'))
      await bench.receive(victim, 1)
      await bench.crash(victim)
      await bench.target.restart!()
      const survivor = await bench.consume(queue, {}, await bench.open())
      await bench.lapse()
      const found = await bench.receive(survivor, 2)
      assert.deepEqual(ids(found).sort(), ['a', 'b'])
    },
    ['durable', 'restart', 'timed'],
  ],

  [
    'open() may be called often',
    async bench => {
      const queue = bench.name('open')
      await bench.push(envelope(queue, 'a'))
      await Promise.all([bench.broker.open([queue]), bench.broker.open([queue, bench.name('open')])])
      assert.deepEqual(ids(await bench.receive(await bench.consume(queue), 1)), ['a'])
    },
  ],

  [
    'a broker that was disposed ends its takes, and answers every call with a clear error',
    async bench => {
      const queue = bench.name('end'),
        { broker } = bench,
        { inspector } = broker
      const consumer = await bench.consume(queue),
        idle = await bench.consume(queue)
      await bench.push(envelope(queue, 'a'))
      const [a] = await bench.receive(consumer, 1),
        taking = idle.take(1, { waitMs: DAY_MS, signal: never })
      await bench.soon(Promise.resolve(broker[Symbol.asyncDispose]()), 'disposing did not end')
      assert.deepEqual(await bench.soon(taking, 'a waiting take() did not end'), [])
      await bench.soon(Promise.resolve(broker[Symbol.asyncDispose]()), 'disposing again did not end')
      const calls: Readonly<Record<string, () => Promise<unknown>>> = {
        push: () => broker.push([envelope(queue, 'b')]),
        open: () => broker.open([queue]),
        consume: () => broker.consume({ queues: [queue], credit: 1, leaseMs: 10_000, onLost() {} }),
        take: () => consumer.take(1, { waitMs: 0, signal: never }),
        settle: () => consumer.settle([done(a!)]),
        ...(inspector && { counts: () => inspector.counts(queue) }),
      }
      for (const [name, call] of Object.entries(calls)) {
        await assert.rejects(
          bench.soon(call(), `${name} did not end`),
          error => {
            assert.ok(error instanceof GreenroomError, `${name} rejected with ${error}`)
            assert.ok(['APP_CLOSED', 'BROKER_DOWN'].includes(error.code), `${name}: ${error.code}`)
            return true
          },
          `${name} did not reject`,
        )
      }
    },
  ],

  [
    'a consumer that was disposed ends its take, and takes nothing any more',
    async bench => {
      const queue = bench.name('end'),
        consumer = await bench.consume(queue),
        taking = consumer.take(1, { waitMs: DAY_MS, signal: never })
      await bench.dispose(consumer)
      assert.deepEqual(await bench.soon(taking, 'a waiting take() did not end'), [])
      await bench.push(envelope(queue, 'a'))
      await assert.rejects(
        bench.soon(consumer.take(1, { waitMs: 0, signal: never }), 'take() did not end'),
        error => error instanceof GreenroomError,
      )
      assert.deepEqual(ids(await bench.receive(await bench.consume(queue), 1)), ['a'])
    },
  ],
]
