/** The store on Redis when the network or the server fails: what was lost is found, what was done is not done twice, and who waits is woken. */
import t, { type Test } from 'tap'
import type { Link } from '../../brokers/redis/link.ts'
import { redisStore } from '../../brokers/redis/store.ts'
import { storeKeys } from '../../brokers/redis/store-keys.ts'
import { systemClock } from '../../lib/clock.ts'
import { systemRandom } from '../../lib/ids.ts'
import type { Limit, Store } from '../../lib/store.ts'
import { turns } from '../helpers/turns.ts'
import { type Daemon, startDaemon } from '../rig/daemon.ts'
import { openProxy, type Proxy } from '../rig/proxy.ts'
import { redis } from '../rig/redis.ts'
import { beside, linkTo, urlOf } from './redis-links.ts'
import { bytes, readAll, text, TTL_MS } from './redis-stores.ts'

/** Longer than any test: what ends it is an event. */
const FOREVER_MS = 2 ** 40
const LIMIT: Limit = { kind: 'sliding', limit: 1, windowMs: TTL_MS }
const SLOT: Limit = { kind: 'slots', max: 1, leaseMs: TTL_MS }

let server: Daemon, sound: Link
t.before(async () => {
  server = await startDaemon(redis({ appendonly: 'no' }))
  sound = linkTo(urlOf(server))
})
t.teardown(async () => {
  await sound[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
})
let opened = 0
const open = (link: Link, namespace: string, replyTimeoutMs = 60_000): Store =>
  redisStore({ link, namespace, clock: systemClock, random: systemRandom, replyTimeoutMs })

/** A store behind a proxy, and one beside it that nothing happens to. */
interface Pair extends AsyncDisposable {
  readonly proxy: Proxy
  readonly link: Link
  readonly store: Store
  readonly other: Store
  readonly namespace: string
}
async function openPair(replyTimeoutMs?: number): Promise<Pair> {
  const namespace = `faults-${++opened}`,
    proxy = await openProxy({ to: server }),
    link = linkTo(urlOf(proxy), replyTimeoutMs)
  await link.up()
  const store = open(link, namespace),
    other = open(sound, namespace)
  return {
    proxy,
    link,
    store,
    other,
    namespace,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]()
      await link[Symbol.asyncDispose]()
      await proxy[Symbol.asyncDispose]()
    },
  }
}

/** A call, what it must answer when its first answer is lost, and what must be there then. `before` is done by the other store. */
interface Lost {
  before?(other: Store): Promise<unknown>
  call(store: Store): Promise<unknown>
  readonly answer: unknown
  after(other: Store): Promise<unknown>
}
const value = (key: string, words: string) => ({ key, value: bytes(words), ttlMs: TTL_MS })
const claim = (key: string, words: string) => ({ ...value(key, words), if: 'absent' as const })
const nothing = async () => {}

const lost = (t: Test): Readonly<Record<string, Lost>> => ({
  get: {
    before: other => other.set([value('k', 'v')]),
    call: async store => (await store.get(['k', 'none'])).map(text),
    answer: ['v', undefined],
    after: nothing,
  },
  set: {
    call: store => store.set([value('k', 'v')]),
    answer: [true],
    after: async other => t.strictSame((await other.get(['k'])).map(text), ['v']),
  },
  'set if absent': {
    before: other => other.set([value('taken', 'same')]),
    call: store => store.set([claim('k', 'same'), claim('k', 'same'), claim('taken', 'same')]),
    answer: [true, false, false],
    after: async other => t.strictSame(await other.set([claim('k', 'same')]), [false]),
  },
  drop: {
    before: other => other.set([value('a', 'v'), value('b', 'mine')]),
    call: store => store.drop([{ key: 'a' }, { key: 'b', if: bytes('mine') }, { key: 'none' }]),
    answer: [true, true, false],
    after: async other => t.strictSame(await other.get(['a', 'b']), [undefined, undefined]),
  },
  gather: {
    call: store => store.gather([{ key: 'g', member: 'm', size: 1, ttlMs: TTL_MS, value: bytes('v') }]),
    answer: [{ count: 1, closer: true }],
    after: async other => t.strictSame(await other.members('g'), { members: [{ member: 'm', value: bytes('v') }] }),
  },
  members: {
    before: other => other.gather([{ key: 'g', member: 'm', size: 2, ttlMs: TTL_MS }]),
    call: store => store.members('g'),
    answer: { members: [{ member: 'm' }] },
    after: nothing,
  },
  acquire: {
    call: store => store.acquire([{ key: 'k', ticket: 'a', limit: LIMIT }]),
    answer: [0],
    async after(other) {
      const [waitMs] = await other.acquire([{ key: 'k', ticket: 'b', limit: LIMIT }])
      t.ok(waitMs! > 0 && waitMs! <= TTL_MS, `it counts once: the next waits for ${waitMs} ms`)
    },
  },
  'acquire a slot': {
    call: store => store.acquire([{ key: 'k', ticket: 'a', limit: SLOT }]),
    answer: [0],
    after: async other => t.not((await other.acquire([{ key: 'k', ticket: 'b', limit: SLOT }]))[0], 0),
  },
  release: {
    before: other => other.acquire([{ key: 'k', ticket: 'a', limit: SLOT }]),
    call: store => store.release([{ key: 'k', ticket: 'a' }]),
    answer: undefined,
    after: async other => t.strictSame(await other.acquire([{ key: 'k', ticket: 'b', limit: SLOT }]), [0]),
  },
  append: {
    call: store => store.append(['one', 'two'].map(words => ({ topic: 't', value: bytes(words), ttlMs: TTL_MS }))),
    answer: undefined,
    after: async other => t.strictSame((await readAll(other, 't')).map(text), ['one', 'two'], 'once'),
  },
  read: {
    before: other => other.append([{ topic: 't', value: bytes('v'), ttlMs: TTL_MS }]),
    call: async store => (await store.read([{ topic: 't' }], { waitMs: 0 })).map(found => found.map(one => text(one.value))),
    answer: [['v']],
    after: nothing,
  },
})

t.test('an answer that is lost: the call is made again, and nothing was done twice', async t => {
  for (const name of Object.keys(lost(t))) {
    for (const how of ['rst', 'fin'] as const)
      t.test(`${name}, ${how}`, async t => {
        const { before = nothing, call, answer, after } = lost(t)[name]!
        await using pair = await openPair()
        await before(pair.other)
        const isLost = pair.proxy.dropReply(how)
        t.strictSame(await call(pair.store), answer)
        t.ok(await isLost)
        await after(pair.other)
      })
  }
})

t.test(
  'a connection that says nothing is given up, and the call made on the next one; what was held up changes nothing',
  async t => {
    await using pair = await openPair(100)
    const { proxy, store, other } = pair
    // What is sent waits in the proxy, and passes when the call was made again.
    proxy.silence('up')
    const appended = store.append([{ topic: 't', value: bytes('v'), ttlMs: TTL_MS }])
    await proxy.connected()
    proxy.heal()
    await appended
    t.strictSame((await readAll(other, 't')).map(text), ['v'])
  },
)

t.test('a call that comes late, after a later one on its token, changes nothing', async t => {
  const [token, key] = ['{late:s:00}:tok:x', '{late:s:00}:v:k']
  const set = (number: number, words: string) => sound.run('store-set', [token, key], [number, words, TTL_MS, 0])
  t.equal(String(await set(1, 'first')), '1')
  t.equal(String(await set(2, 'second')), '1')
  t.equal(await set(1, 'first'), null)
  t.equal(String(await sound.ask('GET', key)), 'second')
  t.equal(String(await set(2, 'other')), '1', 'its answer is kept')
  t.equal(String(await sound.ask('GET', key)), 'second')
})

t.test('calls of many at once have a token each, and few are left behind', async t => {
  await using pair = await openPair()
  for (let round = 0; round < 3; round++)
    await Promise.all(Array.from({ length: 20 }, (_, n) => pair.store.set([value(`${round} ${n}`, 'v')])))
  const keys = (await sound.ask('KEYS', `{${pair.namespace}:*:tok:*`)) as Buffer[]
  t.equal(keys.length, 20)
})

t.test('a server that is away when a call is made, and comes back in time', async t => {
  await using one = await startDaemon(redis())
  await using link = linkTo(urlOf(one))
  const store = open(link, 'away')
  t.strictSame(await store.set([value('k', 'v')]), [true], 'the first call connects')
  await one.kill()
  const got = store.get(['k'])
  await one.start()
  t.strictSame((await got).map(text), ['v'])
  await one.kill()
  const hasty = open(link, 'away', 1)
  await t.rejects(hasty.get(['k']), { code: 'BROKER_DOWN', retryable: true, stored: 'no' })
  await t.rejects(hasty.append([{ topic: 't', value: bytes('v'), ttlMs: TTL_MS }]), { code: 'BROKER_DOWN', retryable: true })
  const ending = store.get(['k'])
  await store[Symbol.asyncDispose]()
  await t.rejects(ending, { code: 'BROKER_DOWN', message: /has been closed/ }, 'a store that is closed waits no longer')
})

t.test('what time does not mend fails at once', async t => {
  await using one = await startDaemon(redis())
  await beside(one.port, 'CONFIG', 'SET', 'requirepass', 'secret')
  await using link = linkTo(urlOf(one))
  await using denied = open(link, 'denied', FOREVER_MS)
  await t.rejects(denied.get(['k']), { code: 'BROKER_DENIED', retryable: false, stored: 'no' })
  await using store = open(sound, 'foreign', FOREVER_MS)
  await sound.ask('SET', storeKeys('foreign').keyOf('t', 'topic'), 'no list')
  const broken = { code: 'BROKER_INVALID', retryable: false }
  await t.rejects(store.read([{ topic: 'topic' }], { waitMs: FOREVER_MS }), broken)
  await t.rejects(store.append([{ topic: 'topic', value: bytes('v'), ttlMs: TTL_MS }]), broken)
})

t.test('the failure of a call says that it may have been done, also when the tries after it surely were not', async t => {
  await using pair = await openPair()
  const hasty = open(pair.link, pair.namespace, 300)
  const isLost = pair.proxy.dropReply()
  pair.proxy.repoint({ port: 1 })
  await t.rejects(hasty.set([value('k', 'v')]), { code: 'BROKER_DOWN', stored: 'maybe' })
  t.ok(await isLost)
})

t.test('a full server refuses what is new; what is there is read, limits go on, and what is dropped makes room', async t => {
  await using one = await startDaemon(redis({ appendonly: 'no' }))
  await using link = linkTo(urlOf(one))
  await using store = open(link, 'full')
  await store.set([value('k', 'v')])
  await store.append([{ topic: 't', value: bytes('v'), ttlMs: TTL_MS }])
  await store.gather([{ key: 'g', member: 'm', size: 2, ttlMs: TTL_MS }])
  await beside(one.port, 'CONFIG', 'SET', 'maxmemory', '1')
  const full = { code: 'BROKER_FULL', retryable: true, stored: 'no' }
  await t.rejects(store.set([value('other', 'v')]), full)
  await t.rejects(store.append([{ topic: 't', value: bytes('w'), ttlMs: TTL_MS }]), full)
  await t.rejects(store.gather([{ key: 'g', member: 'n', size: 2, ttlMs: TTL_MS }]), full)
  t.strictSame((await store.get(['k'])).map(text), ['v'])
  t.strictSame((await readAll(store, 't')).map(text), ['v'])
  t.strictSame(await store.members('g'), { members: [{ member: 'm' }] })
  t.strictSame(await store.acquire([{ key: 'l', ticket: 'a', limit: SLOT }]), [0])
  await store.release([{ key: 'l', ticket: 'a' }])
  t.strictSame(await store.acquire([{ key: 'l', ticket: 'b', limit: SLOT }]), [0])
  t.strictSame(await store.drop([{ key: 'k' }]), [true])
  await beside(one.port, 'CONFIG', 'SET', 'maxmemory', '0')
  t.strictSame(await store.set([value('other', 'v')]), [true])
})

/** A reader that waits, and is heard by the server. */
async function waitingRead({ store, namespace }: Pair): Promise<Promise<readonly (string | undefined)[]>[]> {
  const reading = store.read([{ topic: 't' }], { waitMs: FOREVER_MS })
  await isListened(namespace, 1)
  return [reading.then(([found]) => found!.map(one => text(one.value)))]
}
async function isListened(namespace: string, count: number): Promise<void> {
  const found = async () => ((await sound.ask('PUBSUB', 'SHARDCHANNELS', `{${namespace}:*`)) as Buffer[]).length
  while ((await found()) !== count) await turns(1)
}
const append = ({ other }: Pair, words: string) => other.append([{ topic: 't', value: bytes(words), ttlMs: TTL_MS }])

t.test('a read that waits is woken across a broken connection', async t => {
  for (const how of ['rst', 'fin'] as const)
    t.test(`what is appended after it broke, ${how}`, async t => {
      await using pair = await openPair()
      const [reading] = await waitingRead(pair)
      await pair.proxy.cut(how)
      await append(pair, 'v')
      t.strictSame(await reading, ['v'])
      await isListened(pair.namespace, 0)
    })
  t.test('what is appended while there is no way to the server', async t => {
    await using pair = await openPair()
    const [reading] = await waitingRead(pair)
    pair.proxy.repoint({ port: 1 })
    await pair.proxy.cut()
    await isListened(pair.namespace, 0)
    await append(pair, 'v')
    pair.proxy.repoint({ port: server.port })
    t.strictSame(await reading, ['v'])
  })
  t.test('what is appended while the connection says nothing', async t => {
    await using pair = await openPair(100)
    const [reading] = await waitingRead(pair)
    pair.proxy.silence('both')
    await append(pair, 'v')
    pair.proxy.heal()
    t.strictSame(await reading, ['v'])
  })
})

t.test('a server that is restarted: a read that waits goes on, and cursors stay good', async t => {
  await using one = await startDaemon(redis({ appendfsync: 'always' }))
  await using link = linkTo(urlOf(one))
  await using store = open(link, 'restart')
  const append = (words: string) => store.append([{ topic: 't', value: bytes(words), ttlMs: TTL_MS }])
  await append('one')
  const [[first]] = (await store.read([{ topic: 't' }], { waitMs: 0 })) as unknown as [[{ readonly cursor: string }]]
  const reading = store.read([{ topic: 't', after: first.cursor }], { waitMs: FOREVER_MS })
  await one.kill()
  await one.start()
  await append('two')
  t.strictSame(
    (await reading)[0]!.map(({ value }) => text(value)),
    ['two'],
  )
})
