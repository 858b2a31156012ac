/** What observers see: the channels, the log lines, and that no name can forge one. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import t from 'tap'
import { logging, standard } from '../../index.ts'
import type { EventKind } from '../../lib/events.ts'
import { bound, consoleLogger } from '../../lib/log.ts'
import { oneLine } from '../../lib/printable.ts'
import { hostileThrows } from '../helpers/hostile.ts'
import { open, openMoving } from '../helpers/open.ts'
import { pushRaw, wireBody } from '../helpers/raw.ts'
import { keepLines } from '../helpers/recorder.ts'
import { gate, pass } from '../helpers/turns.ts'

t.test('each event is published on the channel of its name', async t => {
  const { app, clock, memory } = await openMoving(t)
  const seen: [kind: EventKind, event: unknown][] = []
  for (const kind of ['sent', 'started', 'settled', 'rejected', 'stuck', 'stopping', 'trouble'] as const) {
    const keep = (event: unknown) => void seen.push([kind, event])
    subscribe(`greenroom:${kind}`, keep)
    t.teardown(() => unsubscribe(`greenroom:${kind}`, keep))
  }
  const end = gate()
  await app
    .actor(() => end.opened, { name: 'deaf', timeLimit: '1s', maxRetries: 0 })
    .with({ id: 'x' })
    .send()
  await pushRaw(memory, '{')
  const worker = await app.work()
  await pass(clock, 10_000)
  await worker.close()
  const of = (kind: EventKind) => seen.filter(([seen]) => seen === kind).map(([, event]) => event)
  t.match(of('sent'), [{ message: { id: 'x' }, stored: true }])
  t.match(of('started'), [{ message: { id: 'x', args: [] }, attempt: 0, deliveries: 1 }])
  t.match(of('stuck'), [{ message: { id: 'x' }, reason: 'time limit', stuck: 1 }])
  t.match(of('settled'), [{ message: { id: 'x' }, outcome: { kind: 'dead' }, attempt: 0, ms: 6_000, settled: 'ok' }])
  t.match(of('rejected'), [{ id: /^raw-/, queue: 'default', reason: /not JSON/ }])
  t.match(of('stopping'), [{ running: 0, graceMs: 25_000, messages: [] }])
  end.open()
})

t.test('logging() writes one line an event, and no arguments unless it is asked', async t => {
  for (const args of [undefined, ({ args }: { args: readonly unknown[] }) => args.length]) {
    const { log, lines } = keepLines()
    const { app, clock, memory } = await openMoving(t, { middleware: [...standard(), logging({ log, args })] })
    const secret = 'hunter2'
    await app
      .actor((_secret: string) => {}, { name: 'works' })
      .with({ id: 'a' })
      .send(secret)
    await app
      .actor(
        (_secret: string) => {
          throw new TypeError('x')
        },
        { name: 'fails', maxRetries: 1, minBackoff: '1s' },
      )
      .with({ id: 'b' })
      .send(secret)
    await pushRaw(memory, wireBody({ actor_name: 'nobody', args: [secret] }), 'c')
    await pushRaw(memory, '{', 'd')
    const worker = await app.work()
    await pass(clock, 1_800)
    await worker.close()
    t.match(
      lines
        .filter(({ level }) => level !== 'debug')
        .map(({ level, facts, text }) => `${level} ${String(facts['id'])} ${text}`)
        .sort(),
      [
        'error b dead',
        'error d dead: not a message',
        'info a done',
        'info c released',
        'info c released',
        'info undefined stopping',
        'warn b failed, will be tried again',
      ],
    )
    t.match(
      lines.find(({ text }) => text === 'failed, will be tried again'),
      { facts: { actor: 'fails', queue: 'default', attempt: 0, afterMs: 1_500, err: { type: 'TypeError', message: 'x' } } },
    )
    t.notMatch(JSON.stringify(lines), secret)
    t.match(lines.find(({ text }) => text === 'done')!.facts, { args: args && 1, ms: 0 })
  }
})

t.test('whatever is thrown can be logged', async t => {
  const { log, lines } = keepLines()
  for (const [what, value] of hostileThrows.filter(([, value]) => value !== undefined)) {
    const { app, until } = open(t, { middleware: [...standard({ maxRetries: 0 }), logging({ log })] })
    await app
      .actor(
        () => {
          throw value
        },
        { name: 'fails' },
      )
      .send()
    await app.work()
    await until('settled')
    t.match(lines.at(-1), { level: 'error', facts: { err: { type: String, message: String } }, text: 'dead' }, what)
    t.doesNotThrow(() => JSON.stringify(lines.at(-1)), what)
    await app.close()
  }
})

t.test('the console gets one line a call, whatever is in it', async t => {
  const lines: string[] = []
  for (const level of ['warn', 'error'] as const) t.capture(console, level, (line: string) => void lines.push(line))
  const forged = 'mail\ngreenroom error: all is lost\r\x1b[31m\u2028\u2029\u202e\u2066\x00\x7f\x9b'
  consoleLogger.warn({ actor: forged, err: new Error(forged), list: [forged], n: 5 }, forged)
  consoleLogger.error(forged)
  bound(consoleLogger, { id: forged }).error({ x: 1 }, 'bound')
  consoleLogger.error({ err: { circle: lines, big: 5n } }, 'odd')
  for (const [, value] of hostileThrows) consoleLogger.error({ err: value }, 'thrown')
  consoleLogger.warn({ long: 'x'.repeat(1_000_000) }, 'long')
  consoleLogger.debug({}, 'dropped')
  consoleLogger.info({}, 'dropped')
  t.equal(lines.length, 5 + hostileThrows.length)
  for (const line of lines) {
    t.match(line, /^greenroom (warning|error): /)
    t.notMatch(line, /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/)
    t.ok(line.length < 60_000)
  }
  t.match(lines[0], 'mail\\u000agreenroom error: all is lost')
  t.equal(oneLine('a\tb'), 'a\\u0009b')
})

t.test('a hostile actor name cannot forge a line of the worker', async t => {
  const lines: string[] = []
  for (const level of ['warn', 'error'] as const) t.capture(console, level, (line: string) => void lines.push(line))
  const broken = { name: 'broken', process: () => Promise.reject(new Error('one\ntwo')) }
  const { app, memory, until } = open(t, { log: consoleLogger, middleware: [broken] })
  await pushRaw(memory, wireBody({ actor_name: 'x\ngreenroom error: forged', args: ['\n'] }))
  await app.work({ queues: ['default'] })
  await until('settled')
  t.ok(lines.length > 0)
  for (const line of lines) t.notMatch(line, '\n')
})

t.test('nobody listens: nothing is made for nobody, and a listener that comes later is told', async t => {
  const { app } = open(t)
  const seen: unknown[] = []
  const keep = (event: unknown) => void seen.push(event)
  const actor = app.actor(() => {}, { name: 'a1b' })
  await actor.send()
  subscribe('greenroom:sent', keep)
  await actor.send()
  unsubscribe('greenroom:sent', keep)
  await actor.send()
  t.equal(seen.length, 1)
})
