/** What a run comes to: retries, time limits, shutdown, age, schemas, follow-ups, callbacks, on a memory broker and a clock that stands still. */
import t from 'tap'
import * as v from 'valibot'
import { z } from 'zod'
import { type AnyMiddleware, current, giveUp, retryAfter, standard, timeLimit } from '../../index.ts'
import { decodeFailure } from '../../lib/failure.ts'
import { hostileThrows } from '../helpers/hostile.ts'
import { openMoving } from '../helpers/open.ts'
import { pushRaw, wireBody } from '../helpers/raw.ts'
import { gate, pass, turns } from '../helpers/turns.ts'

t.test('what always fails runs exactly maxRetries + 1 times, with its back-off between, and is dead once', async t => {
  for (const maxRetries of [0, 1, 4]) {
    const { app, memory, clock, all } = await openMoving(t)
    const runs: number[] = []
    const fails = app.actor(
      () => {
        runs.push(clock.monotonic())
        throw new TypeError(`failure ${runs.length}`)
      },
      { name: 'fails', maxRetries, minBackoff: '10s', maxBackoff: '60s' },
    )
    const { id } = await fails.send()
    await app.work()
    await turns()
    await pass(clock, 600_000)
    t.strictSame(runs, [0, 15_000, 40_000, 75_000, 110_000].slice(0, maxRetries + 1), 'at random 0.5: 15 s, 25 s, 35 s, 35 s')
    const [dead, ...more] = (await memory.inspector.list('default', 'dead')).entries
    t.strictSame(more, [])
    t.match(dead, {
      envelope: { id, attempt: maxRetries },
      reason: `retries exhausted after ${maxRetries} ${maxRetries === 1 ? 'retry' : 'retries'}: failure ${maxRetries + 1}`,
    })
    t.match(decodeFailure(dead!.error), { type: 'TypeError', message: `failure ${maxRetries + 1}` })
    t.strictSame(
      all('settled').map(({ outcome }) => outcome.kind),
      [...Array(maxRetries).fill('retry'), 'dead'],
    )
    t.strictSame(
      all('settled').map(({ attempt }) => attempt),
      runs.map((_, i) => i),
    )
  }
})

t.test('a message says how often it may be tried again', async t => {
  const { app, clock, all } = await openMoving(t)
  const fails = app.actor(
    () => {
      throw new Error('x')
    },
    { name: 'fails', maxRetries: 5 },
  )
  await fails.with({ maxRetries: 1, minBackoff: 0 }).send()
  await app.work()
  await pass(clock, 1_000)
  t.equal(all('settled').length, 2)
})

class NotFound extends Error {}
for (const [what, options, thrown, kinds, reason] of [
  [
    'throws names it',
    { throws: [NotFound] },
    () => new NotFound('gone'),
    ['dead'],
    /threw NotFound, which is not tried again: gone/,
  ],
  ['throws names another', { throws: [NotFound], maxRetries: 1 }, () => new Error('x'), ['retry', 'dead'], /exhausted/],
  ['throws names its base class', { throws: [Error] }, () => new NotFound('gone'), ['dead'], /threw Error/],
  [
    'retryWhen says no',
    { retryWhen: ({ attempt }: { attempt: number }) => attempt < 3, maxRetries: 5 },
    () => new Error('x'),
    ['retry', 'retry', 'retry', 'dead'],
    /retryWhen said no after 3 retries: x/,
  ],
  [
    'retryWhen throws',
    {
      retryWhen: () => {
        throw new Error('mine')
      },
      maxRetries: 1,
    },
    () => new Error('x'),
    ['retry', 'dead'],
    /retries exhausted after 1 retry: x/,
  ],
  ['it gives up', {}, () => giveUp('no such user'), ['dead'], /gave up: no such user/],
  ['it asks to be tried again, for the last time', { maxRetries: 0 }, () => retryAfter('5m'), ['dead'], /exhausted/],
] as const) {
  t.test(`when a handler fails and ${what}: ${kinds.join(', ')}`, async t => {
    const { app, clock, all, memory } = await openMoving(t)
    await app
      .actor(
        () => {
          throw thrown()
        },
        { name: 'fails', minBackoff: '1s', ...(options as {}) },
      )
      .send()
    await app.work()
    await pass(clock, 60_000)
    t.strictSame(
      all('settled').map(({ outcome }) => outcome.kind),
      kinds,
    )
    t.match((await memory.inspector.list('default', 'dead')).entries, [{ reason }])
  })
}

t.test('retryAfter is exact, whatever the back-off, and costs an attempt', async t => {
  const { app, clock, all } = await openMoving(t)
  await app
    .actor(
      () => {
        throw retryAfter('90s')
      },
      { name: 'fails', maxRetries: 1, minBackoff: '1h' },
    )
    .send()
  await app.work()
  await turns()
  await pass(clock, 89_999)
  t.match(all('settled'), [{ outcome: { kind: 'retry', afterMs: 90_000 } }])
  await pass(clock, 1)
  t.match(all('settled')[1], { attempt: 1, outcome: { kind: 'dead' } })
})

t.test('whatever a handler throws, it is tried again, and its message is dead in the end', async t => {
  for (const [what, thrown] of hostileThrows)
    for (const middleware of [standard(), [timeLimit()]] as readonly (readonly AnyMiddleware[])[]) {
      const { app, clock, all, memory } = await openMoving(t, { middleware })
      const options = middleware.length > 1 ? { maxRetries: 1, minBackoff: 0, throws: [NotFound] } : {}
      await app
        .actor(
          () => {
            throw thrown
          },
          { name: 'fails', ...options } as never,
        )
        .send()
      await app.work()
      await pass(clock, 1_000)
      t.equal(all('settled').length, middleware.length > 1 ? 2 : 1, what)
      t.match((await memory.inspector.list('default', 'dead')).entries, [{ reason: String }], what)
      await app.close()
    }
})

t.test('onExhausted is sent the message and its failure once, when it is given up', async t => {
  const { app, clock, all } = await openMoving(t)
  const told: unknown[] = []
  const tell = app.actor((message: object, failure: object) => void told.push({ message, failure }), {
    name: 'tell',
    queue: 'told',
  })
  await app
    .actor(
      (n: number) => {
        throw new Error(`no ${n}`)
      },
      { name: 'fails', maxRetries: 2, minBackoff: '1s', onExhausted: tell },
    )
    .with({ id: 'x' })
    .send(5)
  await app.work()
  await pass(clock, 60_000)
  t.match(told, [{ message: { id: 'x', actor: 'fails', args: [5] }, failure: { type: 'Error', message: 'no 5' } }])
  t.equal(told.length, 1)
  t.equal(all('settled').length, 4)
})

t.test('the time limit aborts the signal; what ends within the grace is as good as in time', async t => {
  for (const [what, after, wanted] of [
    [
      'throws what it was given',
      (signal: AbortSignal) => Promise.reject(signal.reason),
      { kind: 'retry', error: { code: 'TIME_LIMIT' } },
    ],
    [
      'throws its own error',
      () => Promise.reject(new Error('mine')),
      { kind: 'retry', error: { code: 'TIME_LIMIT', cause: { message: 'mine' } } },
    ],
    ['gives up', () => Promise.reject(giveUp('enough')), { kind: 'dead', reason: 'gave up: enough' }],
    ['returns a result', async () => 5, { kind: 'done', result: 5 }],
  ] as const) {
    const { app, clock, all } = await openMoving(t)
    let reason: unknown
    await app
      .actor(
        async () => {
          const { signal } = current()
          await new Promise<void>(resolve => signal.addEventListener('abort', () => resolve()))
          reason = signal.reason
          return after(signal)
        },
        { name: 'slow', timeLimit: '30s' },
      )
      .send()
    await app.work()
    await turns()
    await pass(clock, 29_999)
    t.strictSame(all('settled'), [], 'not before')
    await pass(clock, 1)
    t.match(reason, { code: 'TIME_LIMIT', message: /slow ran longer than its time limit/ })
    t.match(all('settled'), [{ outcome: wanted }], what)
    await pass(clock, 10_000)
    t.strictSame(all('stuck'), [], 'and is not called stuck when the grace is over')
  }
})

t.test('a handler that ignores its signal is settled without it, reported and counted; its late end changes nothing', async t => {
  const { app, clock, all, lines } = await openMoving(t)
  const ends = [gate<number>(), gate<number>()]
  let runs = 0
  const slow = app.actor(() => ends[runs++]!.opened, { name: 'slow', timeLimit: '30s', maxRetries: 1, minBackoff: '1s' })
  await slow.send()
  const worker = await app.work({ abortGrace: '2s', concurrency: 1 })
  await turns()
  await pass(clock, 31_999)
  t.strictSame(all('stuck'), [])
  await pass(clock, 1)
  t.match(all('stuck'), [{ reason: 'time limit', stuck: 1, message: { actor: 'slow' } }])
  t.match(all('settled'), [{ outcome: { kind: 'retry', error: { code: 'TIME_LIMIT' } } }])
  t.equal(worker.running, 0, 'its slot is free')
  await pass(clock, 60_000)
  t.equal(runs, 2)
  t.match(all('stuck')[1], { stuck: 2 })
  t.match(all('settled')[1], { outcome: { kind: 'dead', error: { code: 'TIME_LIMIT' } } })
  ends[0]!.open(1)
  await turns()
  t.equal(all('settled').length, 2, 'a late success is no success')
  t.equal(lines.filter(({ text }) => /went on for 2s after its signal was aborted/.test(text)).length, 2)
  ends[1]!.open(2)
})

t.test('any layer may abort a run; the first reason stays', async t => {
  for (const [reasons, wanted] of [
    [['cancelled', 'time limit'], { kind: 'dead', reason: 'cancelled', error: { code: 'CANCELLED' } }],
    [['time limit', 'cancelled'], { kind: 'retry', error: { code: 'TIME_LIMIT' } }],
    [['shutdown', 'cancelled'], { kind: 'release', reason: 'shutdown' }],
    [['lease lost'], { kind: 'release', reason: 'lease lost' }],
  ] as const)
    for (const early of [true, false]) {
      const aborts: AnyMiddleware = {
        name: 'aborts',
        process({ abort }, next) {
          const tell = () => reasons.forEach(reason => abort(reason))
          if (early) tell()
          else setImmediate(tell)
          return next()
        },
      }
      const { app, all } = await openMoving(t, { middleware: [...standard(), aborts] })
      let ran = false
      const actor = app.actor(
        async () => {
          ran = true
          const { signal } = current()
          if (!signal.aborted) await new Promise<void>(resolve => signal.addEventListener('abort', () => resolve()))
          throw signal.reason
        },
        { name: 'a1b' },
      )
      await actor.send()
      const worker = await app.work({ concurrency: 1 })
      await turns(4)
      t.match(all('settled')[0], { outcome: wanted }, `${reasons.join(', ')}${early ? ', before it runs' : ''}`)
      t.equal(ran, !early)
      void worker.close({ grace: 0 })
    }
})

t.test('no time limit is Infinity, for an actor and for a message', async t => {
  const { app, clock, all } = await openMoving(t)
  const end = gate()
  await app.actor(() => end.opened, { name: 'slow', timeLimit: Infinity }).send()
  await app
    .actor(() => end.opened, { name: 'slower', timeLimit: '1s' })
    .with({ timeLimit: Infinity })
    .send()
  await app.work()
  await turns()
  clock.advance(24 * 3_600_000)
  t.strictSame([all('settled'), all('stuck')], [[], []])
  end.open()
  await turns()
  t.match(all('settled'), [{ outcome: { kind: 'done' } }, { outcome: { kind: 'done' } }])
})

t.test('a message that is too old when its turn comes is dead without running; the limit itself is still in time', async t => {
  for (const [age, kind] of [
    [1_000, 'done'],
    [1_001, 'dead'],
  ] as const) {
    const { app, clock, all } = await openMoving(t)
    await app.actor(() => {}, { name: 'news', maxAge: '1s' }).send()
    clock.advance(age)
    await app.work()
    await turns()
    t.match(all('settled'), [{ outcome: { kind, ...(kind === 'dead' && { reason: 'expired: 1s old, maxAge is 1s' }) } }])
  }
  const { app, all } = await openMoving(t)
  const news = app.actor(() => {}, { name: 'news', maxAge: 0 })
  await app.send([{ ...news.message(), timestamp: Date.UTC(2030, 0) }])
  await app.work()
  await turns()
  t.match(all('settled'), [{ outcome: { kind: 'done' } }], 'a sender whose clock is ahead never makes a message old')
})

t.test('an old message is not tried again', async t => {
  const { app, clock, all } = await openMoving(t)
  await app
    .actor(
      () => {
        throw new Error('x')
      },
      { name: 'news', maxAge: '5s', minBackoff: '10s' },
    )
    .send()
  await app.work()
  await pass(clock, 60_000)
  t.strictSame(
    all('settled').map(({ outcome }) => outcome.kind),
    ['retry', 'dead'],
  )
})

t.test('what does not fit its schema is dead, not tried again; what fits is transformed', async t => {
  for (const [what, schema] of [
    ['zod', z.object({ n: z.coerce.number().min(1) })],
    ['valibot', v.object({ n: v.pipe(v.unknown(), v.transform(Number), v.minValue(1)) })],
    ['an asynchronous one', z.object({ n: z.coerce.number().refine(async n => n >= 1, 'too small') })],
  ] as const) {
    const { app, all, memory } = await openMoving(t)
    const seen: unknown[] = []
    const actor = app.actor((input: { n: number }) => void seen.push(input), {
      name: 'typed',
      input: schema as z.ZodType<{ n: number }>,
    })
    await actor.send({ n: '5' } as never)
    await t.rejects(
      actor.send({ n: 0 }),
      {
        code: 'SCHEMA_MISMATCH',
        message: /typed does not fit its schema: n: /,
        details: { issues: [{ path: 'n', message: String }] },
      },
      what,
    )
    await t.rejects(actor.sendMany([[{ n: 0 }], [{ n: 1n as never }]]), { name: 'GreenroomError' })
    await t.rejects(app.send([actor.message({ n: 0 })]), { code: 'SCHEMA_MISMATCH' }, 'also from an outbox')
    await pushRaw(memory, wireBody({ actor_name: 'typed', args: [{ n: 0 }] })) // from a sender that does not have the schema
    await app.work({ concurrency: 1 })
    await turns()
    t.strictSame(seen, [{ n: 5 }], 'the handler has the output')
    t.match(
      all('settled').map(({ outcome }) => outcome),
      [{ kind: 'done' }, { kind: 'dead', reason: 'schema mismatch', error: { code: 'SCHEMA_MISMATCH' } }],
      what,
    )
    await t.rejects(async () => actor({ n: 0 }), { code: 'SCHEMA_MISMATCH' }, 'a direct call is checked too')
  }
})

t.test('a schema that itself fails is a failure like any other, and one that hangs has its time limit', async t => {
  const { app, clock, all, memory } = await openMoving(t)
  let calls = 0
  const schema = (validate: (value: unknown) => unknown) =>
    ({ '~standard': { version: 1, vendor: 'mine', validate } }) as unknown as z.ZodType<number>
  const flaky = schema(value => {
    if (calls++ === 0) throw new Error('the database is away')
    return { value }
  })
  app.actor((n: number) => n, { name: 'flaky', input: flaky, minBackoff: '1s' })
  app.actor((n: number) => n, { name: 'hanging', input: schema(() => new Promise(() => {})), timeLimit: '1s', maxRetries: 0 })
  for (const actor of ['flaky', 'hanging']) await pushRaw(memory, wireBody({ actor_name: actor, args: [5] }))
  await app.work()
  await turns()
  await pass(clock, 60_000)
  t.match(all('settled'), [
    { message: { actor: 'flaky' }, outcome: { kind: 'retry', error: { message: 'the database is away' } } },
    { message: { actor: 'flaky' }, outcome: { kind: 'done', result: 5 } },
    { message: { actor: 'hanging' }, outcome: { kind: 'dead', error: { code: 'TIME_LIMIT' } } },
  ])
})
