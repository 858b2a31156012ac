/** The bounds of a time limit and of the grace after it; what the whole chain makes of it is in test/lib/outcomes.test.ts. */
import t from 'tap'
import { type AnyMiddleware, current, standard, timeLimit } from '../../index.ts'
import type { Outcome } from '../../lib/outcome.ts'
import { openMoving } from '../helpers/open.ts'
import { gate, pass, turns } from '../helpers/turns.ts'

t.test('what ends before its limit is in time, at the limit it is not; each attempt has it anew', async t => {
  for (const [ms, kind] of [
    [29_999, 'done'],
    [30_000, 'retry'],
  ] as const) {
    const { app, clock, all } = await openMoving(t)
    await app
      .actor(
        () =>
          new Promise<void>((resolve, reject) => {
            const { signal } = current()
            signal.addEventListener('abort', () => reject(signal.reason as Error))
            clock.after(ms, resolve)
          }),
        { name: 'slow', timeLimit: '30s', maxRetries: 1, minBackoff: '1s' },
      )
      .send()
    await app.work()
    await turns()
    await pass(clock, 30_000)
    t.match(all('settled'), [{ outcome: { kind }, ms }], `${ms} ms`)
    await pass(clock, 60_000)
    if (kind === 'retry') t.match(all('settled')[1], { attempt: 1, ms: 30_000, outcome: { kind: 'dead' } })
    t.equal(all('stuck').length, 0)
  }
})

t.test('the signal need not be read: it is aborted for whoever reads it later', async t => {
  const { app, clock, all } = await openMoving(t)
  const end = gate()
  let reason: unknown
  await app
    .actor(
      async () => {
        await end.opened
        reason = current().signal.reason
        current().signal.throwIfAborted()
      },
      { name: 'late', timeLimit: '1s', maxRetries: 0 },
    )
    .send()
  await app.work()
  await turns()
  await pass(clock, 3_000)
  end.open()
  await turns()
  t.match(reason, { name: 'GreenroomError', code: 'TIME_LIMIT', retryable: true })
  t.match(all('settled'), [{ outcome: { kind: 'dead', reason: /exhausted after 0 retries: late ran longer/ } }])
})

t.test('next() settles once the grace is over, for every layer around, and the late end changes nothing', async t => {
  const seen: [layer: string, outcome: Outcome][] = []
  const sees = (name: string, place: object): AnyMiddleware => ({
    name,
    ...place,
    async process(_, next) {
      const outcome = await next()
      seen.push([name, outcome])
      return outcome
    },
  })
  for (const late of ['success', 'failure']) {
    seen.length = 0
    const layers = [sees('outer', { outside: ['callbacks'] }), sees('inner', { inside: ['timeLimit'] })]
    const { app, clock, all, lines } = await openMoving(t, { middleware: [...standard(), ...layers] })
    const end = gate()
    await app
      .actor(
        async () => {
          await end.opened
          if (late === 'failure') throw new Error('late')
        },
        { name: 'deaf', timeLimit: '10s', maxRetries: 0 },
      )
      .send()
    const worker = await app.work({ abortGrace: '3s' })
    await turns()
    await pass(clock, 12_999)
    t.strictSame([seen, worker.running], [[], 1])
    await pass(clock, 1)
    t.match(seen, [
      ['inner', { kind: 'failed', error: { code: 'TIME_LIMIT' } }],
      ['outer', { kind: 'dead', error: { code: 'TIME_LIMIT' } }],
    ])
    t.match(all('stuck'), [{ stuck: 1 }])
    const told = lines.length
    end.open()
    await turns()
    t.strictSame([all('settled').length, seen.length, lines.length, worker.running], [1, 2, told, 0], late)
  }
})

t.test('those that go on are counted until they end', async t => {
  const { app, clock, all } = await openMoving(t)
  const ends = [gate(), gate(), gate()]
  const deaf = app.actor((n: number) => ends[n]!.opened, { name: 'deaf', timeLimit: '1s', maxRetries: 0 })
  await app.work({ abortGrace: 0 })
  for (const [n, stuck] of [
    [0, 1],
    [1, 2],
  ] as const) {
    await deaf.send(n)
    await pass(clock, 2_000)
    t.equal(all('stuck').at(-1)?.stuck, stuck)
  }
  ends[0]!.open()
  await deaf.send(2)
  await pass(clock, 2_000)
  t.equal(all('stuck').at(-1)?.stuck, 2, 'one of the first two has ended')
  ends.forEach(end => end.open())
})

t.test('all limits of a worker share one timer, which ends with it; Infinity makes none', async t => {
  const timers: number[] = []
  for (const limit of ['1h', Infinity] as const) {
    const { app, clock, memory } = await openMoving(t, { middleware: [timeLimit({ timeLimit: limit })] })
    const end = gate()
    await app.actor(() => end.opened, { name: 'a1b' }).sendMany([[], [], []])
    const idle = clock.pending
    const worker = await app.work()
    await turns()
    timers.push(clock.pending)
    end.open()
    await worker.close()
    await app.close()
    await memory[Symbol.asyncDispose]()
    t.ok(clock.pending <= idle)
  }
  t.equal(timers[0]! - timers[1]!, 1)
})
