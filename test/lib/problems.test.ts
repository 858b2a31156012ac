/** A worker that was started in code says what fails; in words that the command line has too. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { giveUp, logging, standard } from '../../index.ts'
import { type Events, eventStream } from '../../lib/events.ts'
import { internalsOf } from '../../lib/internals.ts'
import { PROBLEM_LINES } from '../../lib/defaults.ts'
import { movingClock } from '../../lib/moving-clock.ts'
import { crashLoopText, leftOutLine, lineLimit, rejectedLine, reporting, settledLine } from '../../lib/problems.ts'
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
    [
      { ...end, outcome: { kind: 'dead', reason: crashLoopText(5) } },
      'dead charge inv-1  crash loop: 5 workers died or froze with it',
    ],
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

t.test('a flood of one kind is so many lines a second, and a number; the others keep theirs', async t => {
  const clock = movingClock(),
    { log, lines } = keepLines()
  let from = 0
  const events = reporting(eventStream([], log), log, clock),
    told = () => lines.slice(from, (from = lines.length)).map(({ level, facts }) => `${level} ${String(facts)}`)
  const reject = (count: number) => {
    for (let n = 0; n < count; n++) events.emit('rejected', { id: 'x', queue: 'q', reason: 'not JSON' })
  }
  const one = 'error dead x of the queue q: not JSON'
  reject(PROBLEM_LINES + 7)
  t.strictSame(told(), Array(PROBLEM_LINES).fill(one))
  events.emit('settled', { ...end, outcome: { kind: 'dead', reason: 'expired' } })
  events.emit('settled', { ...end, settled: 'lost', outcome: { kind: 'dead', reason: 'expired' } })
  t.strictSame(told(), ['error dead charge inv-1 12ms  expired', 'warn lost charge inv-1 12ms  its lease lapsed, it runs again'])
  clock.advance(999)
  t.strictSame(told(), [], 'the second is not over')
  clock.advance(1)
  t.strictSame(told(), ['error dead 7 more that could not be read, within 1s'])
  reject(PROBLEM_LINES)
  t.strictSame(told(), Array(PROBLEM_LINES).fill(one), 'the next second has lines of its own')
})

t.test('a worker that stops tells at once what it left out', async t => {
  const { app, memory, until, lines } = open(t)
  app.actor(() => {}, { name: 'works' })
  for (let n = 0; n < PROBLEM_LINES + 3; n++) await pushRaw(memory, 'hello')
  const worker = await app.work()
  await until('rejected', PROBLEM_LINES + 3)
  await worker.close()
  t.equal(lines.length, PROBLEM_LINES + 1)
  t.match(lines.at(-1), { level: 'error', facts: 'dead 3 more that could not be read, within 1s' })
})

t.test('what is left out is told once a second, by kind', async t => {
  const clock = movingClock(),
    told: unknown[] = []
  const limit = lineLimit(clock, (kind, count) => told.push([kind, count, clock.monotonic()]))
  const many = (kind: 'retry' | 'lost', count: number) =>
    Array.from({ length: count }, () => limit.allows(kind)).filter(Boolean).length
  t.equal(many('retry', PROBLEM_LINES), PROBLEM_LINES)
  clock.advance(5_000)
  t.strictSame([told, clock.pending], [[], 0], 'nothing was left out, and no timer set')
  t.equal(many('retry', PROBLEM_LINES), PROBLEM_LINES)
  clock.advance(400)
  t.equal(many('retry', 2), 0)
  t.equal(many('lost', PROBLEM_LINES + 5), PROBLEM_LINES)
  clock.advance(10_000)
  t.strictSame(told, [
    ['retry', 2, 6_000],
    ['lost', 5, 6_400],
  ])
  t.equal(leftOutLine('retry', 2), 'retry 2 more, within 1s')
  many('retry', PROBLEM_LINES + 1)
  limit.flush()
  limit.flush()
  t.strictSame([told.slice(2), clock.pending], [[['retry', 1, 15_400]], 0])
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
