/** Rules: what a take returns, in which order, and how much of it. */
import assert from 'node:assert/strict'
import { bytes, done, envelope, envelopes, ids, release, retry } from './bench.ts'
import type { Bench } from './bench.ts'
import type { Rule } from './rules.ts'

export const taking: readonly Rule<Bench>[] = [
  [
    'what was pushed is taken once, in order, byte for byte',
    async bench => {
      const queue = bench.name('order'),
        consumer = await bench.consume(queue)
      await bench.push(envelope(queue, 'a', { body: bytes('{"æ":1}'), attempt: 3 }), envelope(queue, 'b'), envelope(queue, 'c'))
      await bench.push(envelope(queue, 'd'))
      const taken = await bench.receive(consumer, 4)
      assert.deepEqual(ids(taken), ['a', 'b', 'c', 'd'])
      const [first] = taken
      assert.ok(first)
      assert.deepEqual(Buffer.from(first.envelope.body), Buffer.from('{"æ":1}'))
      assert.equal(first.envelope.queue, queue)
      assert.equal(first.envelope.attempt, 3)
      assert.equal(first.envelope.priority, 1)
      assert.equal(first.deliveries, 1)
      assert.equal(new Set(taken.map(({ token }) => token)).size, 4, 'tokens are unique')
      assert.deepEqual(await bench.look(consumer), [])
      await bench.settle(consumer, ...taken.map(done))
      assert.deepEqual(await bench.look(consumer), [])
    },
  ],

  [
    'a take returns at most max',
    async bench => {
      const queue = bench.name('max'),
        consumer = await bench.consume(queue)
      await bench.push(...envelopes(queue, 'a b c d e'))
      assert.deepEqual(ids(await bench.look(consumer, 2)), ['a', 'b'])
      assert.deepEqual(ids(await bench.look(consumer, 1)), ['c'])
      assert.deepEqual(await bench.look(consumer, 0), [])
      assert.deepEqual(ids(await bench.look(consumer, 9)), ['d', 'e'])
    },
  ],

  [
    'a consumer never holds more than its credit, and a settlement gives credit back',
    async bench => {
      const queue = bench.name('credit'),
        consumer = await bench.consume(queue, { credit: 3 })
      await bench.push(...envelopes(queue, 'a b c d e'))
      const [a, b] = await bench.receive(consumer, 2)
      assert.deepEqual(ids(await bench.look(consumer)), ['c'])
      assert.deepEqual(await bench.look(consumer), [])
      await bench.settle(consumer, done(a!), done(b!))
      assert.deepEqual(ids(await bench.look(consumer)), ['d', 'e'])
    },
  ],

  [
    'a settlement wakes a take that waits for credit',
    async bench => {
      const queue = bench.name('credit'),
        consumer = await bench.consume(queue, { credit: 1 })
      await bench.push(...envelopes(queue, 'a b'))
      const [a] = await bench.receive(consumer, 1),
        waiting = bench.receive(consumer, 1)
      await bench.settle(consumer, done(a!))
      assert.deepEqual(ids(await waiting), ['b'])
    },
  ],

  [
    'room bounds what a take returns of each queue that it names',
    async bench => {
      const wide = bench.name('wide'),
        narrow = bench.name('narrow'),
        consumer = await bench.consume([wide, narrow])
      await bench.push(...envelopes(wide, 'w1 w2 w3'), ...envelopes(narrow, 'n1 n2 n3'))
      const room = (count: number) => ({ waitMs: 0, signal: new AbortController().signal, room: { [narrow]: count } })
      assert.deepEqual(ids(await bench.soon(consumer.take(9, room(1)), 'take() did not end')).sort(), ['n1', 'w1', 'w2', 'w3'])
      assert.deepEqual(await bench.soon(consumer.take(9, room(0)), 'take() did not end'), [])
      assert.deepEqual(ids(await bench.look(consumer)), ['n2', 'n3'])
    },
  ],

  [
    'a long queue does not starve a short one',
    async bench => {
      const long = bench.name('long'),
        short = bench.name('short'),
        consumer = await bench.consume([long, short])
      await bench.push(...Array.from({ length: 200 }, (_, n) => envelope(long, `l${n}`)), ...envelopes(short, 's1 s2 s3'))
      const seen: string[] = []
      for (let take = 0; take < 8; take++) {
        const taken = await bench.receive(consumer, 4)
        seen.push(...ids(taken))
        await bench.settle(consumer, ...taken.map(done))
      }
      assert.deepEqual(
        seen.filter(id => id.startsWith('s')),
        ['s1', 's2', 's3'],
      )
    },
  ],

  [
    'bands are taken strictly in order, first in first out within each, and 1 is the one between',
    async bench => {
      const queue = bench.name('bands'),
        consumer = await bench.consume(queue)
      for (const [id, priority] of [
        ['low1', 2],
        ['normal1', 1],
        ['high1', 0],
        ['low2', 2],
        ['high2', 0],
        ['normal2', 1],
      ] as const) {
        await bench.push(envelope(queue, id, { priority }))
      }
      const taken = [...(await bench.receive(consumer, 2)), ...(await bench.receive(consumer, 4))]
      assert.deepEqual(ids(taken), ['high1', 'high2', 'normal1', 'normal2', 'low1', 'low2'])
      assert.deepEqual(
        taken.map(({ envelope: { priority } }) => priority),
        [0, 0, 1, 1, 2, 2],
      )
    },
  ],

  [
    'a message keeps its band over retries and releases',
    async bench => {
      const queue = bench.name('bands'),
        consumer = await bench.consume(queue)
      await bench.push(envelope(queue, 'low1', { priority: 2 }), envelope(queue, 'low2', { priority: 2 }))
      const [first, second] = await bench.receive(consumer, 2)
      await bench.settle(consumer, retry(first!), release(second!))
      await bench.push(envelope(queue, 'normal'), envelope(queue, 'high', { priority: 0 }))
      const all = await bench.receive(consumer, 4)
      assert.deepEqual(ids(all), ['high', 'normal', 'low2', 'low1'])
      assert.deepEqual(
        all.map(({ envelope: { priority } }) => priority),
        [0, 1, 2, 2],
      )
    },
  ],

  [
    'two consumers share a queue without overlap',
    async bench => {
      const queue = bench.name('shared'),
        one = await bench.consume(queue),
        two = await bench.consume(queue)
      await bench.push(...Array.from({ length: 20 }, (_, n) => envelope(queue, `m${n}`)))
      const [first, second] = await Promise.all([bench.receive(one, 8), bench.receive(two, 8)])
      const rest = await bench.receive(one, 4)
      const all = ids([...first, ...second, ...rest])
      assert.equal(new Set(all).size, 20, `taken twice: [${all}]`)
      assert.deepEqual(await bench.look(two), [])
      await bench.settle(two, ...second.map(done))
      await bench.settle(one, ...first.map(done), ...rest.map(done))
    },
  ],

  [
    'a consumer cannot settle what another one holds',
    async bench => {
      const queue = bench.name('shared'),
        one = await bench.consume(queue),
        two = await bench.consume(queue)
      await bench.push(envelope(queue, 'a'))
      const [a] = await bench.receive(one, 1)
      assert.deepEqual(await bench.soon(two.settle([done(a!)]), 'settle() did not end'), ['lost'])
      await bench.settle(one, done(a!))
    },
  ],

  [
    'two brokers see the same messages',
    async bench => {
      const queue = bench.name('shared'),
        other = await bench.open(),
        consumer = await bench.consume(queue, {}, other)
      const waiting = bench.receive(consumer, 1)
      await bench.push(envelope(queue, 'a'))
      assert.deepEqual(ids(await waiting), ['a'])
    },
    ['shared'],
  ],

  [
    'a queue may have any name of the grammar, also one that objects inherit',
    async bench => {
      const broker = await bench.open(bench.name('names')),
        names = ['constructor', 'toString', '__proto__', 'a.b-c_D', 'q'.repeat(128)]
      const consumer = await bench.consume(names, {}, broker)
      await bench.soon(broker.push(names.map(queue => envelope(queue, 'a'))), 'push() did not end')
      const room = { [names[4]!]: 1 },
        taken: string[] = []
      while (taken.length < names.length) {
        const some = await bench.soon(
          consumer.take(9, { waitMs: 60_000, signal: new AbortController().signal, room }),
          `only ${taken} were taken`,
        )
        taken.push(...some.map(({ envelope: { queue } }) => queue))
      }
      assert.deepEqual(taken.sort(), [...names].sort())
    },
  ],
]
