/** How a worker stops, whatever runs and whatever the broker does. */
import t from 'tap'
import { current, giveUp } from '../../index.ts'
import { down, hangs } from '../helpers/faulty.ts'
import { open, openFaulty, openMoving } from '../helpers/open.ts'
import { gate, pass, turns } from '../helpers/turns.ts'

t.test('close() takes nothing more, gives back what has not started, and waits for what runs', async t => {
  const { app, memory, all } = await openMoving(t)
  const end = gate()
  const actor = app.actor(() => end.opened, { name: 'a1b' })
  await actor.sendMany([[], [], []])
  const worker = await app.work({ concurrency: 1 })
  await turns()
  let closed = false
  const closing = worker.close().then(() => (closed = true))
  await turns()
  t.match(all('stopping'), [{ running: 1, graceMs: 25_000 }])
  t.notOk(closed)
  t.match(await memory.inspector.counts('default'), { leased: 1, ready: 2 })
  end.open()
  await closing
  await worker.stopped
  t.match(all('settled'), [{ outcome: { kind: 'done' } }])
  t.match(await memory.inspector.counts('default'), { leased: 0, ready: 2 })
})

t.test('after the grace the signal is aborted, and what does not end is given back at no cost', async t => {
  const { app, memory, clock, all } = await openMoving(t)
  const reasons: unknown[] = []
  const polite = app.actor(
    async () => {
      const { signal } = current()
      await new Promise<void>(resolve => signal.addEventListener('abort', () => resolve()))
      reasons.push(signal.reason)
      throw new Error('interrupted')
    },
    { name: 'polite' },
  )
  const end = gate()
  const deaf = app.actor(() => end.opened, { name: 'deaf' })
  const [one, two] = [await polite.send(), await deaf.send()]
  const worker = await app.work({ grace: '10s', abortGrace: '2s' })
  await turns()
  const closing = worker.close()
  await turns()
  clock.advance(9_999)
  await turns()
  t.strictSame(reasons, [])
  clock.advance(1)
  await turns()
  t.match(reasons, [{ code: 'SHUTDOWN', message: /polite is stopping/ }])
  t.match(all('settled'), [{ outcome: { kind: 'release', reason: 'shutdown', afterMs: 0 } }])
  clock.advance(2_000)
  await closing
  t.match(all('stuck'), [{ reason: 'shutdown' }])
  for (const { id } of [one, two])
    t.match(await memory.inspector.find(id), { place: 'ready', deliveries: 1, envelope: { attempt: 0 } })
  end.open()
})

t.test('a handler that succeeds after the abort is done, and one that gives up is dead', async t => {
  const { app, clock, all } = await openMoving(t)
  const aborted = () => new Promise<void>(resolve => current().signal.addEventListener('abort', () => resolve()))
  await app.actor(async () => (await aborted(), 5), { name: 'saves' }).send()
  await app
    .actor(
      async () => {
        await aborted()
        throw giveUp('enough')
      },
      { name: 'stops' },
    )
    .send()
  const worker = await app.work({ grace: 0 })
  await turns()
  const closing = worker.close()
  await turns()
  clock.advance(0)
  await closing
  t.match(
    all('settled').map(({ outcome }) => outcome),
    [
      { kind: 'done', result: 5 },
      { kind: 'dead', reason: 'gave up: enough' },
    ],
  )
})

t.test('an opted-in handler is told at once, of its own worker only', async t => {
  const { app, all, clock } = await openMoving(t)
  const untilAborted = async () => {
    const { signal } = current()
    await new Promise<void>(resolve => signal.addEventListener('abort', () => resolve()))
    throw signal.reason
  }
  for (const queue of ['one', 'two']) {
    await app.actor(untilAborted, { name: `opted-${queue}`, queue, notifyShutdown: true }).send()
    await app.actor(untilAborted, { name: `other-${queue}`, queue }).send()
  }
  const [one] = [await app.work({ queues: ['one'] }), await app.work({ queues: ['two'] })]
  await turns()
  const closing = one.close()
  await turns()
  t.match(all('settled'), [{ message: { actor: 'opted-one' }, outcome: { kind: 'release', reason: 'shutdown' } }])
  t.equal(all('settled').length, 1)
  clock.advance(25_000)
  await closing
  t.equal(all('settled').length, 2)
  const closingAll = app.close()
  await turns()
  clock.advance(25_000)
  await closingAll
  t.equal(all('settled').length, 4)
})

t.test('a second close() may shorten the grace, and waits for the same end', async t => {
  const { app, clock } = await openMoving(t)
  const end = gate()
  await app.actor(() => end.opened, { name: 'deaf' }).send()
  const worker = await app.work({ grace: '1h', abortGrace: '1s' })
  await turns()
  let closed = 0
  const first = worker.close().then(() => closed++)
  await turns()
  const second = worker.close({ grace: '5s' }).then(() => closed++)
  await t.rejects(worker.close({ grace: 'soon' as never }), { code: 'DURATION_INVALID' })
  await pass(clock, 5_999)
  t.equal(closed, 0)
  await pass(clock, 1)
  await Promise.all([first, second])
  const pending = clock.pending
  await worker.close()
  t.equal(clock.pending, pending, 'and a third leaves no timer')
  end.open()
})

t.test("until: 'idle' ends when nothing is ready any more", async t => {
  const { app, memory, all } = await openMoving(t)
  const again = app.actor(async (n: number): Promise<unknown> => n > 0 && again.send(n - 1), { name: 'again' })
  await again.send(5)
  await again.with({ delay: '1m' }).send(0)
  const worker = await app.work({ until: 'idle', concurrency: 2 })
  await worker.stopped
  t.equal(all('settled').length, 6)
  t.match(await memory.inspector.counts('default'), { ready: 0, delayed: 1 })
  await (
    await app.work({ until: 'idle' })
  ).stopped
})

t.test('a signal stops the worker, also one that is aborted already', async t => {
  const { app } = await openMoving(t)
  app.actor(() => {}, { name: 'a1b' })
  const controller = new AbortController()
  const worker = await app.work({ signal: controller.signal })
  controller.abort()
  await worker.stopped
  await (
    await app.work({ signal: controller.signal })
  ).stopped
  await using disposed = await app.work()
  t.equal(disposed.running, 0)
})

t.test('close() during trouble ends', async t => {
  const { app, clock, faults } = await openFaulty(t)
  app.actor(() => {}, { name: 'a1b' })
  faults.before.take = down
  const worker = await app.work()
  await pass(clock, 30_000)
  await worker.close()
  faults.before.take = hangs
  const second = await app.work()
  await turns()
  let closed = false
  void second.close({ grace: 0 }).then(() => (closed = true))
  await pass(clock, 0)
  t.ok(closed, 'a take that never answers does not hold it')
})

t.test('a settlement that is never answered holds close() no longer than a lease', async t => {
  const { app, clock, faults, lines } = await openFaulty(t)
  await app.actor(() => {}, { name: 'a1b' }).send()
  faults.before.settle = hangs
  const worker = await app.work({ lease: '10s' })
  await turns()
  let closed = false
  void worker.close().then(() => (closed = true))
  await pass(clock, 9_999)
  t.notOk(closed)
  await pass(clock, 1)
  t.ok(closed)
  t.match(lines.at(-1), { level: 'error', facts: { err: { code: 'BROKER_DOWN' } }, text: 'the worker failed to stop cleanly' })
})

t.test('an app that was worked and closed leaves nothing behind', async t => {
  const before = process.getActiveResourcesInfo().length
  const { app, until } = open(t)
  const actor = app.actor((n: number) => n, { name: 'a1b' })
  const worker = await app.work()
  await actor.sendMany([[1], [2]])
  await until('settled', 2)
  await worker.close()
  await worker.close()
  await app.close()
  await turns()
  t.equal(process.getActiveResourcesInfo().length, before)

  const moving = await openMoving(t)
  const slow = moving.app.actor(() => {}, { name: 'slow', timeLimit: '1s' })
  await moving.app.work()
  await slow.send()
  await turns()
  await moving.app.close()
  await moving.memory[Symbol.asyncDispose]()
  t.equal(moving.clock.pending, 0)
})
