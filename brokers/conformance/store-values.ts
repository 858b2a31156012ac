/** Rules: values, and sets that close once. */
import assert from 'node:assert/strict'
import type { Gathered, GatherEntry } from '../../lib/store.ts'
import { bytes } from './bench.ts'
import type { Rule } from './rules.ts'
import { text, TTL_MS } from './store-bench.ts'
import type { StoreBench } from './store-bench.ts'

export const values: readonly Rule<StoreBench>[] = [
  [
    'what was set is got, byte for byte, in the order of the question',
    async bench => {
      const [a, b, none] = [bench.name('a'), bench.name('b'), bench.name('none')],
        all = Uint8Array.from({ length: 256 }, (_, byte) => byte)
      await bench.set({ key: a, value: all }, { key: b, value: new Uint8Array(0) })
      const [gotB, gotNone, gotA, again] = await bench.soon(bench.store.get([b, none, a, a]))
      assert.ok(gotA && Buffer.from(gotA).equals(all))
      assert.ok(again && Buffer.from(again).equals(all))
      assert.equal(gotB?.length, 0, 'an empty value is a value')
      assert.equal(gotNone, undefined)
    },
  ],

  [
    'set overwrites, value and TTL',
    async bench => {
      const key = bench.name('k')
      await bench.set({ key, value: bytes('one'), ttlMs: 1_000 })
      await bench.set({ key, value: bytes('two'), ttlMs: 5_000 })
      await bench.target.advance(2_000)
      assert.deepEqual(await bench.texts(key), ['two'])
    },
  ],

  [
    'a TTL ends, not before its time',
    async bench => {
      const [short, long] = [bench.name('short'), bench.name('long')]
      await bench.set({ key: short, ttlMs: 1_000 }, { key: long, ttlMs: 10_000 })
      await bench.target.advance(999)
      assert.deepEqual(await bench.texts(short, long), [short, long])
      await bench.target.advance(2)
      assert.deepEqual(await bench.texts(short, long), [undefined, long])
      await bench.target.advance(9_000)
      assert.deepEqual(await bench.texts(short, long), [undefined, undefined])
    },
    ['exactClock'],
  ],

  [
    'a TTL may be a day long',
    async bench => {
      const key = bench.name('day')
      await bench.set({ key, ttlMs: 86_400_000 })
      await bench.target.advance(86_000_000)
      assert.deepEqual(await bench.texts(key), [key])
      await bench.target.advance(400_001)
      assert.deepEqual(await bench.texts(key), [undefined])
    },
    ['farClock'],
  ],

  [
    'set if absent sets once, also within a batch, and again after the TTL',
    async bench => {
      const key = bench.name('absent'),
        entry = (value: string) => ({ key, value: bytes(value), ttlMs: 1_000, if: 'absent' as const })
      assert.deepEqual(await bench.soon(bench.store.set([entry('one'), entry('two')])), [true, false])
      assert.deepEqual(await bench.soon(bench.store.set([entry('three')])), [false])
      assert.deepEqual(await bench.texts(key), ['one'])
      await bench.target.advance(1_001)
      assert.deepEqual(await bench.soon(bench.store.set([entry('four')])), [true])
      assert.deepEqual(await bench.texts(key), ['four'])
    },
  ],

  [
    'of many that set if absent at once, one does',
    async bench => {
      const key = bench.name('absent')
      const calls = Array.from({ length: 20 }, (_, n) =>
        bench.store.set([{ key, value: bytes(`${n}`), ttlMs: TTL_MS, if: 'absent' }]),
      )
      const set = (await bench.soon(Promise.all(calls))).flat()
      assert.equal(set.filter(Boolean).length, 1)
      assert.deepEqual(await bench.texts(key), [`${set.indexOf(true)}`])
    },
  ],

  [
    'drop deletes, with a condition only if the value is that',
    async bench => {
      const [a, b, none] = [bench.name('a'), bench.name('b'), bench.name('none')]
      await bench.set({ key: a }, { key: b, value: bytes('mine') })
      assert.deepEqual(
        await bench.soon(
          bench.store.drop([
            { key: b, if: bytes('yours') },
            { key: b, if: bytes('mine!') },
            { key: b, if: new Uint8Array(0) },
          ]),
        ),
        [false, false, false],
      )
      assert.deepEqual(await bench.texts(b), ['mine'])
      assert.deepEqual(
        await bench.soon(bench.store.drop([{ key: a }, { key: none }, { key: b, if: bytes('mine') }, { key: b }])),
        [true, false, true, false],
      )
      assert.deepEqual(await bench.texts(a, b), [undefined, undefined])
    },
  ],

  [
    'what has ended is not dropped',
    async bench => {
      const key = bench.name('ended')
      await bench.set({ key, ttlMs: 1_000 })
      await bench.target.advance(1_001)
      assert.deepEqual(await bench.soon(bench.store.drop([{ key }])), [false])
    },
  ],

  [
    'keys may be anything printable, also what objects inherit',
    async bench => {
      const store = await bench.open(bench.name('keys')),
        keys = ['constructor', '__proto__', 'a:b/c d', 'ü', 'k'.repeat(300)]
      await bench.soon(store.set(keys.map(key => ({ key, value: bytes(key), ttlMs: TTL_MS }))))
      assert.deepEqual((await bench.soon(store.get([...keys, 'toString']))).map(text), [...keys, undefined])
    },
  ],

  [
    'two namespaces share nothing',
    async bench => {
      const one = await bench.open(bench.name('one')),
        two = await bench.open(bench.name('two')),
        key = bench.name('k')
      await bench.soon(one.set([{ key, value: bytes('one'), ttlMs: TTL_MS }]))
      assert.deepEqual(await bench.soon(two.get([key])), [undefined])
      assert.deepEqual(await bench.soon(two.set([{ key, value: bytes('two'), ttlMs: TTL_MS, if: 'absent' }])), [true])
      await bench.soon(one.append([{ topic: key, value: bytes('one'), ttlMs: TTL_MS }]))
      assert.deepEqual(await bench.soon(two.read([{ topic: key }], { waitMs: 0 })), [[]])
    },
  ],

  [
    'two stores see the same entries',
    async bench => {
      const other = await bench.open(),
        key = bench.name('k')
      await bench.set({ key })
      assert.deepEqual((await bench.soon(other.get([key]))).map(text), [key])
      const reading = other.read([{ topic: key }], { waitMs: TTL_MS })
      await bench.append(key, 'x')
      assert.equal((await bench.soon(reading, 'a waiting read() was not woken'))[0]!.length, 1)
    },
    ['shared'],
  ],
]

type Came = Omit<GatherEntry, 'key' | 'size' | 'ttlMs'>
const gather = (
  bench: StoreBench,
  key: string,
  size: number,
  ...members: readonly (string | Came)[]
): Promise<readonly Gathered[]> =>
  bench.soon(
    bench.store.gather(
      members.map(member => ({ key, size, ttlMs: TTL_MS, ...(typeof member === 'string' ? { member } : member) })),
    ),
  )

export const sets: readonly Rule<StoreBench>[] = [
  [
    'the member that fills a set is its closer, once and again, and nobody else is',
    async bench => {
      const key = bench.name('set')
      assert.deepEqual(await gather(bench, key, 3, 'a', 'b', 'a'), [
        { count: 1, closer: false },
        { count: 2, closer: false },
        { count: 2, closer: false },
      ])
      assert.deepEqual(await gather(bench, key, 3, 'c'), [{ count: 3, closer: true }])
      assert.deepEqual(await gather(bench, key, 3, 'a', 'b', 'c', 'c'), [
        { count: 3, closer: false },
        { count: 3, closer: false },
        { count: 3, closer: true },
        { count: 3, closer: true },
      ])
      const [late] = await gather(bench, key, 3, 'd')
      assert.equal(late!.closer, false, 'who comes after it was full')
      assert.equal((await gather(bench, key, 3, 'c'))[0]!.closer, true)
    },
  ],

  [
    'a set of one closes with its first member',
    async bench => {
      const key = bench.name('set')
      assert.deepEqual(await gather(bench, key, 1, 'a', 'a'), [
        { count: 1, closer: true },
        { count: 1, closer: true },
      ])
    },
  ],

  [
    'of many members that come at once, exactly one is the closer',
    async bench => {
      const key = bench.name('set'),
        all = Array.from({ length: 50 }, (_, n) => `m${n}`)
      const gathered = (await Promise.all(all.map(member => gather(bench, key, 50, member)))).flat()
      assert.equal(gathered.filter(({ closer }) => closer).length, 1)
      const again = (await Promise.all(all.map(member => gather(bench, key, 50, member)))).flat()
      assert.deepEqual(
        again.map(({ closer }) => closer),
        gathered.map(({ closer }) => closer),
        'the same one',
      )
    },
  ],

  [
    'each call renews the TTL of a set, and at its end the set begins anew',
    async bench => {
      const key = bench.name('set')
      await gather(bench, key, 3, 'a')
      await bench.target.advance(TTL_MS - 1_000)
      assert.equal((await gather(bench, key, 3, 'b'))[0]!.count, 2)
      await bench.target.advance(TTL_MS - 1_000)
      assert.deepEqual(await gather(bench, key, 3, 'c'), [{ count: 3, closer: true }])
      await bench.target.advance(TTL_MS + 1)
      assert.deepEqual((await bench.soon(bench.store.members(key))).members, [])
      assert.deepEqual(await gather(bench, key, 3, 'c'), [{ count: 1, closer: false }])
    },
  ],

  [
    'members are listed in the order of their names, with their values',
    async bench => {
      const key = bench.name('set')
      await gather(bench, key, 4, { member: 'b', value: bytes('B') }, 'c', { member: 'a', value: bytes('A') })
      const { members, cursor } = await bench.soon(bench.store.members(key))
      assert.deepEqual(
        members.map(({ member, value }) => [member, text(value)]),
        [
          ['a', 'A'],
          ['b', 'B'],
          ['c', undefined],
        ],
      )
      assert.equal(cursor, undefined)
      assert.deepEqual((await bench.soon(bench.store.members(bench.name('none')))).members, [])
    },
  ],

  [
    'many members come in pages, each once',
    async bench => {
      const key = bench.name('set'),
        all = Array.from({ length: 2_300 }, (_, n) => `m${`${n}`.padStart(5, '0')}`)
      await gather(bench, key, all.length + 1, ...all.toReversed())
      const listed: string[] = []
      for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
        const page = await bench.soon(bench.store.members(key, cursor))
        assert.ok(page.members.length <= 1_000, `a page of ${page.members.length}`)
        listed.push(...page.members.map(({ member }) => member))
        cursor = page.cursor
      }
      assert.deepEqual(listed, all)
    },
  ],
]
