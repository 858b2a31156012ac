/** The tables "What each call resolves to" of docs/guide.md, cell by cell. */
import t from 'tap'
import { memoryBroker } from '../brokers/memory/index.ts'
import { type App, type Broker, current, defineMiddleware, greenroom, standard, type Standard } from '../index.ts'
import type { FeaturesOf, SpecsOf } from '../lib/middleware.ts'
import { testing } from '../testing.ts'
import { blocksOf, textOf } from './docs-pages.ts'
import { open, openMoving } from './helpers/open.ts'
import { pass, turns } from './helpers/turns.ts'

type StandardApp = App<SpecsOf<Standard>, FeaturesOf<Standard>>
const never = () => new Promise<never>(() => {})
const CLOSED = { code: 'APP_CLOSED', stored: 'no' }

/** An app with an actor, in the state that it is given in. */
const withHello = (app: StandardApp) => ({ app, hello: app.actor(async (name: string) => `hello, ${name}`, { name: 'hello' }) })

t.test('the page has a row for each call that is looked at here', async t => {
  const rows = [...textOf('docs/guide.md').matchAll(/^\| `([^`]+)`(?:, `[^`]+`)? (?:in a handler |elsewhere )?\|/gm)].map(
    ([, call]) => call!,
  )
  for (const call of [
    'actor(...)',
    'actor.send(...)',
    'actor.sendMany([...])',
    'handle.state()',
    'app.work()',
    'worker.stopped',
    'app.close()',
  ])
    t.ok(rows.includes(call), call)
  t.ok(blocksOf('docs/guide.md').length > 0)
})

t.test('before the app is open, and open', async t => {
  for (const isOpen of [false, true]) {
    const { app, hello } = withHello(open(t).app)
    if (isOpen) await hello.send('first')
    t.equal(await hello('Ada'), 'hello, Ada')
    t.match(hello.message('Ada'), { actor: 'hello', args: ['Ada'] })
    t.equal(await hello.sent('no-such').state(), 'unknown')
    t.match(await hello.with({ delay: '1s' }).send('Ada'), { stored: true, by: undefined })
    t.match(await hello.sendMany([['Ada'], ['Grace']]), [{ stored: true }, { stored: true }])
    t.strictSame(await hello.sendMany([]), [])
    t.match(await app.send([hello.message('Ada')]), [{ stored: true }])
    t.strictSame(await app.send([]), [])
    const worker = await app.work({ until: 'idle' })
    await worker.stopped
    await worker.close()
    await worker.close()
    await app.close()
    await app.close()
  }
})

t.test('closed', async t => {
  for (const isOpen of [false, true]) {
    const { app, hello } = withHello(open(t).app)
    if (isOpen) await hello.send('first')
    const worker = isOpen ? await app.work() : undefined
    await app.close()
    await worker?.stopped
    await worker?.close()
    await app.close()
    t.equal(await hello('Ada'), 'hello, Ada')
    await t.rejects(hello.send('Ada'), CLOSED)
    await t.rejects(hello.sendMany([['Ada'], ['Grace']]), CLOSED)
    await t.rejects(hello.sendMany([['Ada']]), CLOSED)
    await t.rejects(app.send([hello.message('Ada')]), CLOSED)
    t.strictSame([await hello.sendMany([]), await app.send([])], [[], []])
    t.match(hello.with({ delay: '1s' }).message('Ada'), { actor: 'hello' })
    await t.rejects(hello.sent('x').state(), CLOSED)
    await t.rejects(app.sent('x').state(), CLOSED)
    t.type(
      app.actor(async () => {}, { name: 'late' }),
      'function',
    )
    t.match(app.declare('elsewhere').message(), { actor: 'elsewhere' })
    await t.rejects(app.work(), CLOSED)
  }
})

t.test('away: connected, and then without an answer', async t => {
  const memory = memoryBroker()
  const { app, clock } = await openMoving(t, { maxPending: 3, broker: { ...memory, push: never } as Broker })
  const { hello } = withHello(app as unknown as StandardApp)
  const outcomes = [hello.send('Ada'), hello.sendMany([['Ada'], ['Grace']])].map(sent => sent.catch((error: unknown) => error))
  await turns()
  clock.advance(1_001)
  await t.rejects(hello.send('Grace'), { code: 'SEND_PENDING', stored: 'no', retryable: true })
  await pass(clock, 4_000)
  t.match(await outcomes[0], { code: 'BROKER_DOWN', stored: 'maybe', retryable: true })
  t.match(await outcomes[1], { code: 'BROKER_DOWN', stored: 'maybe', retryable: true })
  const one = hello.sendMany([['Ada']]).catch((error: unknown) => error)
  await pass(clock, 5_000)
  t.match(await one, { code: 'BROKER_DOWN' })
  t.equal(await hello('Ada'), 'hello, Ada')
  const closing = app.close()
  await pass(clock, 60_000)
  await closing
})

t.test('away: what a broker throws reaches the caller as it is', async t => {
  const gone = new Error('gone')
  const away = async (): Promise<never> => {
    throw gone
  }
  const memory = memoryBroker()
  const broker: Broker = { ...memory, push: away, consume: away, inspector: { ...memory.inspector, find: away } }
  const { app, hello } = withHello(open(t, { broker }).app)
  await t.rejects(hello.send('Ada'), gone)
  await t.rejects(hello.sent('x').state(), gone)
  await t.rejects(app.work(), gone)
})

t.test('current()', async t => {
  t.throws(() => current(), { code: 'NO_CONTEXT' })
  t.equal(current.maybe(), undefined)
  const { app, until } = open(t)
  const inner = app.actor(async () => current().id, { name: 'inner' })
  const outer = app.actor(
    async () => {
      t.equal(await inner(), current().id, 'a direct call in a handler is a part of its run')
    },
    { name: 'outer' },
  )
  const { id } = await outer.send()
  const worker = await app.work()
  const [settled] = await until('settled', 1)
  t.match(settled, { message: { id }, outcome: { kind: 'done' } })
  await worker.close()
  t.not(await inner(), await inner(), 'elsewhere each is a run of its own')
})

t.test('wrong options, wrong arguments', async t => {
  const { app, memory } = open(t)
  const { hello } = withHello(app as unknown as StandardApp)
  t.throws(() => greenroom({ brokr: 'memory:' } as never), { code: 'OPTION_UNKNOWN' })
  t.throws(() => app.actor(async () => {}, { name: 'x', maxRetries: -1 }), { code: 'OPTION_INVALID' })
  t.throws(() => hello.with({ delay: 'soon' as never }), { code: 'DURATION_INVALID' })
  await t.rejects(hello.send(new Date() as never), { code: 'NOT_DATA' })
  await t.rejects(hello.send('x'.repeat(2 ** 20)), { code: 'BODY_TOO_LARGE' })
  await t.rejects(hello.sendMany([['good'], [undefined as never]]), { code: 'NOT_DATA' })
  await t.rejects(app.send([hello.message('good'), { ...hello.message('bad'), id: '' }]), { code: 'MESSAGE_INVALID' })
  t.strictSame(await memory.inspector.queues(), [], 'nothing was stored')
})

t.test('a duplicate, skipped, refused, aborted', async t => {
  const picky = defineMiddleware({
    name: 'picky',
    send(batch) {
      if (batch.some(({ message }) => message.args[0] === 'refused')) throw new Error('refused')
      return batch.filter(({ message }) => message.args[0] !== 'skipped')
    },
  })
  const { app } = open(t, { middleware: [...standard(), picky] })
  const { hello } = withHello(app as unknown as StandardApp)
  await hello.with({ id: '1' }).send('Ada')
  t.match(await hello.with({ id: '1' }).send('Grace'), { stored: false, by: undefined })
  const skipped = await hello.send('skipped')
  t.match(skipped, { stored: false, by: 'picky' })
  t.equal(await skipped.state(), 'unknown')
  await t.rejects(hello.send('refused'), new Error('refused'))
  await t.rejects(hello.with({ signal: AbortSignal.abort() }).send('Ada'), { code: 'SEND_ABORTED', stored: 'no' })
})

t.test('a dead letter keeps its id taken until it is dropped or revived', async t => {
  const { app, memory } = open(t)
  const fails = app.actor(async () => Promise.reject(new Error('no')), { name: 'fails', maxRetries: 0 })
  await fails.with({ id: '1' }).send()
  await (
    await app.work({ until: 'idle' })
  ).stopped
  t.match(await fails.with({ id: '1' }).send(), { stored: false })
  await memory.inspector.drop('default', ['1'])
  t.match(await fails.with({ id: '1' }).send(), { stored: true })
})

t.test('a direct call: alone, and what it asked for afterwards', async t => {
  const { app } = open(t)
  const { hello } = withHello(app as unknown as StandardApp)
  const after = app.actor(
    async (fail: boolean) => {
      const { attempt, deliveries, signal } = current()
      current().after(hello.with({ id: `after-${fail}` }).message('Ada'))
      if (fail) throw new Error('no')
      return { attempt, deliveries, aborted: signal.aborted }
    },
    { name: 'after' },
  )
  t.strictSame(await after(false), { attempt: 0, deliveries: 1, aborted: false })
  t.equal(await hello.sent('after-false').state(), 'waiting')
  await t.rejects(after(true), new Error('no'))
  t.equal(await hello.sent('after-true').state(), 'unknown')
  await app.close()
  await t.rejects(after(false), CLOSED, 'what cannot be stored rejects the call')
})

t.test('a declared actor has no code to call; what implement() returns has', async t => {
  const { app } = open(t)
  const declared = app.declare<(n: number) => Promise<number>>('declared')
  t.throws(() => (declared as unknown as () => void)(), {
    code: 'ACTOR_NOT_IMPLEMENTED',
    message: /^declared was made by declare\(\).*Send it: declared\.send\(…\)\. Or call what implement\(\) returned/,
  })
  t.equal((declared as unknown as () => void).name, 'declared')
  t.ok((await declared.send(1)).stored)
  t.equal(await declared.implement(async n => n + 1)(1), 2)
})

t.test('in a test', async t => {
  const { app, memory } = open(t)
  const { hello } = withHello(app as unknown as StandardApp)
  {
    await using test = await testing(app)
    t.match(await hello.with({ id: '1' }).send('Ada'), { stored: true })
    t.equal(await hello.sent('1').state(), 'waiting')
    await test.join()
    t.equal(await hello.sent('1').state(), 'unknown')
  }
  t.strictSame(await memory.inspector.queues(), [], 'its own broker saw nothing')
})
