/** A server whose memory is full: sends are refused, and workers, also new ones, drain it. */
import t from 'tap'
import { redisBroker } from '../../brokers/redis/index.ts'
import { greenroom } from '../../index.ts'
import { keepLines } from '../helpers/recorder.ts'
import { startDaemon } from '../rig/daemon.ts'
import { redis } from '../rig/redis.ts'
import { openResp } from '../rig/resp.ts'

t.test('a worker that starts while memory is full runs what is there, and sends go on when there is room', async t => {
  await using server = await startDaemon(redis())
  using resp = await openResp(server.port)
  const memory = (bytes: string) => resp.ask('CONFIG', 'SET', 'maxmemory', bytes)
  const broker = `redis://127.0.0.1:${server.port}`
  const sender = greenroom({ broker, log: keepLines().log }),
    late = greenroom({ broker, log: keepLines().log }),
    other = greenroom({ broker, log: keepLines().log })
  const ran: number[] = []
  const all = new Promise<void>(resolve => {
    other.actor(async (n: number) => void (ran.push(n) === 100 && resolve()), { name: 'count' })
  })
  const count = sender.declare<(n: number) => void>('count')
  await count.sendMany(Array.from({ length: 100 }, (_, n) => [n]))
  await memory('1')
  await t.rejects(count.send(100), { code: 'BROKER_FULL', retryable: true, stored: 'no' })
  const worker = await other.work()
  await all
  t.strictSame(
    ran.toSorted((a, b) => a - b),
    Array.from({ length: 100 }, (_, n) => n),
  )
  const mail = late.declare('mail', { queue: 'mail' })
  await t.rejects(mail.send(), { code: 'BROKER_FULL', stored: 'no' })
  t.strictSame(await resp.ask('SMEMBERS', '{greenroom:}:queues'), ['default'])
  await memory('0')
  await mail.send()
  t.strictSame(
    [...((await resp.ask('SMEMBERS', '{greenroom:}:queues')) as string[])].toSorted(),
    ['default', 'mail'],
    'its name is known then',
  )
  await worker.close()
  await Promise.all([sender.close(), late.close(), other.close()])
})

t.test('a broker that is closed while a push is under way answers it', async t => {
  await using server = await startDaemon(redis())
  const broker = redisBroker({ url: `redis://127.0.0.1:${server.port}`, log: keepLines().log })
  await broker.open(['mail'])
  server.pause() // so that it is not answered before
  const pushed = broker.push([{ id: '1', queue: 'mail', body: Buffer.from('{}'), attempt: 0, priority: 1 }])
  await broker[Symbol.asyncDispose]()
  t.match(await pushed, [{ code: 'BROKER_DOWN', stored: 'maybe' }])
  server.continue()
})
