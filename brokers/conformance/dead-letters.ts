/** Rules: dead letters keep everything, and can be brought back or dropped. */
import assert from 'node:assert/strict'
import { bytes, dead, done, envelope, envelopes, ids } from './bench.ts'
import type { Bench } from './bench.ts'
import type { Rule } from './rules.ts'

export const deadLetters: readonly Rule<Bench>[] = [
  [
    'a dead letter keeps its bytes, attempt, reason, error and time',
    async bench => {
      const queue = bench.name('dead'),
        consumer = await bench.consume(queue),
        body = Uint8Array.from([0, 255, 10, 128])
      await bench.push(envelope(queue, 'a', { body, attempt: 4, priority: 2 }))
      const [a] = await bench.receive(consumer, 1)
      await bench.settle(consumer, {
        token: a!.token,
        kind: 'dead',
        reason: 'retries exhausted: “ß”',
        error: bytes('{"name":"Error"}'),
      })
      assert.deepEqual(await bench.look(consumer), [])
      const {
        entries: [found],
      } = await bench.inspector.list(queue, 'dead')
      assert.ok(found)
      assert.equal(found.place, 'dead')
      assert.equal(found.reason, 'retries exhausted: “ß”')
      assert.equal(Buffer.from(found.error ?? []).toString(), '{"name":"Error"}')
      assert.ok(Buffer.from(found.envelope.body).equals(body), 'the same bytes')
      assert.deepEqual(
        [found.envelope.id, found.envelope.queue, found.envelope.attempt, found.envelope.priority],
        ['a', queue, 4, 2],
      )
      await bench.advance(1_000)
      await bench.push(envelope(queue, 'b'))
      await bench.settle(consumer, ...(await bench.receive(consumer, 1)).map(delivery => dead(delivery)))
      const { entries } = await bench.inspector.list(queue, 'dead')
      assert.deepEqual(
        entries.map(entry => entry.envelope.id),
        ['a', 'b'],
        'oldest first',
      )
      assert.ok(entries[1]!.at - entries[0]!.at >= 1_000, 'when each died')
      assert.equal(entries[1]!.error, undefined)
    },
    ['inspector'],
  ],

  [
    'revived dead letters run again with attempt 0, in their queue or another',
    async bench => {
      const queue = bench.name('revive'),
        other = bench.name('revive'),
        consumer = await bench.consume(queue),
        elsewhere = await bench.consume(other)
      await bench.push(...['a', 'b', 'c'].map(id => envelope(queue, id, { attempt: 5 })))
      await bench.settle(consumer, ...(await bench.receive(consumer, 3)).map(delivery => dead(delivery)))
      const waiting = bench.receive(consumer, 1)
      assert.equal(await bench.inspector.revive(queue, ['a', 'missing']), 1)
      const [a] = await waiting
      assert.deepEqual(
        [a!.envelope.id, a!.envelope.attempt, a!.deliveries, Buffer.from(a!.envelope.body).toString()],
        ['a', 0, 1, 'a'],
      )
      assert.equal(await bench.inspector.revive(queue, ['b', 'a'], { to: other }), 1, 'what is alive is not revived')
      const [b] = await bench.receive(elsewhere, 1)
      assert.deepEqual([b!.envelope.id, b!.envelope.queue, b!.envelope.attempt], ['b', other, 0])
      assert.equal((await bench.inspector.counts(queue)).dead, 1)
      await bench.settle(elsewhere, done(b!))
      await bench.settle(consumer, done(a!))
      assert.equal(await bench.inspector.find('b', other), undefined)
    },
    ['inspector'],
  ],

  [
    'dropped dead letters are gone, others stay',
    async bench => {
      const queue = bench.name('drop'),
        consumer = await bench.consume(queue)
      await bench.push(...envelopes(queue, 'a b c'))
      await bench.settle(consumer, ...(await bench.receive(consumer, 2)).map(delivery => dead(delivery)))
      assert.equal(await bench.inspector.drop(queue, ['a', 'c', 'missing']), 1)
      const { entries } = await bench.inspector.list(queue, 'dead')
      assert.deepEqual(
        entries.map(entry => entry.envelope.id),
        ['b'],
      )
      assert.deepEqual(ids(await bench.receive(consumer, 1)), ['c'])
      await bench.push(envelope(queue, 'a'))
    },
    ['inspector'],
  ],
]
