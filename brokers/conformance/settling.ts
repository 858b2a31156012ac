/** Rules: each settlement makes one thing true, once. */
import assert from 'node:assert/strict'
import { bytes, dead, done, envelope, envelopes, ids, LEASE_MS, release, retry } from './bench.ts'
import type { Bench } from './bench.ts'
import type { Rule } from './rules.ts'

export const settling: readonly Rule<Bench>[] = [
  [
    'the second settlement of a token is lost and changes nothing',
    async bench => {
      const queue = bench.name('twice'),
        consumer = await bench.consume(queue)
      await bench.push(...envelopes(queue, 'a b'))
      const [a, b] = await bench.receive(consumer, 2)
      await bench.settle(consumer, done(a!))
      assert.deepEqual(await bench.soon(consumer.settle([retry(a!), dead(a!), done(b!), done(b!)]), 'settle() did not end'), [
        'lost',
        'lost',
        'ok',
        'lost',
      ])
      assert.deepEqual(await bench.soon(consumer.settle([{ token: 'no such token', kind: 'done' }]), 'settle() did not end'), [
        'lost',
      ])
      assert.deepEqual(await bench.look(consumer), [])
    },
  ],

  [
    'nothing is left of what is done',
    async bench => {
      const queue = bench.name('done'),
        consumer = await bench.consume(queue)
      await bench.push(...envelopes(queue, 'a b'))
      const [a] = await bench.receive(consumer, 1)
      await bench.settle(consumer, done(a!))
      assert.equal(await bench.inspector.find('a', queue), undefined)
      const { ready, delayed, leased, suspect, dead: buried } = await bench.inspector.counts(queue)
      assert.deepEqual({ ready, delayed, leased, suspect, buried }, { ready: 1, delayed: 0, leased: 0, suspect: 0, buried: 0 })
    },
    ['inspector', 'peek'],
  ],

  [
    'a retry without a wait goes to the tail, one attempt more, with its bytes',
    async bench => {
      const queue = bench.name('retry'),
        consumer = await bench.consume(queue)
      await bench.push(envelope(queue, 'a', { attempt: 1, body: bytes('the body') }), envelope(queue, 'b'))
      const [a] = await bench.receive(consumer, 1)
      await bench.settle(consumer, retry(a!))
      const taken = await bench.receive(consumer, 2),
        again = taken[1]!
      assert.deepEqual(ids(taken), ['b', 'a'])
      assert.equal(again.envelope.attempt, 2)
      assert.equal(again.deliveries, 1)
      assert.equal(Buffer.from(again.envelope.body).toString(), 'the body')
      assert.notEqual(again.token, a!.token)
    },
  ],

  [
    'a retry may carry another body',
    async bench => {
      const queue = bench.name('retry'),
        consumer = await bench.consume(queue)
      await bench.push(envelope(queue, 'a'))
      const [a] = await bench.receive(consumer, 1)
      await bench.settle(consumer, { token: a!.token, kind: 'retry', afterMs: 0, body: bytes('another') })
      const [again] = await bench.receive(consumer, 1)
      assert.equal(Buffer.from(again!.envelope.body).toString(), 'another')
    },
  ],

  [
    'a retry waits until its time, not one tick less',
    async bench => {
      const queue = bench.name('retry'),
        consumer = await bench.consume(queue)
      await bench.push(...envelopes(queue, 'a b'))
      const [a, b] = await bench.receive(consumer, 2)
      await bench.settle(consumer, retry(a!, 15_000), done(b!))
      assert.deepEqual(await bench.look(consumer), [])
      await bench.advance(14_999)
      assert.deepEqual(await bench.look(consumer), [])
      await bench.advance(1 + bench.broker.capabilities.delayMs)
      const [again] = await bench.receive(consumer, 1)
      assert.equal(again!.envelope.attempt, 1)
      assert.equal(again!.envelope.id, 'a')
    },
    ['exactClock'],
  ],

  [
    'a release goes to the head in order, and costs neither an attempt nor a delivery',
    async bench => {
      const queue = bench.name('release'),
        consumer = await bench.consume(queue)
      await bench.push(...envelopes(queue, 'a b c'))
      const [a, b] = await bench.receive(consumer, 2)
      await bench.settle(consumer, release(b!))
      await bench.settle(consumer, release(a!))
      const taken = await bench.receive(consumer, 3)
      assert.deepEqual(ids(taken), ['a', 'b', 'c'])
      assert.deepEqual(
        taken.map(({ deliveries, envelope: { attempt } }) => [deliveries, attempt]),
        [
          [1, 0],
          [1, 0],
          [1, 0],
        ],
      )
    },
  ],

  [
    'what is released in one batch goes to the head in the order in which it was taken',
    async bench => {
      const queue = bench.name('release'),
        consumer = await bench.consume(queue)
      await bench.push(...envelopes(queue, 'a b c d'))
      const [a, b, c] = await bench.receive(consumer, 3)
      await bench.settle(consumer, release(a!), done(b!), release(c!))
      assert.deepEqual(ids(await bench.receive(consumer, 3)), ['a', 'c', 'd'])
    },
  ],

  [
    'a release with a wait comes back at its time at no cost',
    async bench => {
      const queue = bench.name('release'),
        consumer = await bench.consume(queue)
      await bench.push(envelope(queue, 'a'))
      const [a] = await bench.receive(consumer, 1)
      await bench.settle(consumer, release(a!, 2_000))
      await bench.advance(1_999)
      assert.deepEqual(await bench.look(consumer), [])
      await bench.advance(1 + bench.broker.capabilities.delayMs)
      const [again] = await bench.receive(consumer, 1)
      assert.equal(again!.envelope.attempt, 0)
      assert.equal(again!.deliveries, 1)
    },
    ['exactClock'],
  ],

  [
    'follow-ups are stored with done and with dead, in any queue',
    async bench => {
      const queue = bench.name('then'),
        other = bench.name('then'),
        consumer = await bench.consume([queue, other])
      await bench.push(...envelopes(queue, 'a b'))
      const [a, b] = await bench.receive(consumer, 2)
      await bench.settle(
        consumer,
        { token: a!.token, kind: 'done', then: [envelope(queue, 'a1'), envelope(other, 'a2')] },
        { token: b!.token, kind: 'dead', reason: 'why not', then: [envelope(other, 'b1', { body: bytes('follow-up') })] },
      )
      const taken = await bench.receive(consumer, 3)
      assert.deepEqual(
        taken.map(({ envelope: found }) => [found.queue, found.id]).sort(),
        [
          [queue, 'a1'],
          [other, 'a2'],
          [other, 'b1'],
        ].sort(),
      )
      assert.equal(Buffer.from(taken.find(({ envelope: { id } }) => id === 'b1')!.envelope.body).toString(), 'follow-up')
    },
  ],

  [
    'a delayed follow-up waits',
    async bench => {
      const queue = bench.name('then'),
        consumer = await bench.consume(queue)
      await bench.push(envelope(queue, 'a'))
      const [a] = await bench.receive(consumer, 1)
      await bench.settle(consumer, { token: a!.token, kind: 'done', then: [envelope(queue, 'later', { due: { afterMs: 500 } })] })
      assert.deepEqual(await bench.look(consumer), [])
      await bench.advance(500 + bench.broker.capabilities.delayMs)
      assert.deepEqual(ids(await bench.receive(consumer, 1)), ['later'])
    },
  ],

  [
    'follow-ups are not stored when the settlement is lost',
    async bench => {
      const queue = bench.name('then'),
        consumer = await bench.consume(queue)
      await bench.push(envelope(queue, 'a'))
      const [a] = await bench.receive(consumer, 1),
        then = [envelope(queue, 'follow-up')]
      await bench.crash(consumer)
      await bench.lapse()
      const other = await bench.consume(queue),
        [again] = await bench.receive(other, 1)
      assert.deepEqual(await bench.soon(consumer.settle([{ token: a!.token, kind: 'done', then }]), 'settle() did not end'), [
        'lost',
      ])
      await bench.settle(other, done(again!))
      assert.deepEqual(await bench.look(other), [])
    },
    ['atomicThen', 'timed'],
  ],

  [
    'a follow-up whose id is live already is merged',
    async bench => {
      const queue = bench.name('then'),
        consumer = await bench.consume(queue)
      await bench.push(...envelopes(queue, 'a live'))
      const [a] = await bench.receive(consumer, 1)
      await bench.settle(consumer, { token: a!.token, kind: 'done', then: [envelope(queue, 'live'), envelope(queue, 'new')] })
      assert.deepEqual(ids(await bench.receive(consumer, 2)), ['live', 'new'])
      assert.deepEqual(await bench.look(consumer), [])
    },
    ['uniqueIds'],
  ],

  [
    'a consumer that is disposed gives back what it holds: to the head, in order, uncounted',
    async bench => {
      const queue = bench.name('dispose'),
        consumer = await bench.consume(queue)
      await bench.push(...envelopes(queue, 'a b c d'))
      const [, b] = await bench.receive(consumer, 3)
      await bench.settle(consumer, done(b!))
      await bench.dispose(consumer)
      await bench.dispose(consumer)
      const taken = await bench.receive(await bench.consume(queue), 3)
      assert.deepEqual(ids(taken), ['a', 'c', 'd'])
      assert.deepEqual(
        taken.map(({ deliveries, envelope: { attempt } }) => [deliveries, attempt]),
        [
          [1, 0],
          [1, 0],
          [1, 0],
        ],
      )
    },
  ],

  [
    'what was settled just before a disposal stays settled, and no settlement counts after it',
    async bench => {
      const queue = bench.name('dispose'),
        consumer = await bench.consume(queue)
      await bench.push(...envelopes(queue, 'a b'))
      const [a, b] = await bench.receive(consumer, 2),
        settled = consumer.settle([done(a!)])
      await bench.dispose(consumer)
      assert.deepEqual(await settled, ['ok'])
      const other = await bench.consume(queue)
      assert.deepEqual(ids(await bench.receive(other, 1)), ['b'])
      assert.deepEqual(await bench.soon(consumer.settle([done(b!)]), 'settle() did not end'), ['lost'])
      await bench.advance(LEASE_MS / 4)
      assert.deepEqual(await bench.look(other), [])
    },
  ],
]
