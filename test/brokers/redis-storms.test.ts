/** An app on Redis through weather: connections killed all the time, a slow network, a server that takes no more clients, one that is started again. */
import t from 'tap'
import type { Test } from 'tap'
import { redisBroker } from '../../brokers/redis/index.ts'
import { greenroom } from '../../index.ts'
import { systemClock } from '../../lib/clock.ts'
import { gate } from '../helpers/turns.ts'
import { startDaemon } from '../rig/daemon.ts'
import { openProxy } from '../rig/proxy.ts'
import { redis } from '../rig/redis.ts'
import { scanRedis } from '../rig/redis-scan.ts'
import { openResp } from '../rig/resp.ts'
import { weather } from '../rig/weather.ts'
import { listening } from './redis-faults.ts'

/** An app with one actor, which notes what it runs. */
function troupe(t: Test, port: number, replyTimeoutMs = 5_000) {
  const { log, lines, said } = listening(),
    broker = redisBroker({ url: `redis://127.0.0.1:${port}`, replyTimeoutMs, log }),
    app = greenroom({ broker, log })
  const runs: number[] = []
  let more = gate()
  const work = app.actor(
    async (n: number) => {
      runs.push(n)
      more.open()
      more = gate()
    },
    { name: 'work' },
  )
  const close = async () => {
    await app.close()
    await broker[Symbol.asyncDispose]()
  }
  t.teardown(close)
  return {
    app,
    work,
    runs,
    lines,
    said,
    close,
    async ran(count: number) {
      while (runs.length < count) await more.opened
    },
    /** Each message ran once, and nothing is left. */
    async judge(t: Test, count: number, serverPort = port) {
      t.equal(runs.length, count, 'runs')
      t.equal(new Set(runs).size, count, 'different ones')
      const { counts, wrong } = await scanRedis(serverPort)
      t.strictSame(counts, {})
      t.strictSame(wrong, [])
    },
  }
}
const upTo = (count: number) => Array.from({ length: count }, (_, n): [number] => [n])

t.test(
  'all connections killed, again and again: sends and runs go on, each message runs once, and no handle is left',
  async t => {
    await using server = await startDaemon(redis())
    using resp = await openResp(server.port)
    const before = process.getActiveResourcesInfo().length
    const { app, work, ran, judge, close } = troupe(t, server.port)
    const worker = await app.work({ concurrency: 4 })
    const KILLS = 15
    let sent = 0
    for (let kills = 0; kills < KILLS; kills++) {
      const sending = Array.from({ length: 20 }, () => work.send(sent++))
      await ran(sent - 30 < 1 ? 1 : sent - 30)
      t.ok(Number(await resp.ask('CLIENT', 'KILL', 'TYPE', 'normal')) >= 0)
      await resp.ask('CLIENT', 'KILL', 'TYPE', 'pubsub')
      await Promise.all(sending)
    }
    await ran(sent)
    await worker.close()
    await judge(t, sent)
    await close()
    t.ok(process.getActiveResourcesInfo().length <= before, process.getActiveResourcesInfo().join())
  },
)

t.test('a server that takes no more clients: it is tried again, and it goes on as soon as there is room', async t => {
  await using server = await startDaemon(redis())
  using resp = await openResp(server.port)
  const { app, work, ran, judge, said, lines } = troupe(t, server.port)
  const worker = await app.work()
  await work.sendMany(upTo(3))
  await ran(3)
  await resp.ask('CONFIG', 'SET', 'maxclients', '1')
  const before = lines.length
  await resp.ask('CLIENT', 'KILL', 'TYPE', 'normal')
  const sending = work.send(3)
  await said(/max number of clients/, before)
  await resp.ask('CONFIG', 'SET', 'maxclients', '1000')
  await sending
  await ran(4)
  await worker.close()
  await judge(t, 4)
})

t.test('a slow network, in small pieces: all arrives, in order, and many messages share a trip', async t => {
  await using server = await startDaemon(redis())
  await using proxy = await openProxy({ to: server, seed: 17 })
  const { app, work, ran, runs, judge } = troupe(t, proxy.port)
  const COUNT = 400
  await work.sendMany(upTo(1))
  proxy.delay(20, 20)
  proxy.fragment(7)
  const worker = await app.work({ concurrency: 20 })
  await work.sendMany(upTo(COUNT).slice(1))
  await ran(COUNT)
  await worker.close()
  t.strictSame(runs, upTo(COUNT).flat())
  await judge(t, COUNT, server.port)
  using resp = await openResp(server.port)
  const [, calls] = /cmdstat_evalsha:calls=(\d+)/.exec(String(await resp.ask('INFO', 'commandstats')))!
  t.ok(Number(calls) < COUNT / 4, `${calls} calls for ${COUNT} messages`)
})

t.test('weather: cuts, resets, lost replies, silence, delays. What was sent runs once, as its worker lives', async t => {
  await using server = await startDaemon(redis())
  await using proxy = await openProxy({ to: server, seed: 11 })
  const { app, work, ran, runs, judge } = troupe(t, proxy.port, 150)
  const worker = await app.work({ concurrency: 8 })
  const faults: string[] = [],
    over = new AbortController()
  const storms = weather(proxy, {
    seed: 11,
    clock: systemClock,
    signal: over.signal,
    calmMs: 150,
    stormMs: 300,
    note: ({ what }) => faults.push(what),
  })
  let sent = 0
  while (faults.length < 25) {
    await Promise.all(Array.from({ length: 10 }, () => work.send(sent++)))
    await ran(Math.max(1, sent - 100))
  }
  over.abort()
  await storms
  await ran(sent)
  await worker.close()
  t.equal(runs.length, sent, faults.join())
  await judge(t, sent, server.port)
})

t.test('a server that was away: the worker goes on by itself, well within five seconds of its return', async t => {
  await using server = await startDaemon(redis({ appendfsync: 'always' }))
  const { app, work, ran, judge, said } = troupe(t, server.port)
  const worker = await app.work()
  await work.sendMany(upTo(2))
  await ran(2)
  const took: number[] = []
  for (let n = 2; n < 5; n++) {
    await server.kill()
    await said(/ECONNREFUSED/)
    const sending = work.send(n)
    await server.start()
    const since = systemClock.monotonic()
    await sending
    await ran(n + 1)
    took.push(Math.round(systemClock.monotonic() - since))
  }
  t.ok(Math.max(...took) < 5_000, `${took} ms`)
  t.comment(`from the server's return to the first run: ${took} ms`)
  await worker.close()
  await judge(t, 5)
})
