/** Who is told at once that a worker stops, and what it costs; more of stopping is in test/lib/worker-stop.test.ts. */
import t from 'tap'
import { current, shutdown } from '../../index.ts'
import { openMoving } from '../helpers/open.ts'
import { pass, turns } from '../helpers/turns.ts'

const untilAborted = async () => {
  const { signal } = current()
  await new Promise<void>(resolve => signal.addEventListener('abort', () => resolve()))
  throw signal.reason
}

t.test('opted in by the chain, the actor or the message, the last word being the nearest', async t => {
  for (const [chain, actor, message, atOnce] of [
    [false, undefined, undefined, false],
    [true, undefined, undefined, true],
    [true, false, undefined, false],
    [false, true, undefined, true],
    [false, true, false, false],
    [false, undefined, true, true],
  ] as const) {
    const { app, clock, all } = await openMoving(t, { middleware: [shutdown({ notifyShutdown: chain })] })
    await app.actor(untilAborted, { name: 'long', notifyShutdown: actor }).with({ notifyShutdown: message }).send()
    const worker = await app.work({ grace: '10s' })
    await turns()
    const closing = worker.close()
    await turns()
    t.equal(all('settled').length === 1, atOnce, `chain ${chain}, actor ${actor}, message ${message}`)
    await pass(clock, 10_000)
    await closing
    t.match(all('settled'), [{ outcome: { kind: 'release', reason: 'shutdown' } }])
  }
})

t.test('a release costs no attempt and no delivery, however often it happens', async t => {
  const { app, clock, all, memory } = await openMoving(t)
  const seen: unknown[] = []
  let stops = 7 // more than maxDeliveries, more than maxRetries
  const long = app.actor(
    async () => {
      const { attempt, deliveries } = current()
      seen.push([attempt, deliveries])
      if (stops > 0) await untilAborted()
    },
    { name: 'long', notifyShutdown: true, maxRetries: 1 },
  )
  const { id } = await long.send()
  for (; stops > 0; stops--) {
    const worker = await app.work()
    await turns()
    await worker.close()
    t.match(await memory.inspector.find(id), { place: 'ready', deliveries: 1, envelope: { attempt: 0 } })
  }
  await app.work()
  await turns()
  t.strictSame(
    seen,
    Array.from({ length: 8 }, () => [0, 1]),
  )
  t.match(all('settled').at(-1), { outcome: { kind: 'done' } })
  await pass(clock, 1_000)
})

t.test('one that saves its place and returns is done; one that ended before is not looked for', async t => {
  const { app, clock, all } = await openMoving(t)
  const saves = app.actor(
    async (waits: boolean) => {
      if (waits) await untilAborted().catch(() => {})
      return 'saved'
    },
    { name: 'saves', notifyShutdown: true },
  )
  await saves.sendMany([[false], [true]])
  const worker = await app.work()
  await turns()
  t.equal(all('settled').length, 1)
  await worker.close()
  t.match(all('settled'), [{ outcome: { kind: 'done', result: 'saved' } }, { outcome: { kind: 'done', result: 'saved' } }])
  t.strictSame([all('stuck'), clock.now() - Date.UTC(2026, 0, 1)], [[], 0], 'and it took no time')
})

t.test('one that was told and goes on has its abort grace, and is given back', async t => {
  const { app, clock, all, memory } = await openMoving(t)
  let end = () => {}
  const deaf = app.actor(() => new Promise<void>(resolve => (end = resolve)), { name: 'deaf', notifyShutdown: true })
  const { id } = await deaf.send()
  const worker = await app.work({ grace: '1h', abortGrace: '2s' })
  await turns()
  const closing = worker.close()
  await pass(clock, 1_999)
  t.strictSame(all('stuck'), [])
  await pass(clock, 1)
  await closing
  t.match(all('stuck'), [{ reason: 'shutdown' }])
  t.match(await memory.inspector.find(id), { place: 'ready', envelope: { attempt: 0 } })
  end()
})
