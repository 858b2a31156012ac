/** The app of `app.mjs` under node:test: `node --test`. No server, no waiting, no handle left open. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { testing } from 'greenroom/testing'
import { app, mailServer, signUp, survey, welcome } from './app.mjs'

/** @type {import('greenroom/testing').TestApp} */
let t
beforeEach(async () => {
  Object.assign(mailServer, { failures: 0, delivered: [] })
  t = await testing(app)
})
afterEach(() => t[Symbol.asyncDispose]())

const post = body => new Request('http://localhost/users', { method: 'POST', body: JSON.stringify(body) })

test('the handler answers 202 and sends; nothing is started', async () => {
  const response = await signUp(post({ email: 'ada@example.com', name: 'Ada' }))
  assert.equal(response.status, 202)
  const [message, ...more] = t.sent(welcome)
  assert.deepEqual(message.args, ['ada@example.com', 'Ada'])
  assert.deepEqual(await response.json(), { id: message.id })
  assert.deepEqual(more, [])
  assert.deepEqual(mailServer.delivered, [])
})

test('an actor that fails twice is tried again, over its back-offs', async () => {
  mailServer.failures = 2
  await welcome.send('ada@example.com', 'Ada')
  const before = t.clock.now()
  await t.join()
  assert.deepEqual(mailServer.delivered, ['welcome, Ada'])
  assert.deepEqual(t.dead, [])
  assert.ok(t.clock.now() - before > 30_000) // moved, not waited for
})

test('an actor that gives up leaves a dead letter', async () => {
  await welcome.send('nobody', 'Nobody')
  await t.join()
  const [letter, ...more] = t.dead
  assert.deepEqual(letter.message.args, ['nobody', 'Nobody'])
  assert.equal(letter.reason, 'gave up: nobody is no address')
  assert.deepEqual(more, [])
})

test('the function alone, on an attempt of its own', async () => {
  assert.equal(await t.run(welcome, ['ada@example.com', 'Ada'], { attempt: 2 }), 'sent to ada@example.com on attempt 2')
})

test('what is delayed by an hour runs after an hour, and not before', async () => {
  await survey.with({ delay: '1h' }).send('Ada')
  await t.advance('59m')
  assert.deepEqual(mailServer.delivered, [])
  await t.advance('1m')
  assert.deepEqual(mailServer.delivered, ['how was it, Ada?'])
})
