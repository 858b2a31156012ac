/** The app of `app.mjs` under jest as ES modules: `node --experimental-vm-modules node_modules/jest/bin/jest.js`. No server, no waiting, no handle left open. */
import { afterEach, beforeEach, expect, test } from '@jest/globals'
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
  expect(response.status).toBe(202)
  const [message, ...more] = t.sent(welcome)
  expect(message.args).toEqual(['ada@example.com', 'Ada'])
  expect(await response.json()).toEqual({ id: message.id })
  expect(more).toEqual([])
  expect(mailServer.delivered).toEqual([])
})

test('an actor that fails twice is tried again, over its back-offs', async () => {
  mailServer.failures = 2
  await welcome.send('ada@example.com', 'Ada')
  const before = t.clock.now()
  await t.join()
  expect(mailServer.delivered).toEqual(['welcome, Ada'])
  expect(t.dead).toEqual([])
  expect(t.clock.now() - before).toBeGreaterThan(30_000) // moved, not waited for
})

test('an actor that gives up leaves a dead letter', async () => {
  await welcome.send('nobody', 'Nobody')
  await t.join()
  const [letter, ...more] = t.dead
  expect(letter.message.args).toEqual(['nobody', 'Nobody'])
  expect(letter.reason).toBe('gave up: nobody is no address')
  expect(more).toEqual([])
})

test('the function alone, on an attempt of its own', async () => {
  expect(await t.run(welcome, ['ada@example.com', 'Ada'], { attempt: 2 })).toBe('sent to ada@example.com on attempt 2')
})

test('what is delayed by an hour runs after an hour, and not before', async () => {
  await survey.with({ delay: '1h' }).send('Ada')
  await t.advance('59m')
  expect(mailServer.delivered).toEqual([])
  await t.advance('1m')
  expect(mailServer.delivered).toEqual(['how was it, Ada?'])
})
