/** Rules: what a crash does, and what it does not do. */
import assert from 'node:assert/strict'
import { done, envelope, envelopes, ids, LEASE_MS, release, retry } from './bench.ts'
import type { Bench } from './bench.ts'
import type { Rule } from './rules.ts'

/** Takes everything from the queue and crashes, so often. */
async function crashes(bench: Bench, queue: string, count: number, times: number): Promise<void> {
  for (let time = 0; time < times; time++) {
    const victim = await bench.consume(queue)
    const held = await bench.receive(victim, count)
    assert.ok(
      held.every(({ deliveries }) => deliveries === time + 1),
      `deliveries after ${time} crashes: ${held.map(({ deliveries }) => deliveries)}`,
    )
    await bench.crash(victim)
    await bench.lapse()
  }
}

export const leases: readonly Rule<Bench>[] = [
  [
    'what a crashed consumer held comes back when its lease lapses, at the head, in order, and counted',
    async bench => {
      const queue = bench.name('crash'),
        victim = await bench.consume(queue),
        other = await bench.consume(queue)
      await bench.push(...envelopes(queue, 'a b c d e'))
      const held = await bench.receive(victim, 4)
      await bench.settle(victim, done(held[1]!))
      await bench.crash(victim)
      assert.deepEqual(ids(await bench.look(other, 0)), [])
      await bench.lapse()
      const taken = await bench.receive(other, 4)
      assert.deepEqual(ids(taken), ['a', 'c', 'd', 'e'])
      assert.deepEqual(
        taken.map(({ deliveries, envelope: { attempt } }) => [deliveries, attempt]),
        [
          [2, 0],
          [2, 0],
          [2, 0],
          [1, 0],
        ],
      )
      const olds = held.map(({ token }) => token)
      assert.ok(
        taken.every(({ token }) => !olds.includes(token)),
        'tokens are new',
      )
    },
    ['timed'],
  ],

  [
    'what a crashed consumer held stays away until then',
    async bench => {
      const queue = bench.name('crash'),
        victim = await bench.consume(queue),
        other = await bench.consume(queue)
      await bench.push(envelope(queue, 'a'))
      await bench.receive(victim, 1)
      await bench.crash(victim)
      await bench.advance(LEASE_MS / 4)
      assert.deepEqual(await bench.look(other), [])
      await bench.advance(LEASE_MS / 4)
      assert.deepEqual(await bench.look(other), [])
    },
    ['timed', 'exactClock'],
  ],

  [
    'a lapsed lease wakes a take that waits',
    async bench => {
      const queue = bench.name('crash'),
        victim = await bench.consume(queue),
        other = await bench.consume(queue)
      await bench.push(envelope(queue, 'a'))
      await bench.receive(victim, 1)
      const received = bench.receive(other, 1)
      await bench.crash(victim)
      await bench.lapse()
      assert.deepEqual(ids(await received), ['a'])
    },
    ['timed'],
  ],

  [
    'a consumer that lost its lease is told, its tokens are worth nothing, and it works on',
    async bench => {
      const lost: string[] = []
      const queue = bench.name('crash'),
        victim = await bench.consume(queue, { onLost: tokens => lost.push(...tokens) }),
        other = await bench.consume(queue)
      await bench.push(...envelopes(queue, 'a b'))
      const held = await bench.receive(victim, 2)
      await bench.crash(victim)
      await bench.lapse()
      const [a, b] = await bench.receive(other, 2)
      assert.deepEqual(await bench.soon(victim.settle([done(held[0]!), retry(held[1]!)]), 'settle() did not end'), [
        'lost',
        'lost',
      ])
      assert.deepEqual([...new Set(lost)].sort(), held.map(({ token }) => token).sort())
      await bench.settle(other, done(a!), release(b!))
      const [again] = await bench.receive(victim, 1)
      assert.deepEqual(again!.envelope.id, 'b')
      assert.equal(again!.deliveries, 2)
      await bench.settle(victim, done(again!))
    },
    ['timed'],
  ],

  [
    'a living consumer keeps what it holds, however long it runs',
    async bench => {
      const lost: string[] = []
      const queue = bench.name('long'),
        consumer = await bench.consume(queue, { onLost: tokens => lost.push(...tokens) }),
        other = await bench.consume(queue)
      await bench.push(envelope(queue, 'a'))
      const [a] = await bench.receive(consumer, 1)
      for (let step = 0; step < 40; step++) {
        await bench.advance(LEASE_MS / 4)
        assert.deepEqual(await bench.look(other), [])
      }
      assert.deepEqual(lost, [])
      await bench.settle(consumer, done(a!))
    },
  ],

  [
    'a release keeps the count of deliveries, and a retry sets it back to one',
    async bench => {
      const queue = bench.name('count')
      await bench.push(envelope(queue, 'a'))
      await crashes(bench, queue, 1, 1)
      const consumer = await bench.consume(queue),
        [second] = await bench.receive(consumer, 1)
      assert.equal(second!.deliveries, 2)
      await bench.settle(consumer, release(second!))
      const [released] = await bench.receive(consumer, 1)
      assert.equal(released!.deliveries, 2)
      await bench.settle(consumer, retry(released!))
      const [retried] = await bench.receive(consumer, 1)
      assert.equal(retried!.deliveries, 1)
      assert.equal(retried!.envelope.attempt, 1)
    },
    ['timed'],
  ],

  [
    'a disposal keeps the count of deliveries',
    async bench => {
      const queue = bench.name('count')
      await bench.push(envelope(queue, 'a'))
      await crashes(bench, queue, 1, 1)
      const stopping = await bench.consume(queue)
      await bench.receive(stopping, 1)
      await bench.dispose(stopping)
      const [again] = await bench.receive(await bench.consume(queue), 1)
      assert.equal(again!.deliveries, 2)
    },
    ['timed'],
  ],

  [
    'suspects are taken first, and one at a time beside other work',
    async bench => {
      const queue = bench.name('suspects')
      await bench.push(...envelopes(queue, 's1 s2 s3'))
      await crashes(bench, queue, 3, 2)
      await bench.push(envelope(queue, 'high', { priority: 0 }), envelope(queue, 'normal'))
      const one = await bench.consume(queue),
        taken = await bench.look(one)
      assert.deepEqual(ids(taken), ['s1', 'high', 'normal'])
      assert.equal(taken[0]!.deliveries, 3)
      assert.deepEqual(await bench.look(one), [])
      const two = await bench.consume(queue),
        [second] = await bench.look(two)
      assert.equal(second!.envelope.id, 's2', 'another consumer may hold another suspect')
      await bench.settle(one, done(taken[0]!))
      assert.deepEqual(ids(await bench.look(one)), ['s3'])
    },
    ['timed'],
  ],

  [
    'a settled suspect wakes the take that waits for the next one',
    async bench => {
      const queue = bench.name('suspects')
      await bench.push(...envelopes(queue, 's1 s2'))
      await crashes(bench, queue, 2, 2)
      const consumer = await bench.consume(queue),
        [first] = await bench.receive(consumer, 1),
        received = bench.receive(consumer, 1)
      await bench.settle(consumer, done(first!))
      assert.deepEqual(ids(await received), ['s2'])
    },
    ['timed'],
  ],

  [
    'one suspect at most over all queues of a consumer',
    async bench => {
      const first = bench.name('suspects'),
        second = bench.name('suspects')
      await bench.push(envelope(first, 'a'), envelope(second, 'b'))
      await crashes(bench, first, 1, 2)
      await crashes(bench, second, 1, 2)
      const consumer = await bench.consume([first, second]),
        taken = await bench.look(consumer)
      assert.equal(taken.length, 1)
      assert.deepEqual(await bench.look(consumer), [])
      await bench.settle(consumer, done(taken[0]!))
      assert.equal((await bench.receive(consumer, 1)).length, 1)
    },
    ['timed'],
  ],

  [
    'a released suspect stays one, also after a wait, and a retried one is one no more',
    async bench => {
      const queue = bench.name('suspects')
      await bench.push(...envelopes(queue, 's1 s2'))
      await crashes(bench, queue, 2, 2)
      const consumer = await bench.consume(queue),
        [first] = await bench.receive(consumer, 1)
      await bench.settle(consumer, release(first!))
      const [again] = await bench.look(consumer)
      assert.deepEqual([again!.envelope.id, again!.deliveries], ['s1', 3])
      await bench.settle(consumer, release(again!, 1_000))
      await bench.advance(1_000 + bench.broker.capabilities.delayMs)
      assert.deepEqual(ids(await bench.look(consumer)), ['s2'], 'one at a time')
      const other = await bench.consume(queue),
        [back] = await bench.receive(other, 1)
      assert.deepEqual([back!.envelope.id, back!.deliveries], ['s1', 3])
      await bench.settle(other, retry(back!))
      assert.deepEqual(ids(await bench.look(consumer)), ['s1'], 'beside the suspect that it holds')
    },
    ['timed'],
  ],

  [
    'the neighbours of a crash all come back, and only the guilty one goes on counting',
    async bench => {
      const queue = bench.name('neighbours'),
        lastDeliveries = new Map<string, number>(),
        all = ['killer', 'n1', 'n2', 'n3', 'n4']
      await bench.push(...all.map(id => envelope(queue, id)))
      for (let life = 0; life < 12 && lastDeliveries.get('killer') !== 5; life++) {
        const consumer = await bench.consume(queue),
          taken = await bench.look(consumer)
        for (const {
          envelope: { id },
          deliveries,
        } of taken)
          lastDeliveries.set(id, deliveries)
        if (ids(taken).includes('killer')) {
          await bench.crash(consumer)
          await bench.lapse()
        } else {
          await bench.settle(consumer, ...taken.map(done))
          await bench.dispose(consumer)
        }
      }
      assert.equal(lastDeliveries.get('killer'), 5)
      for (const id of all.slice(1)) {
        const deliveries = lastDeliveries.get(id)
        assert.ok(deliveries !== undefined && deliveries <= 3, `${id} was delivered ${deliveries} times`)
      }
    },
    ['timed'],
  ],
]
