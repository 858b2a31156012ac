/** The store on a real Redis Cluster: a batch goes to all nodes, who waits is woken, slots and nodes may go and come back. */
import t from 'tap'
import type { Link } from '../../brokers/redis/link.ts'
import { slotOf } from '../../brokers/redis/slots.ts'
import { redisStore } from '../../brokers/redis/store.ts'
import { storeKeys } from '../../brokers/redis/store-keys.ts'
import { systemClock } from '../../lib/clock.ts'
import { systemRandom } from '../../lib/ids.ts'
import type { Limit, Store } from '../../lib/store.ts'
import { turns } from '../helpers/turns.ts'
import type { Daemon } from '../rig/daemon.ts'
import { type RedisCluster, redisCluster } from '../rig/redis-cluster.ts'
import { beside, linkTo } from './redis-links.ts'
import { bytes, readAll, text, TTL_MS } from './redis-stores.ts'

const NAMES = Array.from({ length: 200 }, (_, n) => `n${n}`)

let cluster: RedisCluster, link: Link
t.before(async () => {
  cluster = await redisCluster()
  link = linkTo(`redis+cluster://${cluster.nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`)
})
t.teardown(async () => {
  await link[Symbol.asyncDispose]()
  await cluster[Symbol.asyncDispose]()
})
const open = (namespace: string): Store =>
  redisStore({ link, namespace, clock: systemClock, random: systemRandom, replyTimeoutMs: 60_000 })
const keyOf = (namespace: string, word: 'v' | 't', name: string) => storeKeys(namespace).keyOf(word, name)
const nodeOf = (key: string): Promise<Daemon> => cluster.ownerOf(slotOf(key))
const value = (key: string, words = key) => ({ key, value: bytes(words), ttlMs: TTL_MS })

t.test('every call takes a batch whose keys are on all nodes', async t => {
  await using store = open('all')
  t.notOk((await store.set(NAMES.map(name => value(name)))).includes(false))
  for (const { port } of cluster.nodes) t.ok(Number(await beside(port, 'DBSIZE')) > 20)
  t.strictSame((await store.get(NAMES)).map(text), NAMES)
  t.strictSame(await store.set([{ ...value('n0'), if: 'absent' }, value('n1'), { ...value('new'), if: 'absent' }]), [
    false,
    true,
    true,
  ])
  t.strictSame(new Set(await store.drop(NAMES.map(key => ({ key, if: bytes(key) })))), new Set([true]))
  const gathered = await store.gather(NAMES.map(key => ({ key, member: key, value: bytes(key), size: 1, ttlMs: TTL_MS })))
  t.ok(gathered.every(({ count, closer }) => count === 1 && closer))
  t.strictSame(await store.members('n7'), { members: [{ member: 'n7', value: bytes('n7') }] })
  const limits: readonly Limit[] = [
    { kind: 'slots', max: 1, leaseMs: TTL_MS },
    { kind: 'sliding', limit: 1, windowMs: TTL_MS },
    { kind: 'fixed', limit: 1, windowMs: 10 * TTL_MS },
    { kind: 'bucket', rate: 1, perMs: TTL_MS, burst: 1 },
  ]
  for (const limit of limits) {
    const ask = (ticket: string) => store.acquire(NAMES.map(name => ({ key: `${limit.kind} ${name}`, ticket, limit })))
    t.strictSame(new Set(await ask('a')), new Set([0]), limit.kind)
    t.notOk((await ask('b')).includes(0), limit.kind)
    await store.release(NAMES.flatMap(name => ['a', 'b'].map(ticket => ({ key: `${limit.kind} ${name}`, ticket }))))
  }
  await store.append([...NAMES, ...NAMES].map((topic, at) => ({ topic, value: bytes(`${topic} ${at}`), ttlMs: TTL_MS })))
  const found = await store.read(
    NAMES.map(topic => ({ topic })),
    { waitMs: 0 },
  )
  t.strictSame(
    found.map(entries => entries.map(entry => text(entry.value))),
    NAMES.map((name, at) => [`${name} ${at}`, `${name} ${at + NAMES.length}`]),
  )
})

t.test('a read of topics on all nodes is woken by any of them', async t => {
  await using store = open('wake')
  const topics = await onEachNode('wake', 't')
  for (const topic of topics) {
    const reading = store.read(
      topics.map(name => ({ topic: name })),
      { waitMs: 2 ** 40 },
    )
    await areListened('wake', topics.length)
    await store.append([{ topic, value: bytes(topic), ttlMs: 1_000_000 }])
    t.strictSame(
      (await reading).map(entries => entries.map(entry => text(entry.value))),
      topics.map(name => (name === topic ? [topic] : [])),
    )
    await beside((await nodeOf(keyOf('wake', 't', topic))).port, 'DEL', keyOf('wake', 't', topic))
    await areListened('wake', 0)
  }
})

/** A name for each node. */
async function onEachNode(namespace: string, word: 'v' | 't'): Promise<string[]> {
  const found = new Map<Daemon, string>()
  for (let n = 0; found.size < cluster.nodes.length; n++) {
    const node = await nodeOf(keyOf(namespace, word, `${n}`))
    if (!found.has(node)) found.set(node, `${n}`)
  }
  return [...found.values()]
}
async function areListened(namespace: string, count: number): Promise<void> {
  for (;;) {
    const channels = await Promise.all(
      cluster.nodes.map(({ port }) => beside(port, 'PUBSUB', 'SHARDCHANNELS', `{${namespace}:*`)),
    )
    if ((channels as unknown[][]).flat().length === count) return
    await turns(1)
  }
}

t.test('a slot that moves takes what is there along, and a read that waits follows it', async t => {
  await using store = open('moves')
  const key = keyOf('moves', 't', 'topic'),
    slot = slotOf(key),
    from = await cluster.ownerOf(slot),
    to = cluster.nodes.find(node => node !== from)!
  await store.append([{ topic: 'topic', value: bytes('one'), ttlMs: TTL_MS }])
  const [[first]] = (await store.read([{ topic: 'topic' }], { waitMs: 0 })) as unknown as [[{ readonly cursor: string }]]
  const reading = store.read([{ topic: 'topic', after: first.cursor }], { waitMs: 2 ** 40 })
  await areListened('moves', 1)
  await cluster.moveSlot(slot, to)
  await store.append([{ topic: 'topic', value: bytes('two'), ttlMs: TTL_MS }])
  t.strictSame(
    (await reading)[0]!.map(entry => text(entry.value)),
    ['two'],
  )
  t.strictSame((await readAll(store, 'topic')).map(text), ['one', 'two'])
  await cluster.moveSlot(slot, from)
})

t.test('while a node is away the keys of others are served, and its own when it is back', async t => {
  await using store = open('away')
  const names = await onEachNode('away', 'v'),
    gone = await nodeOf(keyOf('away', 'v', names[0]!))
  await store.set(names.map(name => value(name)))
  await gone.kill()
  t.strictSame((await store.get([names[1]!])).map(text), [names[1]])
  const all = store.set(names.map(name => value(name, 'again')))
  await gone.start()
  t.notOk((await all).includes(false))
  t.strictSame(
    (await store.get(names)).map(text),
    names.map(() => 'again'),
  )
})
