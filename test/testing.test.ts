/** `greenroom/testing` as its users call it: every member, on an app whose broker is never touched. */
import t from 'tap'
import { z } from 'zod'
import { type AnyMiddleware, type Broker, current, giveUp, GreenroomError, standard } from '../index.ts'
import { testing } from '../testing.ts'
import { open } from './helpers/open.ts'
import { keepLines } from './helpers/recorder.ts'
import { gate, turns } from './helpers/turns.ts'

t.test('nothing runs before join(), and everything after it, over delays, back-offs and follow-ups', async t => {
  const { app } = open(t)
  const ran: [what: string, at: number][] = []
  await using test = await testing(app)
  const note = (what: string) => void ran.push([what, test.clock.monotonic()])
  const third = app.actor(() => note('third'), { name: 'third', queue: 'elsewhere' })
  const second = app.actor(
    () => {
      note('second')
      current().after(third.message())
    },
    { name: 'second', queue: 'other' },
  )
  const first = app.actor(
    async () => {
      note('first')
      if (current().attempt === 0) throw new Error('x')
      await second.with({ delay: '1h' }).send()
    },
    { name: 'first', minBackoff: '10s', maxBackoff: '10s' },
  )
  await first.with({ delay: '1m' }).send()
  await turns()
  t.strictSame(ran, [])
  await test.join()
  t.strictSame(ran, [
    ['first', 60_000],
    ['first', 70_000],
    ['second', 3_670_000],
    ['third', 3_670_000],
  ])
  t.strictSame(
    test.sent().map(({ actor }) => actor),
    ['first', 'second', 'third'],
  )
  t.strictSame(test.dead, [])
  await test.join()
  t.equal(ran.length, 4, 'a second join() finds nothing')
})

t.test('sent() is of everyone or of one actor; what is a duplicate or was skipped was not sent', async t => {
  const skip: AnyMiddleware = { name: 'skip', send: batch => batch.filter(({ message }) => message.args[0] !== 'skip') }
  const { app } = open(t, { middleware: [...standard(), skip] })
  const one = app.actor((_what: string) => {}, { name: 'one' })
  const two = app.actor((_n: number) => {}, { name: 'two', queue: 'other' })
  const declared = app.declare<(n: number) => void>('two', { queue: 'other' })
  await one.send('before')
  const test = await testing(app, { run: 'never' })
  t.strictSame(test.sent(), [], 'nothing of what was before')
  await one.with({ id: 'x' }).send('a')
  await one.with({ id: 'x' }).send('b')
  await one.send('skip')
  await two.sendMany([[1], [2]])
  await app.send([one.message('c')])
  t.strictSame(
    test.sent(one).map(({ args }) => args),
    [['a'], ['c']],
  )
  for (const actor of [two, declared, two.with({ priority: 'high' })])
    t.strictSame(
      test.sent(actor).map(({ args }) => args),
      [[1], [2]],
    )
  t.match(test.sent()[0], { id: 'x', actor: 'one', queue: 'default', timestamp: test.clock.now() })
  await test[Symbol.asyncDispose]()
  t.equal(test.sent().length, 4, 'still told when it is over')
})

t.test('run: inline runs a message, and what it sends, before send() resolves', async t => {
  const { app } = open(t)
  const ran: string[] = []
  const after = app.actor(() => void ran.push('after'), { name: 'after', queue: 'third' })
  const inner = app.actor(
    () => {
      ran.push('inner')
      current().after(after.message())
    },
    { name: 'inner', queue: 'other' },
  )
  const outer = app.actor(
    async () => {
      await inner.send()
      ran.push('outer')
    },
    { name: 'outer' },
  )
  const fails = app.actor(
    () => {
      ran.push('fails')
      if (current().attempt === 0) throw new Error('x')
    },
    { name: 'fails' },
  )
  await using test = await testing(app, { run: 'inline' })
  await outer.send()
  t.strictSame([...ran].sort(), ['after', 'inner', 'outer'])
  await test.join()
  ran.length = 0
  t.match(await fails.send(), { stored: true }, 'send() does not reject for it')
  t.strictSame(ran, ['fails'])
  await test.advance('30s')
  t.strictSame(ran, ['fails', 'fails'])
  ran.length = 0
  await Promise.all([outer.send(), fails.send(), inner.sendMany([[], []])])
  t.equal(ran.filter(what => what === 'inner').length, 3)
})

t.test('run: never runs nothing, at no time', async t => {
  const { app } = open(t)
  const actor = app.actor(() => t.fail('it ran'), { name: 'a1b' })
  const test = await testing(app, { run: 'never' })
  await actor.send()
  await actor.with({ delay: '1m' }).send()
  await test.advance('1h')
  t.equal(test.clock.monotonic(), 3_600_000)
  await t.rejects(test.join(), { code: 'OPTION_INVALID', message: /run: 'never'/ })
  await test[Symbol.asyncDispose]()
  await t.rejects(testing(app, { run: 'later' as never }), { code: 'OPTION_INVALID', message: /"later".*'inline'/ })
  await (await testing(app))[Symbol.asyncDispose]()
})

t.test('join() has an end: its timeout, the queues that it is given, an actor whose code is not here', async t => {
  const { app } = open(t)
  let runs = 0
  const crawl = app.actor(async () => void (runs++, await crawl.send()), { name: 'crawl', queue: 'crawl' }) as {
    send(): Promise<unknown>
  }
  const good = app.actor(() => {}, { name: 'good' })
  const test = await testing(app)
  await crawl.send()
  await good.send()
  await test.join({ queues: ['default'] })
  t.equal(runs, 0, 'only the queues that it was given')
  await t.rejects(test.join({ timeout: 'soon' as never }), { code: 'DURATION_INVALID' })
  await t.rejects(test.join({ timeout: '50ms' }), { code: 'TEST_UNBOUNDED', message: /still work in crawl, default.*for ever/ })
  await Promise.resolve(test[Symbol.asyncDispose]()).catch((error: unknown) => t.match(error, { code: 'LEAK' })) // it still ran
  t.ok(runs > 10)

  const elsewhere = app.declare<() => void>('elsewhere')
  const other = await testing(app)
  await elsewhere.send()
  await other.join()
  t.match(
    other.dead,
    [{ message: { actor: 'elsewhere' }, reason: /unknown actor/, error: { code: 'ACTOR_UNKNOWN' } }],
    'it is waited for, and dead after its time',
  )
  await other[Symbol.asyncDispose]()
})

t.test('advance() moves the clock by as much as it says, and runs what is due on the way at its time', async t => {
  const { app } = open(t)
  const ran: number[] = []
  await using test = await testing(app)
  const tick = app.actor(
    async (n: number): Promise<void> => {
      ran.push(test.clock.monotonic())
      if (n > 0) await tick.with({ delay: '10s' }).send(n - 1)
    },
    { name: 'tick' },
  )
  await tick.with({ delay: '10s' }).send(2)
  await test.advance(9_999)
  t.strictSame(ran, [])
  await test.advance(1)
  t.strictSame(ran, [10_000], 'at the very moment')
  await test.advance('1m')
  t.strictSame(ran, [10_000, 20_000, 30_000])
  t.equal(test.clock.monotonic(), 70_000)
  await t.rejects(test.advance(-1 as never), { code: 'DURATION_INVALID' })
  await t.rejects(test.advance('1h', { timeout: 'soon' as never }), { code: 'DURATION_INVALID' })
  const ahead = app.actor(() => test.clock.advance(3_600_000), { name: 'ahead' })
  await ahead.send()
  await test.advance('1m')
  t.equal(test.clock.monotonic(), 3_670_000, 'and never back, where a handler moved it further')
})

t.test(
  'advance() has an end too: a handler that waits, an actor that sends itself at once or for all the time there is',
  async t => {
    for (const delay of [0, 1]) {
      const { app } = open(t)
      const again = app.actor(async () => void (await again.with({ delay }).send()), { name: 'again' }) as {
        send(): Promise<unknown>
        with(options: object): { send(): Promise<unknown> }
      }
      const test = await testing(app)
      await again.send()
      await t.rejects(test.advance('365d', { timeout: 50 }), {
        code: 'TEST_UNBOUNDED',
        message: /^advance\(\) found no end.*default/,
      })
      await Promise.resolve(test[Symbol.asyncDispose]()).catch((error: unknown) => t.match(error, { code: 'LEAK' })) // it still ran
    }
    const { app } = open(t)
    const end = gate()
    const waits = app.actor(() => end.opened, { name: 'waits' })
    await using test = await testing(app)
    await waits.with({ delay: '1m' }).send()
    await t.rejects(test.advance('1h', { timeout: 50 }), { code: 'TEST_UNBOUNDED' })
    end.open()
    await test.advance('1h')
  },
)

t.test('run() calls the handler alone, with current() as given', async t => {
  const chain: string[] = []
  const sees: AnyMiddleware = { name: 'sees', process: (_, next) => (chain.push('ran'), next()) }
  const { app } = open(t, { middleware: [...standard(), sees] })
  const next = app.actor(() => {}, { name: 'next' })
  const actor = app.actor(
    async (n: number, fails = false) => {
      const { attempt, signal, deliveries, message, after } = current()
      after(next.message())
      if (fails) throw giveUp('no')
      return { n, attempt, aborted: signal.aborted, reason: signal.reason as unknown, deliveries, message }
    },
    { name: 'a1b', queue: 'other' },
  )
  await using test = await testing(app)
  t.match(await test.run(actor, [5]), { n: 5, attempt: 0, aborted: false, deliveries: 1, message: { args: [5], queue: 'other' } })
  t.equal(test.sent(next).length, 1, 'what it sends afterwards is sent')
  t.match(await test.run(actor, [5], { attempt: 2, signal: AbortSignal.abort() }), {
    attempt: 2,
    aborted: true,
    reason: { code: 'CANCELLED' },
  })
  const { rejects } = t
  await rejects(test.run(actor, [5, true]), { message: 'no' }, 'as it was thrown')
  t.equal(test.sent(next).length, 2, 'and nothing of one that failed')
  t.strictSame([test.sent(actor), test.dead, chain], [[], [], []], 'no queue, no middleware')

  const waits = app.actor(() => new Promise((_, reject) => current().signal.addEventListener('abort', reject)), { name: 'waits' })
  const controller = new AbortController()
  const waiting = test.run(waits, [], { signal: controller.signal })
  await turns()
  controller.abort()
  await t.rejects(waiting, 'with what it threw')

  const typed = app.actor((n: number) => n * 2, { name: 'typed', input: z.coerce.number() })
  t.equal(await test.run(typed, ['21']), 42, 'through its schema')
  await rejects(test.run(typed, ['x']), { code: 'SCHEMA_MISMATCH' })
  await rejects(test.run(app.declare<() => void>('elsewhere'), []), {
    code: 'ACTOR_NOT_IMPLEMENTED',
    message: /"elsewhere".*a1b/,
  })
  await rejects(test.run((() => {}) as never, []), { code: 'ACTOR_INVALID' })
})

t.test('dead tells what was given up, with its reason and its failure, oldest first', async t => {
  const { app } = open(t)
  const fails = app.actor(
    (what: string) => {
      throw what === 'gives up' ? giveUp('enough') : new TypeError(what)
    },
    { name: 'fails', maxRetries: 1 },
  )
  await using test = await testing(app)
  await fails.with({ id: 'a' }).send('x')
  await fails.with({ id: 'b' }).send('gives up')
  await fails.with({ id: 'c', maxAge: 0, delay: '1s' }).send('late')
  await test.join()
  t.match(test.dead, [
    { message: { id: 'b', args: ['gives up'] }, reason: 'gave up: enough', error: { message: 'enough' } },
    { message: { id: 'c' }, reason: /expired/ },
    { message: { id: 'a' }, reason: /exhausted/, error: { type: 'TypeError', message: 'x' } },
  ])
  t.equal(test.dead[1]!.error, undefined)
})

t.test('random decides on jitter', async t => {
  for (const [random, afterMs] of [
    [() => 0, 10_000],
    [() => 0.5, 15_000],
    [() => 0.999_999, 20_000],
  ] as const) {
    const { app, all } = open(t)
    const fails = app.actor(() => Promise.reject(new Error('x')), { name: 'fails', minBackoff: '10s' })
    await using test = await testing(app, { random })
    await fails.send()
    await test.advance(0)
    t.match(all('settled'), [{ outcome: { kind: 'retry', afterMs } }])
  }
})

t.test('decorate injects failures of every call, and the app comes through', async t => {
  const { log } = keepLines()
  const { app, all } = open(t, { log })
  const ran: number[] = []
  const actor = app.actor((n: number) => void ran.push(n), { name: 'a1b' })
  const away = () =>
    new GreenroomError('BROKER_DOWN', 'The connection was cut', { help: 'Try again', retryable: true, stored: 'no' })
  const left = { push: 1, consume: 1, take: 2, settle: 1 }
  const fail = (call: keyof typeof left) => {
    if (left[call]-- > 0) throw away()
  }
  const decorate = (broker: Broker): Broker => ({
    ...broker,
    async push(batch, options) {
      fail('push')
      return broker.push(batch, options)
    },
    async consume(options) {
      const consumer = await broker.consume(options)
      return {
        async take(max, options) {
          fail('take')
          return consumer.take(max, options)
        },
        async settle(batch) {
          fail('settle')
          return consumer.settle(batch)
        },
        [Symbol.asyncDispose]: () => consumer[Symbol.asyncDispose](),
      }
    },
  })
  await using test = await testing(app, { decorate })
  await t.rejects(actor.send(1), { code: 'BROKER_DOWN', stored: 'no' })
  t.strictSame(test.sent(), [], 'what was not stored was not sent')
  await actor.send(2)
  let isOver = false
  const joined = test.join().finally(() => {
    isOver = true
  })
  while (!isOver) {
    await turns(1)
    if (left.take >= 0) test.clock.advance(test.clock.next() ?? 0) // a worker waits before it takes again
  }
  await joined
  t.strictSame(ran, [2], 'it ran once: the settlement was made again')
  t.match(all('settled').at(-1), { settled: 'ok' })
  t.equal(all('trouble').length, 2)
})

t.test('what is given in the place of an actor, its arguments or a time says what belongs there', async t => {
  const { app } = open(t)
  const charge = app.actor(async (_invoice: string, _cents: number) => {}, { name: 'charge' })
  await using test = await testing(app)
  const itself = (of: string) => ({
    code: 'ACTOR_INVALID',
    message: `${of} takes an actor, not "charge". Pass the actor itself, as app.actor() or app.declare() returned it, and not its name [ACTOR_INVALID]`,
  })
  t.throws(() => test.sent('charge' as never), itself('sent()'))
  await t.rejects(test.run('charge' as never, ['inv-1', 1] as never), itself('run()'))
  await t.rejects(test.run(charge, 'inv-1' as never, 1 as never), {
    code: 'MESSAGE_INVALID',
    message: /^run\(\) takes the arguments as one array, not "inv-1"\. Write t\.run\(actor, \[a, b\]/,
  })
  await t.rejects(test.advance('1 h' as never), {
    code: 'DURATION_INVALID',
    message: /^The time of advance\(\) is not a duration: "1 h"/,
  })
})
