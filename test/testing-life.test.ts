/** How a test of `greenroom/testing` begins and ends: the app comes back, and what is left of the test is told and does no harm. */
import { mock } from 'node:test'
import t from 'tap'
import { systemClock } from '../lib/clock.ts'
import { type AnyMiddleware, current, greenroom, standard } from '../index.ts'
import { movingClock, testing } from '../testing.ts'
import { open } from './helpers/open.ts'
import { gate } from './helpers/turns.ts'

/** Where the clock of a test begins here, to tell its world from the real one. */
const THEN = Date.UTC(1999, 11, 31)

t.test('afterwards the app is on its own broker and clock again, with the messages of before', async t => {
  const { app, memory, until } = open(t)
  const ran: unknown[] = []
  const actor = app.actor((what: string) => void ran.push([what, current().message.timestamp === THEN]), { name: 'a1b' })
  await actor.send('before')
  {
    await using test = await testing(app, { now: THEN })
    await actor.send('tested')
    await test.join()
    t.strictSame(ran, [['tested', true]], 'on the clock of the test')
    await actor.send('left behind')
  }
  t.match(await memory.inspector.counts('default'), { ready: 1 })
  await actor.send('after')
  await app.work({ concurrency: 1 })
  await until('settled', 3)
  const expected = [
    ['tested', true],
    ['before', false],
    ['after', false],
  ]
  t.strictSame(ran, expected, 'what the test left behind is gone with it')
})

t.test('also an app whose broker could never be reached', async t => {
  for (const broker of ['nobody://h', 'redis://127.0.0.1:1']) {
    const app = greenroom({ broker })
    const actor = app.actor(() => 5, { name: 'a1b' })
    {
      await using test = await testing(app)
      await actor.send()
      await test.join()
      t.strictSame(test.dead, [])
    }
    await t.rejects(actor.send(), { name: 'GreenroomError' }, 'and then it is on its own again')
    await app.close()
  }
})

t.test('setup and disposal of middleware happen once for a test', async t => {
  const seen: string[] = []
  const resource: AnyMiddleware = {
    name: 'resource',
    setup({ clock }) {
      seen.push(`open at ${clock.now() === THEN ? 'the test' : 'the real'} time`)
      return { [Symbol.asyncDispose]: async () => void seen.push('closed') }
    },
  }
  const { app } = open(t, { middleware: [...standard(), resource] })
  const actor = app.actor(() => {}, { name: 'a1b' })
  await actor.send()
  for (let i = 0; i < 2; i++) {
    await using test = await testing(app, { now: new Date(THEN) })
    await actor.send()
    await test.join()
    await test.join()
  }
  t.strictSame(seen, ['open at the real time', 'closed', 'open at the test time', 'closed', 'open at the test time', 'closed'])
})

t.test('a handler or a timer that is left is a LEAK, and the app is back all the same', async t => {
  const { app, memory } = open(t)
  const end = gate()
  const hangs = app.actor(() => end.opened, { name: 'hangs', timeLimit: '1h' })
  const test = await testing(app)
  await hangs.send()
  await t.rejects(test.join({ timeout: 50 }), { code: 'TEST_UNBOUNDED' })
  await t.rejects(async () => test[Symbol.asyncDispose](), { code: 'LEAK', message: /^1 handler was still running/ })
  await hangs.send()
  t.match(await memory.inspector.counts('default'), { ready: 1 })
  end.open()

  const second = await testing(app)
  second.clock.after(60_000, () => {})
  await t.rejects(async () => second[Symbol.asyncDispose](), { code: 'LEAK', message: /^1 timer is still set/ })
  const third = await testing(app)
  third.clock.after(60_000, () => {}).cancel()
  await third[Symbol.asyncDispose]()

  const fourth = await testing(app)
  const several = gate()
  const waits = app.actor(() => several.opened, { name: 'waits' })
  await waits.sendMany([[], []])
  await t.rejects(fourth.join({ timeout: 50 }), { code: 'TEST_UNBOUNDED' })
  await t.rejects(async () => fourth[Symbol.asyncDispose](), { code: 'LEAK', message: /^2 handlers were still running/ })
  several.open()
})

t.test('one test of an app at a time, also of two that begin at once; two apps are two', async t => {
  const { app } = open(t)
  const { app: other } = open(t)
  const [one, two, others] = await Promise.allSettled([testing(app), testing(app), testing(other)])
  t.match([one.status, others.status], ['fulfilled', 'fulfilled'])
  t.match(two, { status: 'rejected', reason: { code: 'TEST_UNBOUNDED', message: /under test already/ } })
  await t.rejects(testing(app), { code: 'TEST_UNBOUNDED' })
  for (const result of [one, two, others]) if (result.status === 'fulfilled') await result.value[Symbol.asyncDispose]()
  await (await testing(app))[Symbol.asyncDispose]()
})

t.test('a test that ended runs nothing any more: never on the real broker', async t => {
  const { app, memory } = open(t)
  let ran = 0
  const actor = app.actor(() => void ran++, { name: 'a1b' })
  await actor.send()
  const test = await testing(app)
  await actor.send()
  const joining = t.rejects(test.join(), { code: 'LEAK', message: /after the end of the test/ }, 'one that was not awaited')
  await test[Symbol.asyncDispose]()
  await joining
  await t.rejects(test.join(), { code: 'LEAK' })
  await t.rejects(test.advance('1m'), { code: 'LEAK' })
  await t.rejects(test.run(actor, []), { code: 'LEAK' })
  t.match(await memory.inspector.counts('default'), { ready: 1 })
  t.equal(ran, 0)
})

t.test('an app that cannot be closed cleanly can be tested again', async t => {
  let fails = true
  const broken: AnyMiddleware = {
    name: 'broken',
    setup: () => ({
      [Symbol.asyncDispose]: async () => {
        if (fails) throw new Error('does not close')
      },
    }),
  }
  const { app } = open(t, { middleware: [...standard(), broken] })
  const actor = app.actor(() => {}, { name: 'a1b' })
  const test = await testing(app)
  await actor.send()
  await t.rejects(async () => test[Symbol.asyncDispose](), { code: 'MIDDLEWARE_FAILED' })
  fails = false
  await using again = await testing(app)
  await actor.send()
  await again.join()
})

t.test("a test runner's fake timers do not hold it up", async t => {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'setImmediate', 'Date'] })
  t.teardown(() => mock.timers.reset())
  const { app } = open(t)
  let ran = 0
  const actor = app.actor(
    () => {
      if (ran++ === 0) throw new Error('x')
    },
    { name: 'a1b' },
  )
  const endless = app.actor(() => end.opened, { name: 'endless' })
  const end = gate()
  await using test = await testing(app)
  await actor.with({ delay: '1h' }).send()
  await test.join()
  t.equal(ran, 2)
  await endless.send()
  await t.rejects(test.join({ timeout: 50 }), { code: 'TEST_UNBOUNDED' }, 'its own timeout is of real time')
  end.open()
  await test.join()
})

t.test('the clock begins at the time that it is, or at the one that it is given', async t => {
  const { app } = open(t)
  const actor = app.actor(() => {}, { name: 'a1b' })
  const nextYear = () => actor.with({ at: new Date(systemClock.now() + 360 * 86_400_000) })
  {
    const before = systemClock.now()
    await using test = await testing(app)
    t.ok(before <= test.clock.now() && test.clock.now() <= systemClock.now())
    await nextYear().send()
    await test.join()
    t.ok(test.clock.now() - before >= 360 * 86_400_000)
  }
  for (const now of [THEN, new Date(THEN)]) {
    await using test = await testing(app, { now })
    t.equal(test.clock.now(), THEN)
    await actor.with({ at: THEN + 1_000 }).send()
    await test.join()
    t.equal(test.clock.now(), THEN + 1_000)
    t.throws(nextYear, { code: 'OPTION_INVALID' }, 'a year from now is far from then')
  }
  for (const now of ['2026-01-01', NaN, new Date('never'), null])
    await t.rejects(testing(app, { now: now as never }), { code: 'OPTION_INVALID', message: /now cannot be/ })
})

t.test('what is no app, and one that is closed', async t => {
  for (const value of [undefined, null, {}, () => {}]) await t.rejects(testing(value as never), { code: 'BROKER_INVALID' })
  const { app } = open(t)
  await app.close()
  await t.rejects(testing(app), { code: 'APP_CLOSED' })
  await t.rejects(testing(app), { code: 'APP_CLOSED' }, 'and it says so again')
  t.equal(movingClock(5).now(), 5)
})
