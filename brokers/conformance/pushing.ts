/** Rules: what a push answers, message by message, and what it may hold. */
import assert from 'node:assert/strict'
import { GreenroomError } from '../../lib/errors.ts'
import type { Envelope } from '../../lib/broker.ts'
import type { Due } from '../../lib/message.ts'
import { DAY_MS, dead, done, envelope, ids, retry } from './bench.ts'
import type { Bench } from './bench.ts'
import type { Rule } from './rules.ts'

const verdicts = async (bench: Bench, ...batch: readonly Envelope[]) => {
  const pushed = await bench.soon(bench.broker.push(batch), 'push() did not end')
  return pushed.map(verdict =>
    typeof verdict === 'string' ? verdict : verdict instanceof GreenroomError ? 'refused' : `no GreenroomError: ${verdict}`,
  )
}

export const pushing: readonly Rule<Bench>[] = [
  [
    'an id that is live in its queue is a duplicate, wherever it is, and stores nothing',
    async bench => {
      const queue = bench.name('unique'),
        consumer = await bench.consume(queue)
      await bench.push(envelope(queue, 'a'))
      assert.deepEqual(await verdicts(bench, envelope(queue, 'a'), envelope(queue, 'b'), envelope(queue, 'b')), [
        'duplicate',
        'stored',
        'duplicate',
      ])
      const [a, b] = await bench.receive(consumer, 2)
      assert.deepEqual(await verdicts(bench, envelope(queue, 'a')), ['duplicate'], 'leased')
      await bench.settle(consumer, retry(a!, 1_000), dead(b!))
      assert.deepEqual(
        await verdicts(bench, envelope(queue, 'a'), envelope(queue, 'b')),
        ['duplicate', 'duplicate'],
        'delayed and dead',
      )
      assert.deepEqual(await bench.look(consumer), [])
      await bench.advance(1_000 + bench.broker.capabilities.delayMs)
      await bench.settle(consumer, ...(await bench.receive(consumer, 1)).map(done))
      assert.deepEqual(await bench.look(consumer), [])
    },
    ['uniqueIds'],
  ],

  [
    'an id may come again after it is done, and at any time in another queue',
    async bench => {
      const queue = bench.name('unique'),
        other = bench.name('unique'),
        consumer = await bench.consume([queue, other])
      await bench.push(envelope(queue, 'a'), envelope(other, 'a'))
      await bench.settle(consumer, ...(await bench.receive(consumer, 2)).map(done))
      await bench.push(envelope(queue, 'a'))
      assert.deepEqual(ids(await bench.receive(consumer, 1)), ['a'])
    },
  ],

  [
    'onceMs remembers an id after it is done, for so long',
    async bench => {
      const queue = bench.name('once'),
        consumer = await bench.consume(queue),
        once = envelope(queue, 'a', { onceMs: 2 * DAY_MS })
      assert.deepEqual(await verdicts(bench, once, once), ['stored', 'duplicate'])
      await bench.settle(consumer, ...(await bench.receive(consumer, 1)).map(done))
      assert.deepEqual(await verdicts(bench, once, envelope(queue, 'a')), ['duplicate', 'duplicate'])
      await bench.advance(2 * DAY_MS - 10)
      assert.deepEqual(await verdicts(bench, once), ['duplicate'])
      assert.deepEqual(await bench.look(consumer), [])
      await bench.advance(20)
      assert.deepEqual(await verdicts(bench, once), ['stored'])
      assert.deepEqual(ids(await bench.receive(consumer, 1)), ['a'])
    },
    ['once', 'farClock'],
  ],

  [
    'onceMs is of its queue',
    async bench => {
      const queue = bench.name('once'),
        other = bench.name('once')
      await bench.broker.open([queue, other])
      assert.deepEqual(
        await verdicts(bench, envelope(queue, 'a', { onceMs: DAY_MS }), envelope(other, 'a', { onceMs: DAY_MS })),
        ['stored', 'stored'],
      )
    },
    ['once'],
  ],

  [
    'a bad message of a batch refuses only itself',
    async bench => {
      const queue = bench.name('bad'),
        consumer = await bench.consume(queue)
      const none: Due = { afterMs: -1 },
        nan: Due = { at: NaN }
      assert.deepEqual(
        await verdicts(
          bench,
          envelope(queue, 'a'),
          envelope('no queue', 'b'),
          envelope(queue, 'c', { due: none }),
          envelope(queue, 'd', { due: nan }),
          envelope(queue, ''),
          envelope(queue, 'f', { priority: 7 as 1 }),
          envelope(queue, 'g', { attempt: -1 }),
          envelope(queue, 'z'),
        ),
        ['stored', 'refused', 'refused', 'refused', 'refused', 'refused', 'refused', 'stored'],
      )
      assert.deepEqual(ids(await bench.receive(consumer, 2)), ['a', 'z'])
      assert.deepEqual(await bench.look(consumer), [])
    },
  ],

  [
    'a refused message says why with a stable code, and is not stored',
    async bench => {
      await bench.broker.open([bench.name('bad')])
      const [verdict] = await bench.soon(bench.broker.push([envelope('no queue', 'a')]), 'push() did not end')
      assert.ok(verdict instanceof GreenroomError)
      assert.equal(verdict.code, 'NAME_INVALID')
      assert.ok(verdict.message.includes('no queue'), verdict.message)
    },
  ],

  [
    'an empty batch is no trouble',
    async bench => {
      const queue = bench.name('empty'),
        consumer = await bench.consume(queue)
      assert.deepEqual(await bench.soon(bench.broker.push([]), 'push() did not end'), [])
      assert.deepEqual(await bench.soon(consumer.settle([]), 'settle() did not end'), [])
    },
  ],

  [
    'a body may have no bytes, all of them, and many',
    async bench => {
      const queue = bench.name('bytes'),
        consumer = await bench.consume(queue),
        { bodyBytes } = bench.sizes
      const bodies = [
        new Uint8Array(0),
        Uint8Array.from({ length: 256 }, (_, byte) => byte),
        Uint8Array.from({ length: bodyBytes }, (_, at) => at * 7 + (at >> 8)),
      ]
      await bench.push(...bodies.map((body, n) => envelope(queue, `b${n}`, { body })))
      const taken = await bench.receive(consumer, bodies.length)
      for (const [
        n,
        {
          envelope: { body },
        },
      ] of taken.entries())
        assert.ok(Buffer.from(body).equals(bodies[n]!), `body ${n} of ${bodies[n]!.length} bytes came as ${body.length} others`)
      await bench.settle(consumer, retry(taken[1]!))
      const [again] = await bench.receive(consumer, 1)
      assert.ok(Buffer.from(again!.envelope.body).equals(bodies[1]!), 'the same bytes after a retry')
    },
  ],

  [
    'an id may be 200 printable characters',
    async bench => {
      const queue = bench.name('ids'),
        consumer = await bench.consume(queue),
        names = ['x'.repeat(200), '!"#$%&\'()*+,/:;<=>?@[\\]^`{|}~', '__proto__', '0', ':', 'a/b:c|d']
      await bench.push(...names.map(id => envelope(queue, id)))
      const taken = await bench.receive(consumer, names.length)
      assert.deepEqual(ids(taken), names)
      await bench.settle(consumer, ...taken.map(done))
      assert.deepEqual(await bench.look(consumer), [])
    },
  ],

  [
    'very many messages at once come in order, each once',
    async bench => {
      const queue = bench.name('many'),
        consumer = await bench.consume(queue, { credit: 1_000 }),
        { batch } = bench.sizes
      await bench.push(...Array.from({ length: batch }, (_, n) => envelope(queue, `m${n}`)))
      for (let next = 0; next < batch;) {
        const taken = await bench.receive(consumer, Math.min(500, batch - next))
        for (const {
          envelope: { id },
        } of taken)
          assert.equal(id, `m${next++}`)
        await bench.settle(consumer, ...taken.map(done))
      }
      assert.deepEqual(await bench.look(consumer), [])
    },
  ],
]
