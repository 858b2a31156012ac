/** Rules: what people and tools see is exact, and what they do is what happens. */
import assert from 'node:assert/strict'
import type { Entry, ListOptions, Place } from '../../lib/broker.ts'
import { dead, done, envelope, envelopes, ids, release, retry } from './bench.ts'
import type { Bench } from './bench.ts'
import type { Rule } from './rules.ts'

const names = (entries: readonly Entry[]) => entries.map(({ envelope: { id } }) => id)

/** All pages of a listing; between two pages something may happen. */
export async function pages(
  { inspector }: Pick<Bench, 'inspector'>,
  queue: string,
  place: Place,
  limit: number,
  between: () => Promise<unknown> = async () => {},
): Promise<Entry[]> {
  const entries: Entry[] = []
  let options: ListOptions = { limit }
  for (;;) {
    const page = await inspector.list(queue, place, options)
    assert.ok(page.entries.length <= limit, `a page of ${page.entries.length} where ${limit} were asked for`)
    entries.push(...page.entries)
    if (page.cursor === undefined) return entries
    options = { limit, cursor: page.cursor }
    await between()
  }
}

export const inspecting: readonly Rule<Bench>[] = [
  [
    'counts are exact in every place',
    async bench => {
      const queue = bench.name('counts'),
        consumer = await bench.consume(queue)
      const count = async () => {
        const { ready, delayed, leased, suspect, dead: buried, paused } = await bench.inspector.counts(queue)
        return { ready, delayed, leased, suspect, dead: buried, paused }
      }
      const none = { ready: 0, delayed: 0, leased: 0, suspect: 0, dead: 0, paused: false }
      assert.deepEqual(await count(), none)
      await bench.push(
        ...envelopes(queue, 'a b c d e'),
        envelope(queue, 'high', { priority: 0 }),
        envelope(queue, 'later', { due: { afterMs: 5_000 } }),
      )
      assert.deepEqual(await count(), { ...none, ready: 6, delayed: 1 })
      const [high, a, b, c] = await bench.receive(consumer, 4)
      assert.deepEqual(await count(), { ...none, ready: 2, delayed: 1, leased: 4 })
      await bench.settle(consumer, done(high!), retry(a!), retry(b!, 60_000), dead(c!))
      assert.deepEqual(await count(), { ...none, ready: 3, delayed: 2, dead: 1 })
      await bench.soon(consumer.settle([done(a!), done(c!)]), 'settle() did not end')
      assert.deepEqual(await count(), { ...none, ready: 3, delayed: 2, dead: 1 }, 'a lost settlement counts nothing')
      await bench.advance(5_000 + bench.broker.capabilities.delayMs)
      assert.deepEqual(ids(await bench.receive(consumer, 4)), ['d', 'e', 'a', 'later'])
      assert.deepEqual(await count(), { ...none, delayed: 1, leased: 4, dead: 1 })
    },
    ['inspector'],
  ],

  [
    'suspects are counted and listed apart',
    async bench => {
      const queue = bench.name('counts')
      await bench.push(...envelopes(queue, 's1 s2'))
      for (let crash = 0; crash < 2; crash++) {
        const victim = await bench.consume(queue)
        await bench.receive(victim, 2)
        await bench.crash(victim)
        await bench.lapse()
      }
      const { ready, leased, suspect } = await bench.inspector.counts(queue)
      assert.deepEqual({ ready, leased, suspect }, { ready: 0, leased: 0, suspect: 2 })
      const { entries } = await bench.inspector.list(queue, 'suspect')
      assert.deepEqual(
        entries.map(({ envelope: { id }, place, deliveries }) => [id, place, deliveries]),
        [
          ['s1', 'suspect', 3],
          ['s2', 'suspect', 3],
        ],
      )
    },
    ['inspector', 'peek', 'timed'],
  ],

  [
    'oldestMs is how long the oldest ready message has waited',
    async bench => {
      const queue = bench.name('oldest'),
        consumer = await bench.consume(queue)
      const oldest = async () => (await bench.inspector.counts(queue)).oldestMs
      assert.equal(await oldest(), 0)
      await bench.push(envelope(queue, 'a'))
      await bench.advance(1_000)
      await bench.push(envelope(queue, 'b'), envelope(queue, 'high', { priority: 0 }))
      await bench.advance(500)
      assert.equal(await oldest(), 1_500)
      await bench.settle(consumer, ...(await bench.receive(consumer, 2)).map(done))
      assert.equal(await oldest(), 500)
      await bench.settle(consumer, ...(await bench.receive(consumer, 1)).map(done))
      assert.equal(await oldest(), 0)
    },
    ['inspector', 'exactClock'],
  ],

  [
    'oldestMs counts from the time at which a message was due, and sees behind what was put back',
    async bench => {
      const queue = bench.name('oldest'),
        one = await bench.consume(queue),
        two = await bench.consume(queue),
        late = bench.broker.capabilities.delayMs
      const isOldest = async (ms: number) => {
        const { oldestMs } = await bench.inspector.counts(queue)
        assert.ok(oldestMs <= ms && oldestMs >= ms - late, `it says ${oldestMs}, and ${ms} ms it is`)
      }
      await bench.push(envelope(queue, 'a', { due: { afterMs: 1_000 } }))
      await bench.advance(5_000)
      await isOldest(4_000)
      await bench.push(envelope(queue, 'b'))
      const [a] = await bench.receive(one, 1),
        [b] = await bench.receive(two, 1)
      await bench.settle(one, release(a!))
      await bench.settle(two, release(b!))
      await isOldest(4_000)
      assert.deepEqual(ids(await bench.receive(one, 2)), ['b', 'a'])
    },
    ['inspector', 'exactClock'],
  ],

  [
    'each place is listed in its order',
    async bench => {
      const queue = bench.name('list'),
        consumer = await bench.consume(queue)
      const listed = async (place: Place) => names((await bench.inspector.list(queue, place)).entries)
      await bench.push(...envelopes(queue, 'l1 l2'))
      await bench.receive(consumer, 2)
      await bench.push(
        envelope(queue, 'low', { priority: 2 }),
        envelope(queue, 'n1'),
        envelope(queue, 'high', { priority: 0 }),
        envelope(queue, 'n2'),
        envelope(queue, 'd2', { due: { afterMs: 20_000 } }),
        envelope(queue, 'd1', { due: { afterMs: 10_000 } }),
        envelope(queue, 'd3', { due: { afterMs: 20_000 } }),
      )
      assert.deepEqual(await listed('leased'), ['l1', 'l2'])
      assert.deepEqual(await listed('ready'), ['high', 'n1', 'n2', 'low'])
      assert.deepEqual(await listed('delayed'), ['d1', 'd2', 'd3'])
      assert.deepEqual(await listed('dead'), [])
      const {
        entries: [first],
      } = await bench.inspector.list(queue, 'delayed', { limit: 1 })
      assert.equal(first!.dueAt! - first!.at, 10_000)
    },
    ['inspector', 'peek'],
  ],

  [
    'pages go on where they ended, while messages come and go',
    async bench => {
      const queue = bench.name('pages'),
        consumer = await bench.consume(queue)
      await bench.push(...Array.from({ length: 50 }, (_, n) => envelope(queue, `m${n}`, { priority: n < 20 ? 1 : 2 })))
      let came = 0
      // Between two pages the first waiting ones are taken, and others come behind.
      const listed = names(
        await pages(bench, queue, 'ready', 7, async () => {
          await bench.settle(consumer, ...(await bench.receive(consumer, 3)).map(done))
          await bench.push(envelope(queue, `new${came++}`, { priority: 2 }))
        }),
      )
      assert.equal(new Set(listed).size, listed.length, `listed twice: [${listed}]`)
      assert.deepEqual(
        listed.filter(id => id.startsWith('m')),
        Array.from({ length: 50 }, (_, n) => `m${n}`),
      )
      const delayed = bench.name('pages')
      await bench.push(
        ...Array.from({ length: 25 }, (_, n) => envelope(delayed, `d${n}`, { due: { afterMs: 100_000 + (n >> 2) } })),
      )
      assert.deepEqual(
        names(await pages(bench, delayed, 'delayed', 4)),
        Array.from({ length: 25 }, (_, n) => `d${n}`),
      )
      const dropped = names(await pages(bench, delayed, 'delayed', 5, async () => bench.inspector.purge(delayed)))
      assert.deepEqual(dropped, ['d0', 'd1', 'd2', 'd3', 'd4'])
    },
    ['inspector', 'peek'],
  ],

  [
    'dead letters are listed in pages',
    async bench => {
      const queue = bench.name('pages'),
        consumer = await bench.consume(queue),
        all = Array.from({ length: 23 }, (_, n) => `d${n}`)
      await bench.push(...all.map(id => envelope(queue, id)))
      await bench.settle(consumer, ...(await bench.receive(consumer, 23)).map(delivery => dead(delivery)))
      let first = 0
      const listed = names(await pages(bench, queue, 'dead', 5, async () => bench.inspector.drop(queue, [all[first++]!])))
      assert.deepEqual(listed, all)
    },
    ['inspector'],
  ],

  [
    'a message is found by id, with its place',
    async bench => {
      const queue = bench.name('find'),
        consumer = await bench.consume(queue),
        [unique, later] = [bench.name('id'), bench.name('id')]
      await bench.push(envelope(queue, unique), envelope(queue, later, { due: { afterMs: 5_000 } }))
      const found = await bench.inspector.find(unique, queue)
      assert.deepEqual([found?.envelope.id, found?.envelope.queue, found?.place, found?.deliveries], [unique, queue, 'ready', 1])
      assert.equal(Buffer.from(found!.envelope.body).toString(), unique)
      assert.equal((await bench.inspector.find(unique))?.envelope.queue, queue, 'in any queue')
      assert.equal((await bench.inspector.find(later, queue))?.place, 'delayed')
      const [taken] = await bench.receive(consumer, 1)
      assert.equal((await bench.inspector.find(unique, queue))?.place, 'leased')
      await bench.settle(consumer, dead(taken!, 'so'))
      assert.equal((await bench.inspector.find(unique, queue))?.reason, 'so')
      assert.equal(await bench.inspector.find(unique, bench.name('find')), undefined)
      assert.equal(await bench.inspector.find(bench.name('id')), undefined)
    },
    ['inspector', 'peek'],
  ],

  [
    'queues that were opened or pushed to are known',
    async bench => {
      const opened = bench.name('opened'),
        pushed = bench.name('pushed')
      await bench.broker.open([opened])
      await bench.push(envelope(pushed, 'a'))
      const known = await bench.inspector.queues()
      assert.ok(known.includes(opened) && known.includes(pushed), `known: ${known}`)
    },
    ['inspector'],
  ],

  [
    'what waits is removed, what is leased is left alone',
    async bench => {
      const queue = bench.name('remove'),
        consumer = await bench.consume(queue)
      await bench.push(...envelopes(queue, 'held corpse a b c'), envelope(queue, 'later', { due: { afterMs: 1_000 } }))
      const [held, corpse] = await bench.receive(consumer, 2)
      await bench.settle(consumer, dead(corpse!))
      for (const [id, answer] of [
        ['b', 'removed'],
        ['b', 'missing'],
        ['later', 'removed'],
        ['held', 'leased'],
        ['corpse', 'removed'],
        ['no', 'missing'],
      ] as const) {
        assert.equal(await bench.inspector.remove(queue, id), answer, id)
      }
      await bench.advance(1_000 + bench.broker.capabilities.delayMs)
      assert.deepEqual(ids(await bench.look(consumer)), ['a', 'c'])
      await bench.settle(consumer, done(held!))
      assert.equal((await bench.inspector.counts(queue)).dead, 0)
    },
    ['inspector', 'removal'],
  ],

  [
    'a delayed message is promoted: ready now',
    async bench => {
      const queue = bench.name('promote'),
        consumer = await bench.consume(queue)
      await bench.push(envelope(queue, 'later', { due: { afterMs: 10_000 } }))
      const received = bench.receive(consumer, 1)
      assert.equal(await bench.inspector.promote(queue, 'later'), 'promoted')
      assert.deepEqual(ids(await received), ['later'])
      await bench.push(envelope(queue, 'ready'))
      assert.equal(await bench.inspector.promote(queue, 'ready'), 'not delayed')
      assert.equal(await bench.inspector.promote(queue, 'no'), 'missing')
      assert.equal((await bench.inspector.counts(queue)).delayed, 0)
    },
    ['inspector', 'removal'],
  ],

  [
    'what is due is ready for people too, though nobody looked meanwhile',
    async bench => {
      const queue = bench.name('promote'),
        consumer = await bench.consume(queue)
      await bench.push(envelope(queue, 'a', { due: { afterMs: 1_000 } }), envelope(queue, 'b', { priority: 2 }))
      await bench.advance(1_000 + bench.broker.capabilities.delayMs)
      assert.equal(await bench.inspector.reschedule(queue, 'b', { priority: 1 }), 'changed')
      assert.equal(await bench.inspector.promote(queue, 'a'), 'not delayed')
      assert.deepEqual(ids(await bench.receive(consumer, 2)), ['a', 'b'])
    },
    ['inspector', 'removal'],
  ],

  [
    'a waiting message is rescheduled: later, earlier, or in another band',
    async bench => {
      const queue = bench.name('reschedule'),
        consumer = await bench.consume(queue),
        { inspector } = bench,
        late = bench.broker.capabilities.delayMs
      await bench.push(...envelopes(queue, 'held a b c'), envelope(queue, 'later', { due: { afterMs: 50_000 } }))
      const [held] = await bench.receive(consumer, 1)
      assert.equal(await inspector.reschedule(queue, 'c', { priority: 0 }), 'changed')
      assert.equal(await inspector.reschedule(queue, 'a', { due: { afterMs: 2_000 } }), 'changed')
      assert.equal(await inspector.reschedule(queue, 'later', { due: { afterMs: 1_000 }, priority: 0 }), 'changed')
      assert.equal(await inspector.reschedule(queue, held!.envelope.id, { priority: 0 }), 'leased')
      assert.equal(await inspector.reschedule(queue, 'no', { priority: 0 }), 'missing')
      const taken = await bench.look(consumer)
      assert.deepEqual(ids(taken), ['c', 'b'])
      assert.equal(taken[0]!.envelope.priority, 0)
      for (const id of ['later', 'a']) {
        await bench.advance(1_000 + late)
        assert.deepEqual(ids(await bench.look(consumer)), [id])
      }
    },
    ['inspector', 'removal', 'exactClock'],
  ],

  [
    'a message that is rescheduled earlier wakes a take in time',
    async bench => {
      const queue = bench.name('reschedule'),
        consumer = await bench.consume(queue)
      await bench.push(envelope(queue, 'later', { due: { afterMs: 50_000 } }))
      const received = bench.receive(consumer, 1)
      await bench.inspector.reschedule(queue, 'later', { due: { afterMs: 1_000 } })
      await bench.advance(1_000 + bench.broker.capabilities.delayMs)
      assert.deepEqual(ids(await received), ['later'])
    },
    ['inspector', 'removal'],
  ],

  [
    'a purge deletes what waits and leaves what is leased and dead',
    async bench => {
      const queue = bench.name('purge'),
        consumer = await bench.consume(queue)
      await bench.push(
        ...envelopes(queue, 'held corpse a b'),
        envelope(queue, 'high', { priority: 2 }),
        envelope(queue, 'later', { due: { afterMs: 1_000 } }),
      )
      const [held, corpse] = await bench.receive(consumer, 2)
      await bench.settle(consumer, dead(corpse!))
      assert.equal(await bench.inspector.purge(queue), 4)
      const { ready, delayed, leased, dead: buried } = await bench.inspector.counts(queue)
      assert.deepEqual({ ready, delayed, leased, buried }, { ready: 0, delayed: 0, leased: 1, buried: 1 })
      await bench.advance(1_000 + bench.broker.capabilities.delayMs)
      assert.deepEqual(await bench.look(consumer), [])
      await bench.settle(consumer, done(held!))
      assert.equal(await bench.inspector.purge(queue), 0)
      await bench.push(envelope(queue, 'a'))
      assert.deepEqual(ids(await bench.receive(consumer, 1)), ['a'])
    },
    ['inspector'],
  ],

  [
    'looking at a queue that nobody used finds nothing and fails nothing',
    async bench => {
      const queue = bench.name('nobody'),
        { inspector } = bench
      assert.deepEqual(await inspector.counts(queue), {
        ready: 0,
        delayed: 0,
        leased: 0,
        suspect: 0,
        dead: 0,
        oldestMs: 0,
        paused: false,
      })
      assert.deepEqual((await inspector.list(queue, 'ready')).entries, [])
      assert.equal(await inspector.remove(queue, 'a'), 'missing')
      assert.equal(await inspector.purge(queue), 0)
      assert.equal(await inspector.revive(queue, ['a']), 0)
      assert.equal(await inspector.drop(queue, ['a']), 0)
    },
    ['inspector', 'removal'],
  ],
]
