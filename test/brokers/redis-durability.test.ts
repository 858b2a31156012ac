/** What a server keeps is read from its settings: told when a worker starts, and refused with `strict`. */
import t from 'tap'
import { redisBrokerOf } from '../../brokers/redis/broker-url.ts'
import { lacksOf, report, serverOf } from '../../brokers/redis/durability.ts'
import { redisBroker } from '../../brokers/redis/index.ts'
import type { Link } from '../../brokers/redis/link.ts'
import { greenroom } from '../../index.ts'
import { keepLines } from '../helpers/recorder.ts'
import { startDaemon } from '../rig/daemon.ts'
import { redis } from '../rig/redis.ts'
import { openResp } from '../rig/resp.ts'

const consuming = { queues: ['mail'], credit: 1, leaseMs: 30_000, onLost() {} }

/** Two consumers of one broker on it: what is logged about the server. */
async function told(port: number, url = `redis://127.0.0.1:${port}`) {
  const { log, lines } = keepLines()
  await using broker = redisBroker({ url, log })
  await broker.consume(consuming)
  await broker.consume(consuming)
  return lines.map(({ level, facts, text }) => ({ level, text, facts }))
}

t.test('a durable server is told in one line, once a broker', async t => {
  await using server = await startDaemon(redis({ 'maxmemory-policy': 'noeviction' }))
  const [line, ...others] = await told(server.port)
  t.strictSame(others, [])
  t.match(line, {
    level: 'info',
    text: 'what this Redis keeps',
    facts: {
      appendonly: true,
      appendfsync: 'everysec',
      maxmemoryPolicy: 'noeviction',
      role: 'master',
      replicas: 0,
      version: /^\d+\.\d+/,
    },
  })
  await using broker = redisBroker({ url: `redis://127.0.0.1:${server.port}`, strict: true, log: keepLines().log })
  t.ok(await broker.consume(consuming), 'strict has nothing to say')
})

t.test('each promise that does not hold is a warning with its fix, and with strict they are one error', async t => {
  await using server = await startDaemon(redis({ appendonly: 'no', 'maxmemory-policy': 'allkeys-lru' }))
  const warnings = (await told(server.port)).filter(({ level }) => level === 'warn').map(({ text }) => text)
  t.strictSame(warnings, [
    'it keeps nothing on disk: acknowledged messages end with the process of the server. Set appendonly yes',
    'maxmemory-policy is allkeys-lru: when memory is full it deletes messages. Set maxmemory-policy noeviction: then sends are refused, and workers drain it',
  ])
  const app = greenroom({ broker: `redis://127.0.0.1:${server.port}?strict=true`, log: keepLines().log })
  app.actor(async () => {}, { name: 'resize' })
  await t.rejects(app.work(), {
    code: 'BROKER_INVALID',
    retryable: false,
    message:
      /does not keep all promises: it keeps nothing on disk.*; maxmemory-policy is allkeys-lru.* Set appendonly yes\. Set maxmemory-policy noeviction/,
  })
  t.ok(await app.declare('resize').send(), 'who only sends is not asked')
  using resp = await openResp(server.port)
  await resp.ask('CONFIG', 'SET', 'appendonly', 'yes', 'maxmemory-policy', 'noeviction')
  await (await app.work()).close()
  await app.close()
})

t.test('snapshots alone, and a file that is never flushed, are told of', async t => {
  await using server = await startDaemon(redis({ appendonly: 'no', save: '3600 1' }))
  const warnings = async () => (await told(server.port)).filter(({ level }) => level === 'warn').map(({ text }) => text)
  t.match(await warnings(), [/^appendonly is no: what was acknowledged since the last snapshot ends with .* Set appendonly yes$/])
  using resp = await openResp(server.port)
  await resp.ask('CONFIG', 'SET', 'appendonly', 'yes', 'appendfsync', 'no')
  t.match(await warnings(), [/^appendfsync is no: a power cut may cost .* Set appendfsync everysec/])
})

t.test('who may not read CONFIG is told less, and who may not read INFO is told so', async t => {
  await using server = await startDaemon(redis({ save: '' }))
  using resp = await openResp(server.port)
  await resp.ask('ACL', 'SETUSER', 'worker', 'on', '>secret', '~*', '&*', '+@all', '-config')
  const url = `redis://worker:secret@127.0.0.1:${server.port}`
  t.match(await told(server.port, url), [{ level: 'info', facts: { appendonly: true, appendfsync: undefined } }])
  await resp.ask('ACL', 'SETUSER', 'worker', '-info')
  t.match(await told(server.port, url), [{ level: 'warn', text: /^its user may not read INFO, .* Give it \+info/ }])
  await using broker = redisBroker({ url, strict: true, log: keepLines().log })
  await t.rejects(broker.consume(consuming), { code: 'BROKER_INVALID', message: /may not read INFO/ })
})

t.test('from the text of INFO alone', async t => {
  const server = (more: string) => serverOf(`# Server\r\nredis_version:7.2.4\r\nrole:master\r\naof_enabled:1\r\n${more}`)
  t.strictSame(lacksOf(server('maxmemory_policy:noeviction\r\n')), [])
  t.match(lacksOf(server('maxmemory_policy:volatile-lru\r\n')), [{ what: /volatile-lru: .* ids that may not come again$/ }])
  t.match(lacksOf(serverOf('role:slave\r\naof_enabled:1\r\n')), [{ what: /is a replica/, fix: /URL of its master/ }])
  t.match(server('server_name:valkey\r\nvalkey_version:8.0.1\r\n'), { product: 'Valkey', version: '8.0.1', isNew: true })
  t.match(serverOf('redis_version:6.2.14\r\n'), { product: 'Redis', version: '6.2.14', isNew: false })
  t.equal(serverOf('redis_version:10.0.0\r\n').isNew, true)
})

t.test('a server that is too old is refused, strict or not', async t => {
  const ask = async (command: string) => (command === 'INFO' ? Buffer.from('redis_version:6.2.14\r\naof_enabled:1\r\n') : [])
  const link = { name: 'redis://old:6379/0', ask } as unknown as Link
  const { log, lines } = keepLines()
  await t.rejects(report(link, { strict: false, log }), {
    code: 'BROKER_INVALID',
    message: 'redis://old:6379/0 is Redis 6.2.14. It must be Redis 7.0 or Valkey 7.2, or later [BROKER_INVALID]',
  })
  t.strictSame(lines, [])
})

t.test('strict and the other parameters of the URL are what they are, or refused without it', async t => {
  const services = { namespace: 'x', log: keepLines().log } as never
  t.throws(() => redisBrokerOf('redis://h?strict=yes', services), {
    code: 'BROKER_INVALID',
    message: /^strict cannot be "yes" in the URL of the Redis broker\. It is true or false/,
  })
  t.throws(() => redisBrokerOf('redis://h?maxDead=-1', services), { code: 'BROKER_INVALID', message: /above 0/ })
  t.throws(() => redisBroker({ url: 'redis://h', strict: 1 as never }), { code: 'OPTION_INVALID', message: /true or false/ })
})
