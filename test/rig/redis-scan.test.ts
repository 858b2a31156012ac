/** The scan of a Redis server: finds every message, and names everything that is wrong. */
import t from 'tap'
import { redisBroker } from '../../brokers/redis/index.ts'
import { consume, envelope, never } from '../brokers/embedded-target.ts'
import { type Daemon, startDaemon } from './daemon.ts'
import { noLog } from './no-log.ts'
import { redis } from './redis.ts'
import { scanRedis } from './redis-scan.ts'
import { openResp } from './resp.ts'

let server: Daemon
t.before(async () => {
  server = await startDaemon(redis())
})
t.teardown(() => server[Symbol.asyncDispose]())

/** A broker with a message in each place, in a namespace of its own. */
async function filled(namespace: string) {
  const broker = redisBroker({ url: `redis://127.0.0.1:${server.port}`, namespace, log: noLog })
  await broker.open(['q', 'other'])
  await broker.push(['dead', 'held'].map(id => envelope(id)))
  const consumer = await consume(broker)
  const [dead] = await consumer.take(2, { waitMs: 0, signal: never })
  await consumer.settle([{ token: dead!.token, kind: 'dead', reason: 'no' }])
  await broker.push([
    envelope('later', { due: { afterMs: 60_000 }, onceMs: 60_000 }),
    envelope('late', { priority: 2 }),
    envelope('soon', { priority: 0, attempt: 3 }),
    envelope('elsewhere', { queue: 'other' }),
  ])
  return broker
}

t.test('each message is found where it is, and nothing is wrong', async t => {
  await using broker = await filled('right')
  const { messages, ids, counts, wrong } = await scanRedis(server.port, 'right')
  t.strictSame(wrong, [])
  t.strictSame(counts, { ready: 3, delayed: 1, leased: 1, dead: 1 })
  t.strictSame(ids('ready', 'q'), ['soon', 'late'])
  t.strictSame(ids('ready'), ['elsewhere', 'soon', 'late'])
  t.strictSame([ids('delayed'), ids('leased'), ids('dead')], [['later'], ['held'], ['dead']])
  t.match(
    messages.find(({ id }) => id === 'soon'),
    { queue: 'q', attempt: 3, lapses: 0 },
  )
  t.match(broker.name, /redis/)
})

const TAG = (namespace: string) => `{${namespace}:q}:`
const COPY = "redis.call('HSET', KEYS[2], 'other', redis.call('HGET', KEYS[1], 'dead')) redis.call('DEL', KEYS[1])"
const UNNUMBERED = "redis.call('HDEL', ARGV[1] .. 'leased:' .. redis.call('ZRANGE', KEYS[1], 0, 0)[1], '#')"
for (const [what, commands, expected] of [
  ['unknown', tag => [['SET', `${tag}novel`, '1', 'PX', '9999']], /nobody knows: .*novel/],
  ['untagged', () => [['SET', 'stray', '1']], /nobody knows: stray/],
  ['type', tag => [['SADD', `${tag}again`, 'x']], /again is no list/],
  ['twice', tag => [['COPY', `${tag}r0`, `${tag}again`]], /soon is in two places: suspect of q and ready of q/],
  ['bodiless', tag => [['ZADD', `${tag}delayed`, '5', 'gone']], /delayed has gone without a body/],
  ['member', tag => [['ZREM', `${tag}delayed`, 'later']], /delayed:b has a body of later, which is nowhere/],
  [
    'mixed',
    tag => [
      ['ZADD', `${tag}dead`, '5', 'other'],
      ['RENAME', `${tag}dead:b`, `${tag}x`],
      ['EVAL', COPY, '2', `${tag}x`, `${tag}dead:b`],
    ],
    /member other has the body of dead/,
  ],
  ['row', tag => [['DEL', `${tag}leases`]], /leased:\S+ is there without its row/],
  ['joined', tag => [['ZADD', `${tag}leases`, '5', 'nobody']], /leases has nobody, which never joined/],
  ['number', tag => [['EVAL', UNNUMBERED, '1', `${tag}leases`, tag]], /leased:\S+ has no number/],
  ['mark', tag => [['PERSIST', `${tag}once:later`]], /once:later never expires/],
  ['marks', tag => [['DEL', `${tag}onces`]], /once:later is there without/],
  ['token', tag => [['SET', `${tag}tok:x:0`, 'words', 'PX', '9999']], /tok:x:0 is no token/],
  ['meta', tag => [['HSET', `${tag}meta`, 'color', 'red']], /meta has color/],
  ['hole', tag => [['RPUSH', `${tag}r1`, '']], /r1 has 1 holes, and 0 are counted/],
  ['queue', () => [['SREM', '{queue:}:queues', 'q']], /nobody looks after q/],
] as const satisfies readonly (readonly [string, (tag: string) => string[][], RegExp])[])
  t.test(`it names what is wrong: ${what}`, async t => {
    await using broker = await filled(what)
    t.ok(broker)
    using resp = await openResp(server.port)
    for (const words of commands(TAG(what))) await resp.ask(...words)
    const { wrong } = await scanRedis(server.port, what)
    t.ok(
      wrong.some(line => expected.test(line)),
      wrong.join('; '),
    )
    if (what === 'untagged') await resp.ask('DEL', 'stray')
  })
