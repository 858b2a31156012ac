/** The store on Redis keeps all the rules, on a clock that the rules move; and what it makes of keys, memory and many entries. */
import t, { type Test } from 'tap'
import type { Link } from '../../brokers/redis/link.ts'
import { redisStore } from '../../brokers/redis/store.ts'
import { runStoreRules, storeRules } from '../../conformance.ts'
import type { StoreTarget } from '../../conformance.ts'
import { systemRandom } from '../../lib/ids.ts'
import { acquire, type LimitState, release } from '../../lib/limits.ts'
import { type MovingClock, movingClock } from '../../lib/moving-clock.ts'
import type { Limit, Store } from '../../lib/store.ts'
import { turns } from '../helpers/turns.ts'
import { oneOf, seeded, whole } from '../rig/random.ts'
import { type RedisAt, redisAt } from '../rig/redis-at.ts'
import { linkTo, urlOf } from './redis-links.ts'
import { bytes, readAll, tagOf, text, TTL_MS } from './redis-stores.ts'

let server: RedisAt, clock: MovingClock, link: Link
t.before(async () => {
  server = await redisAt()
  clock = movingClock(server.now())
  link = linkTo(urlOf(server))
})
t.teardown(async () => {
  await link[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
})

const open = (namespace: string, over = link): Store => redisStore({ link: over, namespace, clock, random: systemRandom })
async function advance(ms: number): Promise<void> {
  server.advance(ms)
  clock.advance(ms)
  await turns(1)
}
/** The link, with something else in it. */
const linkWith = (change: Partial<Link>): Link => ({
  name: link.name,
  lives: 1,
  oneSlot: true,
  isUp: true,
  up: signal => link.up(signal),
  run: (...call) => link.run(...call),
  ask: (...call) => link.ask(...call),
  listen: (...call) => link.listen(...call),
  async [Symbol.asyncDispose]() {},
  ...change,
})
/** As a Cluster is: it refuses keys of two hash tags. */
function sharded(): Link {
  const check = (keys: readonly unknown[]) => {
    if (new Set(keys.map(key => tagOf(String(key)))).size > 1) throw new Error(`CROSSSLOT ${keys.join(' ')}`)
  }
  return linkWith({
    oneSlot: false,
    async run(script, keys, args) {
      check(keys)
      return link.run(script, keys, args)
    },
    async ask(command, ...keys) {
      check(keys)
      return link.ask(command, ...keys)
    },
  })
}

for (const [where, linked] of [
  ['one server', () => link],
  ['a Cluster, where no call may have keys of two slots', sharded],
] as const) {
  t.test(`every rule of stores, on ${where}`, async t => {
    const over = linked(),
      excluded: string[] = []
    const target: StoreTarget = { shared: true, open: async (namespace = 'conformance') => open(namespace, over), advance }
    await runStoreRules(storeRules, target, (rule, verdict) => {
      if (verdict.kind === 'excluded') return excluded.push(rule)
      return t.test(rule, async t => {
        if (verdict.kind === 'failed') throw verdict.error
        t.pass()
      })
    })
    t.test('no rule was left out, and no timer is left', async t => {
      t.strictSame(excluded, [])
      t.equal(clock.pending, 0)
    })
  })
}

t.test('limits answer as lib/limits.ts does, whatever they are asked', async t => {
  const seed = Math.floor(systemRandom() * 2 ** 32),
    random = seeded(seed)
  await using store = open('limits')
  const limits: readonly [Limit, ...Limit[]] = [
    { kind: 'sliding', limit: 3, windowMs: 1_000 },
    { kind: 'sliding', limit: 1, windowMs: 40_000 },
    { kind: 'fixed', limit: 2, windowMs: 700 },
    { kind: 'bucket', rate: 3, perMs: 1_000, burst: 4 },
    { kind: 'slots', max: 2, leaseMs: 5_000 },
    { kind: 'slots', max: 3, leaseMs: 50_000 },
  ]
  let key = '',
    limit: Limit = limits[0],
    state: LimitState | undefined,
    endsAt = Infinity,
    checked = 0
  for (let step = 0; step < 2_000; step++) {
    if (step % 100 === 0) {
      // Half of the time the limit of a key becomes one of another kind.
      if (step % 200 === 0) [key, state] = [`limit ${step}`, undefined]
      const before = limit.kind
      do limit = oneOf(random, limits)
      while (limit.kind === before)
    }
    const ticket = `t${whole(random, 0, 9)}`,
      chance = random(),
      now = clock.now()
    if (now >= endsAt) state = undefined
    if (chance < 0.1) {
      await store.release([{ key, ticket }])
      state &&= release(state, ticket, now)
    } else {
      const [waitMs] = await store.acquire([{ key, ticket, limit }]),
        expected = acquire(state, ticket, limit, now)
      // How long slots are held is forgotten with them; all else that ends does not matter any more, so here it is kept.
      ;[state, endsAt] = [expected.state, limit.kind === 'slots' ? now + expected.keepMs + 1 : Infinity]
      if (waitMs !== expected.waitMs)
        return t.fail(`seed ${seed}, step ${step}: ${ticket} at ${limit.kind} was told ${waitMs}, not ${expected.waitMs}`)
    }
    if (step % 20 === 0) {
      const ends = (await keysOf('limits')).filter(one => one.key.endsWith(`:${key}`)).map(({ ttlMs }) => ttlMs)
      if (new Set(ends).size > 1 || ends.includes(-1)) return t.fail(`seed ${seed}, step ${step}: its keys end in ${ends} ms`)
      if (ends.length > 1) checked++
    }
    if (chance > 0.5) await advance(whole(random, 0, random() < 0.02 ? 70_000 : 400))
  }
  t.ok(checked > 0)
})

t.test('names are kept apart, whatever they hold, and all keys of one have its hash tag and an end', async t => {
  await using store = open('names')
  const names = [
    ...Array.from({ length: 300 }, (_, n) => `n${n}`),
    '',
    '}',
    '{b}',
    'a:{',
    '}:g:x',
    'gv:x',
    'g:x',
    'x',
    '\0',
    'é\n',
    '='.repeat(200),
    ...Array.from({ length: 300 }, (_, n) => `${'long'.repeat(50)}${n}`),
  ]
  const topics = names.map(topic => ({ topic })),
    limit: Limit = { kind: 'sliding', limit: 1, windowMs: 1_000 },
    asks = (ticket: string) => names.map(key => ({ key, ticket, limit }))
  const value = (name: string) => bytes(`of ${name}`)
  t.notOk((await store.set(names.map(key => ({ key, value: value(key), ttlMs: TTL_MS })))).includes(false))
  await store.gather(names.map(key => ({ key, member: key, value: value(key), size: 2, ttlMs: TTL_MS })))
  await store.append(names.map(topic => ({ topic, value: value(topic), ttlMs: TTL_MS })))
  t.strictSame(new Set(await store.acquire(asks('a'))), new Set([0]))
  t.strictSame(new Set(await store.acquire(asks('b'))), new Set([1_000]))
  await store.acquire(names.map(key => ({ key: `slots ${key}`, ticket: key, limit: { kind: 'slots', max: 1, leaseMs: TTL_MS } })))
  const expected = names.map(name => `of ${name}`)
  t.strictSame((await store.get(names)).map(text), expected)
  t.strictSame(
    (await store.read(topics, { waitMs: 0 })).map(found => found.map(one => text(one.value)).join()),
    expected,
  )
  for (const name of names.slice(290, 320))
    t.strictSame((await store.members(name)).members, [{ member: name, value: value(name) }], name)
  const keys = await keysOf('names')
  t.strictSame(
    keys.filter(({ key, ttlMs }) => !tagOf(key) || ttlMs <= 0),
    [],
  )
  t.ok(new Set(keys.map(({ key }) => tagOf(key))).size > 200, 'they are spread over the tags')
  const words = new Set(keys.map(({ key }) => key.slice(tagOf(key)!.length).split(':')[0]))
  t.strictSame(words, new Set(['v', 'g', 'gv', 'l', 'w', 'q', 'p', 'h', 't', 'tok']))
  await store.release(names.flatMap(key => ['a', 'b'].map(ticket => ({ key, ticket }))))
  await advance(TTL_MS + 600_000)
  t.strictSame(await keysOf('names'), [], 'all has ended')
})

/** All keys of a namespace, and how long they have. */
async function keysOf(namespace: string) {
  const found: { key: string; ttlMs: number }[] = []
  let cursor = '0'
  do {
    const [next, keys] = (await link.ask('SCAN', cursor, 'MATCH', `{${namespace}:*`, 'COUNT', 1_000)) as [Buffer, Buffer[]]
    cursor = String(next)
    const ttls = await Promise.all(keys.map(key => link.ask('PTTL', key)))
    // One that has ended and was not deleted yet is listed.
    for (const [at, key] of keys.entries()) if (ttls[at] !== -2) found.push({ key: String(key), ttlMs: Number(ttls[at]) })
  } while (cursor !== '0')
  return found
}

t.test(
  'what has ended is found to be so however much of it stands before something that lives, and leaves with the next',
  async t => {
    await using store = open('ended')
    const short = Array.from({ length: 25_000 }, () => ({ topic: 't', value: bytes('short'), ttlMs: 1_000 }))
    await store.append([...short, { topic: 't', value: bytes('long'), ttlMs: TTL_MS }])
    await advance(1_001)
    t.strictSame((await readAll(store, 't')).map(text), ['long'])
    const size = async () =>
      Number(await link.ask('MEMORY', 'USAGE', (await keysOf('ended')).find(({ key }) => key.endsWith(':t:t'))!.key))
    const before = await size()
    for (let n = 0; n < 400; n++) await store.append([{ topic: 't', value: bytes('more'), ttlMs: TTL_MS }])
    t.ok((await size()) < before / 10, 'appending lets go of it')
    t.equal((await readAll(store, 't')).length, 401)
  },
)

t.test('what ends too late for a number of Redis, or at once, is no trouble', async t => {
  await using store = open('ttl')
  const forever = Number.MAX_SAFE_INTEGER
  for (const ttlMs of [forever, 1e300, 0.5]) {
    t.strictSame(await store.set([{ key: `${ttlMs}`, value: bytes('v'), ttlMs }]), [true])
    await store.append([{ topic: `${ttlMs}`, value: bytes('v'), ttlMs }])
    await store.gather([{ key: `${ttlMs}`, member: 'm', size: 1, ttlMs }])
  }
  t.strictSame(await store.acquire([{ key: 'k', ticket: 'a', limit: { kind: 'slots', max: 1, leaseMs: forever } }]), [0])
  await advance(2)
  t.strictSame((await store.get([`${forever}`, '1e+300', '0.5'])).map(text), ['v', 'v', undefined])
  t.strictSame(
    (await store.read([{ topic: '0.5' }, { topic: '1e+300' }], { waitMs: 0 })).map(found => found.length),
    [0, 1],
  )
})

t.test('a read that waits asks nothing until it is woken, and then once', async t => {
  await using store = open('wait')
  let runs = 0
  const counting = linkWith({
    run(...call) {
      runs++
      return link.run(...call)
    },
  })
  const refs: boolean[] = []
  const after: typeof clock.after = (ms, fn, options) => {
    refs.push(options?.ref ?? true)
    return clock.after(ms, fn)
  }
  await using waiting = redisStore({ link: counting, namespace: 'wait', clock: { ...clock, after }, random: systemRandom })
  const reading = waiting.read([{ topic: 't' }], { waitMs: 100_000_000 })
  await isListening(t, 'wait')
  while (runs < 2) await turns(1)
  for (let n = 0; n < 100; n++) {
    clock.advance(900_000)
    await turns(1)
  }
  t.equal(runs, 2, 'before and after it began to listen')
  await store.append([{ topic: 't', value: bytes('v'), ttlMs: TTL_MS }])
  t.strictSame(
    (await reading)[0]!.map(({ value }) => text(value)),
    ['v'],
  )
  t.equal(runs, 3)
  t.equal(clock.pending, 0)
  t.strictSame(refs, [false], 'and keeps no process alive')
  await isListening(t, 'wait', 0)
})

async function isListening(t: Test, namespace: string, count = 1): Promise<void> {
  for (;;) {
    const channels = (await link.ask('PUBSUB', 'SHARDCHANNELS', `{${namespace}:*`)) as Buffer[]
    if (channels.length === count) {
      t.ok(channels.every(channel => tagOf(String(channel))))
      return
    }
    await turns(1)
  }
}
