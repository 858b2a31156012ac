/** A worker that was started in code says what fails; in words that the command line has too. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { giveUp, logging, standard } from '../../index.ts'
import type { Events } from '../../lib/events.ts'
import { internalsOf } from '../../lib/internals.ts'
import { rejectedLine, settledLine } from '../../lib/problems.ts'
import { testing } from '../../testing.ts'
import { install } from '../cli/program.ts'
import { pushRaw } from '../helpers/raw.ts'
import { open } from '../helpers/open.ts'
import { keepLines } from '../helpers/recorder.ts'

const message = { id: 'inv-1', queue: 'money', actor: 'charge', args: ['secret'], options: {}, timestamp: 0 }
const end = { message, attempt: 0, deliveries: 1, ms: 12.4, settled: 'ok' } as const
const error = new TypeError('no answer')

t.test('the line of each end', async t => {
  for (const [event, line] of [
    [{ ...end, outcome: { kind: 'done' } }, 'done charge inv-1 12ms'],
    [
      { ...end, outcome: { kind: 'retry', afterMs: 15_000, error } },
      'retry charge inv-1 12ms  run 1 failed: TypeError: no answer; again in 15s',
    ],
    [{ ...end, outcome: { kind: 'dead', reason: 'expired' } }, 'dead charge inv-1 12ms  expired'],
    [{ ...end, outcome: { kind: 'dead', reason: 'x', error } }, 'dead charge inv-1 12ms  x: TypeError: no answer'],
    [{ ...end, outcome: { kind: 'dead', reason: 'x: no answer', error } }, 'dead charge inv-1 12ms  x: no answer'],
    [{ ...end, outcome: { kind: 'failed', error } }, 'failed charge inv-1 12ms  TypeError: no answer'],
    [{ ...end, outcome: { kind: 'release', afterMs: 0, reason: 'y' } }, 'release charge inv-1 12ms  y; again at once'],
    [{ ...end, outcome: { kind: 'release', afterMs: 9, reason: 'y' } }, 'release charge inv-1 12ms  y; again in 9ms'],
    [{ ...end, settled: 'lost', outcome: { kind: 'done' } }, 'lost charge inv-1 12ms  its lease lapsed, it runs again'],
  ] satisfies [Events['settled'], string][])
    t.equal(settledLine(event), line)
  t.equal(rejectedLine({ id: 'x', queue: 'q', reason: 'not JSON' }), 'dead x of the queue q: not JSON')
})

t.test('what others wrote forges no line, and shows no password', async t => {
  const evil = new Error('a\nb redis://me:pw@host')
  const line = settledLine({
    ...end,
    message: { ...message, id: 'x\u001b[2J' },
    outcome: { kind: 'retry', afterMs: 0, error: evil },
  })
  t.notMatch(line, /[\n\u001b]|pw/)
  t.notMatch(rejectedLine({ id: 'x\n', queue: 'q', reason: '\u202e' }), /[\n\u202e]/)
})

t.test('the log has one line for what is tried again, dead, or no message; none for what is done', async t => {
  const { app, memory, until, lines } = open(t, { middleware: standard({ minBackoff: 1, maxBackoff: 1 }) })
  const fails = app.actor(() => Promise.reject(new Error('no answer')), { name: 'fails', maxRetries: 1 })
  const gives = app.actor(
    () => {
      throw giveUp('no such user')
    },
    { name: 'gives' },
  )
  await app.actor(() => {}, { name: 'works' }).send()
  const { id: failed } = await fails.send()
  const { id: given } = await gives.send()
  await pushRaw(memory, 'hello', 'bad')
  const worker = await app.work()
  await until('settled', 4)
  await until('rejected')
  await worker.close()
  const told = lines.map(({ level, facts }) => `${level} ${String(facts)}`.replace(/ \d+ms {2}/, ' N  '))
  t.strictSame(told.sort(), [
    `error dead bad of the queue default: undecodable: not JSON`,
    `error dead fails ${failed} N  retries exhausted after 1 retry: no answer`,
    `error dead gives ${given} N  gave up: no such user`,
    `warn retry fails ${failed} N  run 1 failed: Error: no answer; again in 1ms`,
  ])
})

t.test('whoever composes logging() does not get it twice', async t => {
  const { log, lines: logged } = keepLines()
  const { app, until, lines } = open(t, { middleware: [...standard(), logging({ log })] })
  await app.actor(() => Promise.reject(new Error('x')), { name: 'fails', maxRetries: 0 }).send()
  await app.work({ until: 'idle' })
  await until('settled')
  t.strictSame(lines, [])
  t.match(
    logged.filter(({ level }) => level === 'error'),
    [{ text: 'dead' }],
  )
})

t.test('the command line reports by itself', async t => {
  const { app, until, lines } = open(t)
  internalsOf(app).reports = false
  await app.actor(() => Promise.reject(new Error('x')), { name: 'fails', maxRetries: 0 }).send()
  await app.work({ until: 'idle' })
  await until('settled')
  t.strictSame(lines, [])
})

t.test('a test is silent, also with a worker of its own; the app speaks again afterwards', async t => {
  const { app, all, until, lines } = open(t)
  const fails = app.actor(() => Promise.reject(new Error('x')), { name: 'fails', maxRetries: 1, minBackoff: 0 })
  const test = await testing(app)
  await fails.send()
  await test.join()
  await fails.send()
  await (
    await app.work({ until: 'idle' })
  ).stopped
  t.ok(all('settled').length >= 3, 'runs that failed')
  await test[Symbol.asyncDispose]()
  t.strictSame(lines, [])
  const before = all('settled').length
  await fails.with({ maxRetries: 0 }).send()
  await app.work({ until: 'idle' })
  await until('settled', before + 1)
  await app.close()
  t.match(lines, [{ level: 'error' }])
})

t.test('without a logger it is on standard error', async t => {
  const folder = install(mkdtempSync(join(tmpdir(), 'greenroom-problems-')))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  writeFileSync(
    join(folder, 'jobs.mjs'),
    `import { greenroom } from 'greenroom'
    const app = greenroom({ broker: 'memory:' })
    await app.actor(async () => { throw new Error('no answer') }, { name: 'fails', maxRetries: 0 }).with({ id: 'one' }).send()
    await (await app.work({ until: 'idle' })).stopped
    await app.close()`,
  )
  const { stdout, stderr } = spawnSync(process.execPath, ['jobs.mjs'], { cwd: folder, encoding: 'utf8' })
  t.equal(stdout, '')
  t.match(stderr, /^greenroom error: dead fails one \d+ms {2}retries exhausted after 0 retries: no answer\n$/)
})
