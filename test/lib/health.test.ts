/** `worker.health()`: what a worker says of itself in each state, and what it does to know whether its broker is there; and `maxMessages`. */
import t from 'tap'
import { memoryBroker } from '../../brokers/memory/index.ts'
import { current } from '../../index.ts'
import { systemClock } from '../../lib/clock.ts'
import { testing } from '../../testing.ts'
import { down, hangs } from '../helpers/faulty.ts'
import { open, openFaulty, openMoving } from '../helpers/open.ts'
import { gate, pass, turns } from '../helpers/turns.ts'

t.test('health() follows a worker from its start to its end', async t => {
  const { app, clock } = await openMoving(t)
  const end = gate()
  const wait = app.actor(() => end.opened, { name: 'wait' })
  const worker = await app.work({ concurrency: 2, grace: '10s' })
  t.strictSame(worker.health(), { state: 'working', running: 0, held: 0, stuck: 0, brokerMs: 0, lagMs: 0 })
  await wait.sendMany([[], [], []])
  await turns()
  t.match(worker.health(), { state: 'working', running: 2, held: 0 })
  const closing = worker.close()
  t.match(worker.health(), { state: 'draining', running: 2 })
  end.open()
  await closing
  t.match(worker.health(), { state: 'stopped', running: 0, held: 0, lagMs: 0 })
  clock.advance(60_000)
  t.match(worker.health(), { state: 'stopped', brokerMs: 60_000, lagMs: 0 }, 'the last answer was a minute ago')
})

t.test('an idle worker hears from its broker at each take', async t => {
  const { app, clock } = await openMoving(t)
  app.actor(() => {}, { name: 'none' })
  const worker = await app.work()
  let longest = 0
  for (let second = 0; second < 120; second++) {
    await pass(clock, 1_000)
    longest = Math.max(longest, worker.health().brokerMs)
  }
  t.ok(longest <= 5_000, `${longest} ms`)
})

t.test('a worker whose handlers all run for long asks by itself', async t => {
  const { app, clock, faults } = await openFaulty(t)
  const end = gate()
  const long = app.actor(() => end.opened, { name: 'long', timeLimit: '1h' })
  await long.sendMany([[], []])
  let asked = 0
  faults.before.counts = () => {
    asked++
  }
  const worker = await app.work({ concurrency: 2 })
  await pass(clock, 60_000)
  t.equal(worker.running, 2)
  t.ok(worker.health().brokerMs <= 4_500, `${worker.health().brokerMs} ms`)
  t.ok(asked >= 12 && asked <= 15, `${asked} times in a minute`)

  for (const fault of [down, hangs]) {
    faults.before.counts = fault
    const before = worker.health().brokerMs
    await pass(clock, 12_000)
    t.equal(worker.health().brokerMs, before + 12_000, 'a broker that is away shows')
  }
  faults.before.counts = () => {}
  await pass(clock, 5_000)
  t.ok(worker.health().brokerMs <= 4_500, 'and that it is back')
  end.open()
})

t.test('a broker that is away shows in an idle worker, and that it is back', async t => {
  const { app, clock, faults } = await openFaulty(t)
  app.actor(() => {}, { name: 'none' })
  const worker = await app.work()
  await pass(clock, 20_000)
  for (const fault of [down, hangs]) {
    const away = gate<void>()
    faults.before.take = fault === hangs ? () => away.opened : fault
    await pass(clock, 20_000)
    const { brokerMs, state } = worker.health()
    t.ok(brokerMs >= 15_000, `${brokerMs} ms: a count that is answered does not stand for a take that is not`)
    t.equal(state, 'working')
    faults.before.take = () => {}
    away.open()
    await pass(clock, 11_000)
    t.ok(worker.health().brokerMs <= 5_000)
  }
})

t.test('a broker that cannot be looked into costs nothing but the knowledge', async t => {
  const { app, clock } = await openMoving(t, clock => {
    const { inspector: _, ...broker } = memoryBroker({ clock })
    return { broker }
  })
  const end = gate()
  const long = app.actor(() => end.opened, { name: 'long', timeLimit: '1h' })
  await long.send()
  const worker = await app.work({ concurrency: 1 })
  await pass(clock, 30_000)
  t.ok(worker.health().brokerMs >= 25_000, `${worker.health().brokerMs} ms`)
  end.open()
  await pass(clock, 1_000)
  t.ok(worker.health().brokerMs <= 1_000)
})

t.test('handlers that pay no attention to their signal are counted as stuck until they end', async t => {
  const { app, clock } = await openMoving(t)
  const end = gate()
  const deaf = app.actor(() => end.opened, { name: 'deaf', timeLimit: '1s', maxRetries: 0 })
  await deaf.send()
  const worker = await app.work({ abortGrace: '2s' })
  await pass(clock, 2_900)
  t.match(worker.health(), { running: 1, stuck: 0 })
  await pass(clock, 200)
  t.match(worker.health(), { running: 0, stuck: 1 })
  end.open()
  await turns()
  t.match(worker.health(), { stuck: 0 })
})

t.test('lagMs says for how long the event loop was held up', async t => {
  const { app } = open(t)
  app.actor(() => {}, { name: 'none' })
  const worker = await app.work()
  const late = systemClock.monotonic() + 800
  while (systemClock.monotonic() < late);
  t.ok(worker.health().lagMs >= 200, 'at once, although its timer has not fired yet')
  await worker.close()
})

t.test('what passes before the first timer of a worker is no lag', async t => {
  const { app, clock } = await openMoving(t, clock => {
    const memory = memoryBroker({ clock })
    return {
      broker: {
        ...memory,
        async consume(options) {
          const consumer = await memory.consume(options)
          const take: typeof consumer.take = (...args) => {
            if (clock.monotonic() < 11) clock.advance(11)
            return consumer.take(...args)
          }
          return { ...consumer, take }
        },
      },
    }
  })
  app.actor(() => {}, { name: 'none' })
  const worker = await app.work()
  t.ok(clock.monotonic() >= 11)
  t.equal(worker.health().lagMs, 0)
})

t.test('under test a worker is as healthy as the clock says', async t => {
  const { app } = open(t)
  let seen: unknown
  const look = app.actor(
    async () => {
      seen = current().attempt
    },
    { name: 'look' },
  )
  const test = await testing(app)
  const worker = await app.work()
  await look.send()
  await turns()
  t.equal(seen, 0)
  t.match(worker.health(), { state: 'working', running: 0, brokerMs: 0 })
  test.clock.advance(60_000)
  t.equal(worker.health().lagMs, 0)
  await test[Symbol.asyncDispose]()
  t.equal(worker.health().state, 'stopped')
})

t.test('maxMessages: never more are started, and the worker stops when they have ended', async t => {
  for (const [options, count] of [
    [{ maxMessages: 7 }, 7],
    [{ maxMessages: 7, concurrency: 1 }, 7],
    [{ maxMessages: 7, queues: { default: 2 } }, 7],
    [{ maxMessages: 7, until: 'idle' }, 7],
    [{ maxMessages: 1 }, 1],
    [{ maxMessages: 300, concurrency: 3 }, 300],
    [{ maxMessages: 5_000, until: 'idle' }, 400],
  ] as const) {
    const { app, memory } = open(t)
    let begun = 0,
      ended = 0
    const work = app.actor(
      async (wait: number) => {
        begun++
        await turns(wait)
        ended++
      },
      { name: 'work' },
    )
    await work.sendMany(Array.from({ length: 400 }, (_, i) => [i % 4]))
    const worker = await app.work(options)
    await worker.stopped
    t.equal(begun, count, JSON.stringify(options))
    t.equal(ended, count)
    t.match(await memory.inspector.counts('default'), { ready: 400 - count, leased: 0, dead: 0 })
  }
})

t.test('maxMessages counts a retry as another one', async t => {
  const { app, memory, clock } = await openMoving(t)
  let runs = 0
  const fail = app.actor(
    () => {
      runs++
      throw new Error('no')
    },
    { name: 'fail', minBackoff: '1s', maxRetries: 9 },
  )
  await fail.send()
  const worker = await app.work({ maxMessages: 3 })
  await pass(clock, 3_600_000)
  await worker.stopped
  t.equal(runs, 3)
  t.match(await memory.inspector.counts('default'), { ready: 1, leased: 0, dead: 0 }, 'it waits for another worker')
})

t.test('maxMessages is a whole number from 1', async t => {
  const { app } = open(t)
  app.actor(() => {}, { name: 'none' })
  for (const maxMessages of [0, -1, 1.5, NaN, Infinity, '7'])
    await t.rejects(app.work({ maxMessages: maxMessages as number }), { code: 'WORKER_INVALID', message: /maxMessages/ })
})
