/** Rules: topics keep what was appended in order, and readers are woken. */
import assert from 'node:assert/strict'
import { GreenroomError } from '../../lib/errors.ts'
import { bytes } from './bench.ts'
import type { Rule } from './rules.ts'
import { textsOf, TTL_MS } from './store-bench.ts'
import type { StoreBench } from './store-bench.ts'

const WAIT_MS = 50_000

export const topicRules: readonly Rule<StoreBench>[] = [
  [
    'a read finds what came before it, at once and in order',
    async bench => {
      const topic = bench.name('topic')
      await bench.append(topic, 'one', 'two')
      await bench.append(topic, 'three')
      const [found] = await bench.soon(bench.store.read([{ topic }], { waitMs: WAIT_MS }), 'read() waited for what was there')
      assert.deepEqual(textsOf(found!), ['one', 'two', 'three'])
      assert.deepEqual(textsOf(await bench.read(topic)), ['one', 'two', 'three'], 'a read takes nothing away')
    },
  ],

  [
    'a read goes on after a cursor',
    async bench => {
      const topic = bench.name('topic')
      await bench.append(topic, 'one', 'two', 'three')
      const [one, , three] = await bench.read(topic)
      assert.deepEqual(textsOf(await bench.read(topic, one!.cursor)), ['two', 'three'])
      assert.deepEqual(await bench.read(topic, three!.cursor), [])
      await bench.append(topic, 'four')
      assert.deepEqual(textsOf(await bench.read(topic, three!.cursor)), ['four'])
    },
  ],

  [
    'a waiting read is woken by an append, with what came after its cursor only',
    async bench => {
      const topic = bench.name('topic')
      await bench.append(topic, 'old')
      const [old] = await bench.read(topic)
      const reading = bench.store.read([{ topic, after: old!.cursor }], { waitMs: WAIT_MS })
      await bench.append(topic, 'new')
      const [found] = await bench.soon(reading, 'a waiting read() was not woken')
      assert.deepEqual(textsOf(found!), ['new'])
    },
  ],

  [
    'a read of many topics is woken by any of them, and answers in the order of the question',
    async bench => {
      const [first, second, third] = [bench.name('topic'), bench.name('topic'), bench.name('topic')]
      const reading = bench.store.read([{ topic: first }, { topic: second }, { topic: third }], { waitMs: WAIT_MS })
      await bench.append(second, 'x')
      assert.deepEqual((await bench.soon(reading, 'a waiting read() was not woken')).map(textsOf), [[], ['x'], []])
      await bench.append(third, 'y')
      assert.deepEqual(
        (await bench.soon(bench.store.read([{ topic: third }, { topic: second }], { waitMs: WAIT_MS }))).map(textsOf),
        [['y'], ['x']],
      )
    },
  ],

  [
    'an append wakes every reader',
    async bench => {
      const topic = bench.name('topic'),
        readings = Array.from({ length: 5 }, () => bench.store.read([{ topic }], { waitMs: WAIT_MS }))
      await bench.append(topic, 'x')
      for (const reading of readings)
        assert.deepEqual(textsOf((await bench.soon(reading, 'a waiting read() was not woken'))[0]!), ['x'])
    },
  ],

  [
    'a read that finds nothing ends empty after waitMs',
    async bench => {
      const topic = bench.name('topic')
      assert.deepEqual(await bench.read(topic), [])
      let ended = false
      const reading = bench.store.read([{ topic }], { waitMs: 1_000 }).finally(() => {
        ended = true
      })
      await bench.target.advance(999)
      assert.equal(ended, false, 'it ended early')
      await bench.target.advance(1)
      assert.deepEqual(await bench.soon(reading, 'read() did not end after waitMs'), [[]])
    },
    ['exactClock'],
  ],

  [
    'an abort ends a waiting read at once, empty',
    async bench => {
      const topic = bench.name('topic'),
        abort = new AbortController(),
        reading = bench.store.read([{ topic }], { waitMs: WAIT_MS, signal: abort.signal })
      abort.abort()
      assert.deepEqual(await bench.soon(reading, 'an aborted read() did not end'), [[]])
      assert.deepEqual(await bench.soon(bench.store.read([{ topic }], { waitMs: WAIT_MS, signal: AbortSignal.abort() })), [[]])
      await bench.append(topic, 'x')
      assert.deepEqual(textsOf(await bench.read(topic)), ['x'])
    },
  ],

  [
    'an entry of a topic ends with its TTL, and cursors go on',
    async bench => {
      const topic = bench.name('topic'),
        { store, target } = bench
      await bench.soon(
        store.append([
          { topic, value: bytes('short'), ttlMs: 1_000 },
          { topic, value: bytes('long'), ttlMs: TTL_MS },
          { topic, value: bytes('short too'), ttlMs: 1_000 },
        ]),
      )
      const all = await bench.read(topic)
      assert.equal(all.length, 3)
      await target.advance(1_001)
      assert.deepEqual(textsOf(await bench.read(topic)), ['long'])
      await target.advance(TTL_MS)
      assert.deepEqual(await bench.read(topic), [])
      await bench.append(topic, 'after')
      assert.deepEqual(textsOf(await bench.read(topic, all[2]!.cursor)), ['after'])
      assert.deepEqual(textsOf(await bench.read(topic)), ['after'])
    },
  ],

  [
    'a read returns at most 1,000 entries a topic, and the next one the others',
    async bench => {
      const topic = bench.name('topic'),
        all = Array.from({ length: 1_500 }, (_, n) => `${n}`)
      await bench.append(topic, ...all)
      const first = await bench.read(topic),
        second = await bench.read(topic, first.at(-1)!.cursor)
      assert.equal(first.length, 1_000)
      assert.deepEqual([...textsOf(first), ...textsOf(second)], all)
    },
  ],

  [
    'a batch appends to many topics in order',
    async bench => {
      const [first, second] = [bench.name('topic'), bench.name('topic')]
      const entries = [
        [first, 'a'],
        [second, 'b'],
        [first, 'c'],
      ].map(([topic, value]) => ({ topic: topic!, value: bytes(value!), ttlMs: TTL_MS }))
      await bench.soon(bench.store.append(entries))
      assert.deepEqual((await bench.soon(bench.store.read([{ topic: first }, { topic: second }], { waitMs: 0 }))).map(textsOf), [
        ['a', 'c'],
        ['b'],
      ])
    },
  ],

  [
    'empty batches are no trouble',
    async ({ store, soon }) => {
      assert.deepEqual(
        await soon(Promise.all([store.get([]), store.set([]), store.drop([]), store.gather([]), store.acquire([])])),
        [[], [], [], [], []],
      )
      await soon(Promise.all([store.release([]), store.append([])]))
    },
  ],

  [
    'a store that was disposed ends its reads, and answers every call with a clear error',
    async bench => {
      const key = bench.name('end'),
        { store } = bench,
        reading = store.read([{ topic: key }], { waitMs: WAIT_MS })
      await bench.soon(Promise.resolve(store[Symbol.asyncDispose]()), 'disposing did not end')
      assert.deepEqual(await bench.soon(reading, 'a waiting read() did not end'), [[]])
      const calls = {
        get: () => store.get([key]),
        set: () => store.set([{ key, value: bytes(''), ttlMs: 1 }]),
        drop: () => store.drop([{ key }]),
        gather: () => store.gather([{ key, member: 'm', size: 1, ttlMs: 1 }]),
        members: () => store.members(key),
        acquire: () => store.acquire([{ key, ticket: 't', limit: { kind: 'fixed', limit: 1, windowMs: 1 } }]),
        release: () => store.release([{ key, ticket: 't' }]),
        append: () => store.append([{ topic: key, value: bytes(''), ttlMs: 1 }]),
        read: () => store.read([{ topic: key }], { waitMs: 0 }),
      } satisfies Record<string, () => Promise<unknown>>
      for (const [name, call] of Object.entries(calls)) {
        await assert.rejects(
          bench.soon<unknown>(call(), `${name} did not end`),
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
]
