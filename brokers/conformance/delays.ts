/** Rules: a delayed message is never early, and soon after its time. */
import assert from 'node:assert/strict'
import { DAY_MS, done, envelope, ids } from './bench.ts'
import type { Bench } from './bench.ts'
import type { Rule } from './rules.ts'

export const delays: readonly Rule<Bench>[] = [
  [
    'a delayed message waits until its time, not one tick less',
    async bench => {
      const queue = bench.name('delay'),
        consumer = await bench.consume(queue)
      await bench.push(envelope(queue, 'a', { due: { afterMs: 1_500 } }))
      assert.deepEqual(await bench.look(consumer), [])
      await bench.advance(1_499)
      assert.deepEqual(await bench.look(consumer), [])
      await bench.advance(1 + bench.broker.capabilities.delayMs)
      assert.deepEqual(ids(await bench.receive(consumer, 1)), ['a'])
    },
    ['exactClock'],
  ],

  [
    'a delayed message comes after its time',
    async bench => {
      const queue = bench.name('delay'),
        consumer = await bench.consume(queue)
      await bench.push(envelope(queue, 'a', { due: { afterMs: 1_500 } }), envelope(queue, 'now'))
      const [now] = await bench.receive(consumer, 1)
      assert.equal(now!.envelope.id, 'now')
      await bench.advance(1_500 + bench.broker.capabilities.delayMs)
      const [a] = await bench.receive(consumer, 1)
      assert.deepEqual([a!.envelope.id, a!.envelope.attempt, a!.deliveries], ['a', 0, 1])
    },
  ],

  [
    "a message may be due at a time of the broker's clock, and is ready at once when that is past",
    async bench => {
      const queue = bench.name('at'),
        consumer = await bench.consume(queue)
      await bench.push(envelope(queue, 'probe', { due: { afterMs: DAY_MS } }))
      const { dueAt } = (await bench.inspector.find('probe', queue))!,
        now = dueAt! - DAY_MS
      for (const [id, at] of [
        ['later', now + 3_000],
        ['past', now - 1_000],
        ['ancient', 0],
      ] as const)
        await bench.push(envelope(queue, id, { due: { at } }))
      assert.deepEqual(ids(await bench.receive(consumer, 2)), ['past', 'ancient'])
      await bench.advance(2_900)
      assert.deepEqual(await bench.look(consumer), [])
      await bench.advance(100 + bench.broker.capabilities.delayMs)
      assert.deepEqual(ids(await bench.receive(consumer, 1)), ['later'])
    },
    ['inspector', 'peek'],
  ],

  [
    'a delay may be 30 days long',
    async bench => {
      const queue = bench.name('far'),
        consumer = await bench.consume(queue)
      await bench.push(envelope(queue, 'far', { due: { afterMs: 30 * DAY_MS } }), envelope(queue, 'now'))
      await bench.settle(consumer, ...(await bench.receive(consumer, 1)).map(done))
      assert.deepEqual(await bench.look(consumer), [])
      // Past 2^31 - 1 ms, the longest timer there is, and on to the last tick.
      await bench.advance(25 * DAY_MS)
      assert.deepEqual(await bench.look(consumer), [])
      await bench.advance(5 * DAY_MS - 1)
      assert.deepEqual(await bench.look(consumer), [])
      await bench.advance(1 + bench.broker.capabilities.delayMs)
      assert.deepEqual(ids(await bench.receive(consumer, 1)), ['far'])
    },
    ['farClock', 'exactClock'],
  ],

  [
    'a delay of 30 days does not come at once',
    async bench => {
      const queue = bench.name('far'),
        consumer = await bench.consume(queue)
      await bench.push(
        envelope(queue, 'far', { due: { afterMs: 30 * DAY_MS } }),
        envelope(queue, 'near', { due: { afterMs: 200 } }),
      )
      await bench.advance(200 + bench.broker.capabilities.delayMs)
      assert.deepEqual(ids(await bench.receive(consumer, 1)), ['near'])
      assert.deepEqual(await bench.look(consumer), [])
    },
  ],

  [
    'a near message is on time behind a far one',
    async bench => {
      const queue = bench.name('near'),
        consumer = await bench.consume(queue)
      await bench.push(envelope(queue, 'far', { due: { afterMs: 60_000 } }))
      await bench.push(envelope(queue, 'near', { due: { afterMs: 1_000 } }))
      await bench.push(envelope(queue, 'middle', { due: { afterMs: 2_000 } }))
      for (const id of ['near', 'middle']) {
        assert.deepEqual(await bench.look(consumer), [])
        await bench.advance(1_000 + bench.broker.capabilities.delayMs)
        assert.deepEqual(ids(await bench.receive(consumer, 1)), [id])
      }
    },
  ],

  [
    'what is due goes behind what is ready, in the order of its times',
    async bench => {
      const queue = bench.name('order'),
        consumer = await bench.consume(queue)
      await bench.push(
        envelope(queue, 'third', { due: { afterMs: 3_000 } }),
        envelope(queue, 'second', { due: { afterMs: 2_000 } }),
        envelope(queue, 'first'),
      )
      await bench.push(envelope(queue, 'high', { priority: 0, due: { afterMs: 2_500 } }))
      await bench.advance(3_000 + bench.broker.capabilities.delayMs)
      assert.deepEqual(ids(await bench.receive(consumer, 4)), ['high', 'first', 'second', 'third'])
    },
  ],
]
