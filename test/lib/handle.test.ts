import t from 'tap'
import { memoryBroker } from '../../brokers/memory/index.ts'
import { current, greenroom, standard } from '../../index.ts'
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
  t.match(lines, [/no actor "resized" is here.*did the sender mean resize\?/])
  t.equal(lines.length, 1)
})

t.test('an app that is closed cannot be put under test', async t => {
  const app = greenroom({ broker: 'memory:' })
  await app.close()
  await t.rejects(testing(app), { code: 'APP_CLOSED' })
  await t.rejects(testing(app), { code: 'APP_CLOSED' }, 'again: it does not count as under test')
})
