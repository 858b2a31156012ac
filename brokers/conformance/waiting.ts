/** Rules: a take that waits is woken by whatever gives it something to take, and an aborted one loses nothing. */
import assert from 'node:assert/strict'
import { done, envelope, envelopes, ids, never, release, retry } from './bench.ts'
import type { Bench } from './bench.ts'
import type { Rule } from './rules.ts'

const WAIT_MS = 60_000

export const waiting: readonly Rule<Bench>[] = [
  [
    'a waiting take is woken by a push',
    async bench => {
      const queue = bench.name('wake'),
        consumer = await bench.consume(queue),
        received = bench.receive(consumer, 1)
      await bench.push(envelope(queue, 'a'))
      assert.deepEqual(ids(await received), ['a'])
    },
  ],

  [
    'a waiting take is woken by each of its queues',
    async bench => {
      const queues = [bench.name('wake'), bench.name('wake'), bench.name('wake')],
        consumer = await bench.consume(queues)
      for (const queue of queues) {
        const received = bench.receive(consumer, 1)
        await bench.push(envelope(queue, 'a'))
        assert.equal((await received)[0]!.envelope.queue, queue)
      }
    },
  ],

  [
    'a waiting take is woken by a release, by a retry and by the disposal of another consumer',
    async bench => {
      const queue = bench.name('wake'),
        busy = await bench.consume(queue),
        idle = await bench.consume(queue)
      await bench.push(envelope(queue, 'a'))
      const [a] = await bench.receive(busy, 1),
        released = bench.receive(idle, 1)
      await bench.settle(busy, release(a!))
      const [again] = await released,
        retried = bench.receive(busy, 1)
      await bench.settle(idle, retry(again!))
      await retried
      const given = bench.receive(idle, 1)
      await bench.dispose(busy)
      assert.deepEqual(ids(await given), ['a'])
    },
  ],

  [
    'a waiting take is woken when a delayed message is due',
    async bench => {
      const queue = bench.name('wake'),
        consumer = await bench.consume(queue)
      await bench.push(envelope(queue, 'a', { due: { afterMs: 5_000 } }))
      const received = bench.receive(consumer, 1)
      await bench.advance(5_000 + bench.broker.capabilities.delayMs)
      assert.deepEqual(ids(await received), ['a'])
    },
  ],

  [
    'a waiting take is woken when a delayed message is pushed that is due earlier than all others',
    async bench => {
      const queue = bench.name('wake'),
        consumer = await bench.consume(queue)
      await bench.push(envelope(queue, 'far', { due: { afterMs: 100_000 } }))
      const received = bench.receive(consumer, 1)
      await bench.push(envelope(queue, 'near', { due: { afterMs: 1_000 } }))
      await bench.advance(1_000 + bench.broker.capabilities.delayMs)
      assert.deepEqual(ids(await received), ['near'])
    },
  ],

  [
    'a take that finds nothing ends empty after waitMs',
    async bench => {
      const queue = bench.name('wait'),
        consumer = await bench.consume(queue)
      let ended = false
      const taken = consumer.take(1, { waitMs: 1_000, signal: never }).finally(() => {
        ended = true
      })
      await bench.advance(999)
      assert.equal(ended, false, 'it ended early')
      await bench.advance(1)
      assert.deepEqual(await bench.soon(taken, 'take() did not end after waitMs'), [])
    },
    ['exactClock'],
  ],

  [
    'an abort ends a waiting take at once, empty, and the consumer goes on',
    async bench => {
      const queue = bench.name('abort'),
        consumer = await bench.consume(queue),
        abort = new AbortController()
      const taken = consumer.take(1, { waitMs: WAIT_MS, signal: abort.signal })
      abort.abort(new Error('not to be seen'))
      assert.deepEqual(await bench.soon(taken, 'an aborted take() did not end'), [])
      await bench.push(envelope(queue, 'a'))
      const [a] = await bench.receive(consumer, 1)
      await bench.settle(consumer, done(a!))
    },
  ],

  [
    'an aborted take loses nothing, whenever the abort comes',
    async bench => {
      const queue = bench.name('abort')
      for (const ticks of [0, 1, 2, 5]) {
        const consumer = await bench.consume(queue),
          abort = new AbortController(),
          id = `a${ticks}`
        const taking = consumer.take(1, { waitMs: WAIT_MS, signal: abort.signal })
        const pushing = bench.push(envelope(queue, id))
        for (let tick = 0; tick < ticks; tick++) await Promise.resolve()
        abort.abort()
        const taken = await bench.soon(taking, 'an aborted take() did not end')
        await pushing
        // It came with the take, or it is still there for the next: also for that of another consumer.
        const other = await bench.consume(queue),
          left = taken.length > 0 ? taken : await bench.receive(other, 1)
        assert.deepEqual(ids(left), [id])
        await bench.settle(taken.length > 0 ? consumer : other, ...left.map(done))
      }
    },
  ],

  [
    'a take whose signal is aborted already takes nothing',
    async bench => {
      const queue = bench.name('abort'),
        consumer = await bench.consume(queue)
      await bench.push(...envelopes(queue, 'a b'))
      assert.deepEqual(
        await bench.soon(consumer.take(2, { waitMs: WAIT_MS, signal: AbortSignal.abort() }), 'take() did not end'),
        [],
      )
      assert.deepEqual(ids(await bench.look(await bench.consume(queue))), ['a', 'b'])
    },
  ],

  [
    'a paused queue gives nothing until it is resumed, which wakes',
    async bench => {
      const queue = bench.name('pause'),
        other = bench.name('pause'),
        consumer = await bench.consume([queue, other])
      await bench.push(envelope(queue, 'before'))
      await bench.inspector.pause(queue)
      await bench.push(envelope(queue, 'meanwhile'))
      assert.deepEqual(await bench.look(consumer), [])
      assert.equal((await bench.inspector.counts(queue)).paused, true)
      await bench.push(envelope(other, 'elsewhere'))
      const [elsewhere] = await bench.receive(consumer, 1)
      assert.deepEqual(elsewhere?.envelope.id, 'elsewhere')
      const received = bench.receive(consumer, 2)
      await bench.inspector.resume(queue)
      assert.deepEqual(ids(await received), ['before', 'meanwhile'])
      assert.equal((await bench.inspector.counts(queue)).paused, false)
    },
    ['inspector'],
  ],

  [
    'a paused queue keeps what falls due and what is tried again, and gives both after the resume',
    async bench => {
      const queue = bench.name('pause'),
        consumer = await bench.consume(queue)
      await bench.push(envelope(queue, 'again'))
      const [again] = await bench.receive(consumer, 1)
      await bench.push(envelope(queue, 'due', { due: { afterMs: 50 } }))
      await bench.inspector.pause(queue)
      await bench.settle(consumer, retry(again!))
      await bench.advance(50 + bench.broker.capabilities.delayMs)
      assert.deepEqual(await bench.look(consumer), [])
      await bench.inspector.resume(queue)
      assert.deepEqual(ids(await bench.receive(consumer, 2)).toSorted(), ['again', 'due'])
    },
    ['inspector'],
  ],

  [
    'a take that waits already gives nothing of a queue that is paused meanwhile',
    async bench => {
      const queue = bench.name('pause'),
        other = bench.name('pause'),
        consumer = await bench.consume([queue, other])
      const received = bench.receive(consumer, 1)
      await bench.inspector.pause(queue)
      await bench.push(envelope(queue, 'waits'))
      await bench.push(envelope(other, 'elsewhere'))
      assert.deepEqual(ids(await received), ['elsewhere'])
      assert.deepEqual(await bench.look(consumer), [])
      const after = bench.receive(consumer, 1)
      await bench.inspector.resume(queue)
      assert.deepEqual(ids(await after), ['waits'])
    },
    ['inspector'],
  ],
]
