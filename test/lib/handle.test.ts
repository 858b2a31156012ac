import t from 'tap'
import { memoryBroker } from '../../brokers/memory/index.ts'
import { current, defineMiddleware, greenroom, standard } from '../../index.ts'
import { testing } from '../../testing.ts'

t.test('a handle as JSON says what it is, and nothing of how it works', async t => {
  const app = greenroom({ middleware: standard() })
  const greet = app.actor(async () => {}, { name: 'greet' })
  await using _ = await testing(app, { run: 'never' })
  t.equal(JSON.stringify(await greet.with({ id: 'one' }).send()), '{"id":"one","stored":true}')
  t.equal(JSON.stringify(await greet.with({ id: 'one' }).send()), '{"id":"one","stored":false}')
})

t.test('a listener of the signal is part of its run', async t => {
  const app = greenroom({ middleware: standard({ maxRetries: 0 }) })
  const heard: string[] = []
  const slow = app.actor(
    async () => {
      const { signal } = current()
      await new Promise<void>(resolve =>
        signal.addEventListener('abort', () => {
          heard.push(current().id)
          resolve()
        }),
      )
    },
    { name: 'slow', timeLimit: '1s' },
  )
  await using kit = await testing(app)
  const { id } = await slow.send()
  const joined = kit.join()
  while (heard.length === 0) {
    await new Promise(resolve => setImmediate(resolve))
    kit.clock.advance(100)
  }
  await joined
  t.strictSame(heard, [id])
})

t.test(
  'an actor that is not here is counted by process, not by worker: in a test it is dead after a quarter of an hour',
  async t => {
    const app = greenroom({ middleware: standard() })
    const elsewhere = app.declare<() => Promise<void>>('elsewhere')
    await using kit = await testing(app)
    await elsewhere.send()
    await kit.join()
    t.match(kit.dead, [{ reason: /unknown actor/ }])
    t.ok(kit.clock.monotonic() >= 15 * 60_000)
  },
)

t.test('a worker says once that an actor is not here, and which one may be meant', async t => {
  const lines: string[] = []
  const keep = (facts: object | string, text = String(facts)) => void lines.push(text)
  const app = greenroom({ middleware: standard(), log: { debug() {}, info() {}, warn: keep, error: keep } })
  app.actor(async () => {}, { name: 'resize' })
  const wrong = app.declare<() => Promise<void>>('resized')
  await using memory = memoryBroker()
  const real = greenroom({ broker: memory, middleware: standard(), log: { debug() {}, info() {}, warn: keep, error: keep } })
  real.actor(async () => {}, { name: 'resize' })
  await real.send([wrong.message(), wrong.message()])
  await (
    await real.work({ until: 'idle' })
  ).stopped
  await real.close()
  t.match(lines, [
    /^no actor "resized" is here, and the queue default has a message for it; .* did the sender mean resize\? If its queue is another one: greenroom send without --queue goes to default$/,
  ])
  t.equal(lines.length, 1)
})

t.test('the line about an actor that is not here says the queue, and what to do', async t => {
  const lines: string[] = []
  const keep = (facts: object | string, text = String(facts)) => void lines.push(text)
  const app = greenroom({ middleware: standard(), log: { debug() {}, info() {}, warn: keep, error: keep } })
  app.actor(async () => {}, { name: 'rest', queue: 'mail' })
  const declared = app.declare<() => Promise<void>>('decl')
  const stranger = greenroom().declare<() => Promise<void>>('frobnicate', { queue: 'mail' })
  const ownQueue = greenroom().declare<() => Promise<void>>('whatever')
  await using kit = await testing(app)
  await app.send([declared.message(), stranger.message(), ownQueue.message()])
  await kit.join()
  const line = (pattern: string) => lines.find(text => text.includes(pattern)) ?? ''
  t.match(line('"decl"'), /the queue default has a message .*: it is only declared here: call implement\(\)$/)
  t.match(line('"frobnicate"'), /the queue mail has a message .*: import the module that implements it$/)
  t.match(
    line('"whatever"'),
    /import the module that implements it\. If its queue is another one: greenroom send without --queue goes to default$/,
  )
})

t.test('an app that is closed cannot be put under test', async t => {
  const app = greenroom({ broker: 'memory:' })
  await app.close()
  await t.rejects(testing(app), { code: 'APP_CLOSED' })
  await t.rejects(testing(app), { code: 'APP_CLOSED' }, 'again: it does not count as under test')
})

/** A middleware whose `result()` says which message it was asked about. */
const telling = (name = 'telling') =>
  defineMiddleware({
    name,
    provides: {
      results: {
        async result({ id, queue, services }, { timeout } = {}) {
          return [id, queue, timeout, typeof (await services()).push]
        },
      },
    },
  })

t.test('what a middleware provides is a method of every handle, typed by the actor', async t => {
  const app = greenroom({ middleware: [...standard(), telling()] })
  const greet = app.actor(async () => 'hello', { name: 'greet', queue: 'greetings' })
  await using _ = await testing(app, { run: 'never' })
  const sent = await greet.with({ id: 'one' }).send()
  const result: string = await sent.result({ timeout: '1s' })
  t.strictSame(result, ['one', 'greetings', '1s', 'function'])
  const others = [greet.sent('two'), greet.with({ queue: 'other' }).sent('two'), app.sent('two')]
  t.strictSame(await Promise.all(others.map(handle => handle.result())), [
    ['two', 'greetings', undefined, 'function'],
    ['two', 'other', undefined, 'function'],
    ['two', undefined, undefined, 'function'],
  ])
  for (const [many] of [await greet.sendMany([[]]), await app.send([greet.message()])])
    t.type((many as unknown as typeof sent).result, 'function')
  t.equal(JSON.stringify(sent), '{"id":"one","stored":true}', 'and it is none of its data')
  t.equal(sent.constructor.name, 'Handle')

  const plain = greenroom({ middleware: standard() })
  t.notOk('result' in plain.sent('one'), 'other apps have their own handles')
})

t.test('a method that handles have already, or that is none, is refused when the app is made', async t => {
  const providing = (methods: object) => ({ name: 'wrong', provides: { results: methods } }) as never
  const refused = (what: RegExp, ...middleware: readonly Parameters<typeof greenroom>[0][]) =>
    t.throws(() => greenroom({ middleware } as never), { code: 'MIDDLEWARE_INVALID', message: what })
  refused(/^other provides result\(\), which handles have already/, telling() as never, telling('other') as never)
  for (const taken of ['id', 'stored', 'by', 'state', 'then', 'constructor', 'toString'])
    refused(new RegExp(`^wrong provides ${taken}\\(\\), which handles have already`), providing({ [taken]() {} }))
  refused(/^wrong\.provides\.results\.result is not a function/, providing({ result: 'later' }))
})

t.test('a method of a handle opens the app, and says when it is closed', async t => {
  await using broker = memoryBroker()
  const app = greenroom({ broker, middleware: [telling()] })
  t.strictSame(await app.sent('one').result(), ['one', undefined, undefined, 'function'])
  await app.close()
  await t.rejects(app.sent('one').result(), { code: 'APP_CLOSED' })
})
