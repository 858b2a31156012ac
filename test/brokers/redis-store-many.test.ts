/** The store on Redis: many entries, and large ones. */
import t from 'tap'
import type { Link } from '../../brokers/redis/link.ts'
import { redisStore } from '../../brokers/redis/store.ts'
import { systemClock } from '../../lib/clock.ts'
import { systemRandom } from '../../lib/ids.ts'
import type { Store } from '../../lib/store.ts'
import { type Daemon, startDaemon } from '../rig/daemon.ts'
import { redis } from '../rig/redis.ts'
import { linkTo, urlOf } from './redis-links.ts'
import { bytes, readAll, text, TTL_MS } from './redis-stores.ts'

let server: Daemon, link: Link
t.before(async () => {
  server = await startDaemon(redis({ appendonly: 'no' }))
  link = linkTo(urlOf(server))
})
t.teardown(async () => {
  await link[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
})
const open = (namespace: string): Store => redisStore({ link, namespace, clock: systemClock, random: systemRandom })

t.test('a call may hold many: they are set, appended and dropped in their order, also where a value is large', async t => {
  await using store = open('many')
  const all = Array.from({ length: 2_500 }, (_, n) => `${n}`),
    large = Buffer.alloc(1_500_000, 'x')
  const twice = [...all, ...all].map((key, at) => ({ key, value: at === 10 ? large : bytes(`${at}`), ttlMs: TTL_MS }))
  t.notOk((await store.set(twice)).includes(false))
  t.strictSame(
    (await store.get(all)).map(text),
    Array.from(all, key => `${2_500 + Number(key)}`),
  )
  await store.append(all.map(value => ({ topic: 't', value: value === '10' ? large : bytes(value), ttlMs: TTL_MS })))
  const found = await readAll(store, 't')
  t.strictSame(
    found.map(value => (value.length > 9 ? '10' : text(value))),
    all,
  )
  t.strictSame(await store.drop([...all, '0'].map(key => ({ key }))), [...all.map(() => true), false])
})

t.test('large entries of a topic, and large members of a set, come in several pages', async t => {
  await using store = open('large')
  const all = Array.from({ length: 12 }, (_, n) => Buffer.alloc(1_000_000, `${n % 10}`))
  await store.append(all.map(value => ({ topic: 't', value, ttlMs: TTL_MS })))
  const [first] = await store.read([{ topic: 't' }], { waitMs: 0 })
  t.ok(first!.length < 8, `${first!.length} MB at once`)
  t.ok((await readAll(store, 't')).every((value, at) => all[at]!.equals(value)))
  await store.gather(all.map((value, at) => ({ key: 's', member: `m${at + 10}`, value, size: 20, ttlMs: TTL_MS })))
  const found: Uint8Array[] = []
  for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
    const page = await store.members('s', cursor)
    t.ok(page.members.length < 8, `${page.members.length} MB at once`)
    found.push(...page.members.map(({ value }) => value!))
    cursor = page.cursor
  }
  t.ok(found.length === 12 && found.every((value, at) => all[at]!.equals(value)))
})

t.test('a topic keeps its newest 100,000 entries', async t => {
  await using store = open('long')
  const batch = Array.from({ length: 10_000 }, () => ({ topic: 'control', value: new Uint8Array(0), ttlMs: TTL_MS }))
  await store.append(batch.slice(0, 1))
  const oldest = async () => BigInt((await store.read([{ topic: 'control' }], { waitMs: 0 }))[0]![0]!.cursor)
  const first = await oldest()
  for (let appended = 0; appended < 12; appended++) await store.append(batch)
  t.equal((await oldest()) - first, 20_001n)
  t.equal((await readAll(store, 'control')).length, 100_000)
})
