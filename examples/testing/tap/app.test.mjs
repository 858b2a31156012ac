/** The app of `app.mjs` under tap: `tap`. No server, no waiting, no handle left open. */
import { testing } from 'greenroom/testing'
import { afterEach, beforeEach, test } from 'tap'
import { app, mailServer, signUp, survey, welcome } from './app.mjs'

/** As tap's own is called t. @type {import('greenroom/testing').TestApp} */
let at
beforeEach(async () => {
  Object.assign(mailServer, { failures: 0, delivered: [] })
  at = await testing(app)
})
afterEach(() => at[Symbol.asyncDispose]())

const post = body => new Request('http://localhost/users', { method: 'POST', body: JSON.stringify(body) })

test('the handler answers 202 and sends; nothing is started', async t => {
  const response = await signUp(post({ email: 'ada@example.com', name: 'Ada' }))
  t.equal(response.status, 202)
  const [message, ...more] = at.sent(welcome)
  t.strictSame(message.args, ['ada@example.com', 'Ada'])
  t.strictSame(await response.json(), { id: message.id })
  t.strictSame(more, [])
  t.strictSame(mailServer.delivered, [])
})

test('an actor that fails twice is tried again, over its back-offs', async t => {
  mailServer.failures = 2
  await welcome.send('ada@example.com', 'Ada')
  const before = at.clock.now()
  await at.join()
  t.strictSame(mailServer.delivered, ['welcome, Ada'])
  t.strictSame(at.dead, [])
  t.ok(at.clock.now() - before > 30_000) // moved, not waited for
})

test('an actor that gives up leaves a dead letter', async t => {
  await welcome.send('nobody', 'Nobody')
  await at.join()
  const [letter, ...more] = at.dead
  t.strictSame(letter.message.args, ['nobody', 'Nobody'])
  t.equal(letter.reason, 'gave up: nobody is no address')
  t.strictSame(more, [])
})

test('the function alone, on an attempt of its own', async t => {
  t.equal(await at.run(welcome, ['ada@example.com', 'Ada'], { attempt: 2 }), 'sent to ada@example.com on attempt 2')
})

test('what is delayed by an hour runs after an hour, and not before', async t => {
  await survey.with({ delay: '1h' }).send('Ada')
  await at.advance('59m')
  t.strictSame(mailServer.delivered, [])
  await at.advance('1m')
  t.strictSame(mailServer.delivered, ['how was it, Ada?'])
})
