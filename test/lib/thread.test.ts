/** `isolate: 'thread'`: what a run in a thread is, and how it ends. The actors are in a module of their own, which the threads import too. */
import t, { type Test } from 'tap'
import { greenroom, GreenroomError, type WorkOptions } from '../../index.ts'
import { testing } from '../../testing.ts'
import { workSettings } from '../../lib/work-options.ts'
import { threadLimits } from '../../lib/work.ts'
import { internalsOf } from '../../lib/internals.ts'
import type { Events } from '../../lib/events.ts'
import type { Handle } from '../../lib/actor-types.ts'
import * as actors from '../helpers/thread-actors.ts'

const { app, all, lines, places, until } = actors
t.teardown(() => app.close())

async function work(t: Test, options: WorkOptions = {}) {
  const worker = await app.work({ abortGrace: 50, queues: ['default'], ...options })
  t.teardown(() => worker.close({ grace: 0 }))
  return worker
}

/** The ends of the runs of a message, once there are so many. */
async function endsOf({ id }: Handle, count = 1): Promise<readonly Events['settled'][]> {
  for (;;) {
    const ends = all('settled').filter(({ message }) => message.id === id)
    if (ends.length >= count) return ends
    await until('settled', all('settled').length + 1)
  }
}
const outcomeOf = async (handle: Handle) => (await endsOf(handle))[0]!.outcome
const lineOf = async (pattern: RegExp, from = 0) => {
  for (;;) {
    const found = lines.slice(from).find(({ text, facts }) => pattern.test(typeof facts === 'string' ? facts : text))
    if (found) return found
    await new Promise(resolve => setImmediate(resolve))
  }
}

t.test('a result comes back, and a thread is used again', async t => {
  await work(t, { threads: 1 })
  const first = await outcomeOf(await actors.add.send(1, 2))
  t.match(first, { kind: 'done', result: { sum: 3 } })
  const { result } = first as { result: { thread: number } }
  t.not(result.thread, 0, 'not on the event loop of the worker')
  for (const n of [1, 2, 3])
    t.strictSame(await outcomeOf(await actors.add.send(n, 0)), { kind: 'done', result: { sum: n, thread: result.thread } })
  t.strictSame(actors.add(1, 2), { sum: 3, thread: 0 }, 'a direct call stays a plain call')
})

t.test(
  'an endless loop ends at its limit and the grace, with its thread; the event loop goes on, and a new thread comes',
  async t => {
    await work(t, { threads: 1, queues: ['default', 'beside'] })
    const spinning = await actors.spin.send()
    const beside = await outcomeOf(await actors.beside.send())
    t.match(beside, { kind: 'done', result: true }, 'others run meanwhile')
    t.equal(all('settled').filter(({ message }) => message.id === spinning.id).length, 0)
    t.match(await outcomeOf(spinning), { kind: 'dead', error: { code: 'TIME_LIMIT' } })
    t.equal(all('stuck').length, 0, 'nothing goes on')
    t.ok(await lineOf(/its thread was ended/))
    t.match(await outcomeOf(await actors.add.send(2, 2)), { result: { sum: 4 } })
    const [first, second] = await endsOf(await actors.twice.send(), 2)
    t.match(
      [first, second],
      [
        { outcome: { kind: 'retry' }, attempt: 0 },
        { outcome: { kind: 'dead' }, attempt: 1 },
      ],
    )
  },
)

t.test('a run that waits for a thread is not running: others go on, and its time limit waits too', async t => {
  await work(t, { threads: 1, queues: { default: 4, beside: 1 } })
  const holding = await actors.spin.with({ timeLimit: 100 }).send() // holds the thread for longer than the other one may run
  const waiting = await actors.add.with({ timeLimit: 20 }).send(1, 1)
  t.match(await outcomeOf(await actors.beside.send()), { kind: 'done' })
  t.match(await outcomeOf(holding), { error: { code: 'TIME_LIMIT' } })
  t.match(await outcomeOf(waiting), { kind: 'done', result: { sum: 2 } })
})

t.test('a worker that stops aborts the signal in a thread; who still waits goes back at once', async t => {
  const worker = await work(t, { threads: 1, queues: { default: 2 } })
  const from = lines.length
  const holding = await actors.hold.send()
  await lineOf(/holding/, from)
  const waiting = await actors.add.send(1, 1)
  await until('started', all('started').length + (all('started').some(({ message }) => message.id === waiting.id) ? 0 : 1))
  await worker.close({ grace: 0 })
  t.match(await outcomeOf(holding), { kind: 'release', reason: 'shutdown' })
  t.match(await outcomeOf(waiting), { kind: 'release', reason: 'shutdown' })
  t.match((await lineOf(/told/, from)).facts, { reason: 'SHUTDOWN' })
  const { broker } = await internalsOf(app).open()
  for (const { id } of [holding, waiting]) t.equal(await broker.inspector!.remove('default', id), 'removed', 'it would run again')
})

t.test('a thread that hears nothing is ended when its worker stops, and its message runs again', async t => {
  const worker = await work(t, { threads: 2 })
  const from = lines.length
  const spinning = await actors.deaf.send()
  await lineOf(/spinning/, from)
  await worker.close({ grace: 0 })
  t.match(await outcomeOf(spinning), { kind: 'release', reason: 'shutdown' })
  const { broker } = await internalsOf(app).open()
  t.equal(await broker.inspector!.remove('default', spinning.id), 'removed')
})

t.test('a queue of isolated actors alone brings no more at once than there are threads', async t => {
  const limits = (queues: readonly string[], threads: number) =>
    threadLimits(workSettings({ queues, threads, concurrency: 8 }, new Set()), internalsOf(app).definitions.values())
  t.strictSame(limits(['default', 'beside'], 2), new Map([['default', 2], ['beside', 8]])) // prettier-ignore
  t.strictSame(limits(['default'], 20), new Map([['default', 8]]))
  t.equal(limits(['beside'], 2), undefined, 'nothing isolated')
})

t.test('all that a run knows of itself crosses over, and its lines come back', async t => {
  await work(t)
  const sent = await actors.knows.send()
  t.strictSame(await outcomeOf(sent), {
    kind: 'done',
    result: { id: sent.id, attempt: 0, deliveries: 1, args: 0, aborted: false, main: false },
  })
  const { level, facts } = await lineOf(/said in a thread/)
  t.equal(level, 'warn')
  t.match(facts, { id: sent.id, actor: 'knows', attempt: 0, err: { name: 'TypeError', message: 'a fact' }, n: 1n })
  t.ok(facts['err'] instanceof TypeError)
})

t.test('what an isolated handler sends, asks and follows up goes through its parent, and the chain is there alone', async t => {
  await work(t)
  places.length = 0
  t.match(await outcomeOf(await actors.sends.send()), {
    kind: 'done',
    result: {
      states: ['waiting', 'delayed', 'delayed', 'waiting'],
      skipped: { stored: false, by: 'where' },
      again: false,
      found: 'waiting',
      refused: 'NOT_DATA',
    },
  })
  const before = (await counts('notes')).ready
  t.match(await outcomeOf(await actors.follows.send(false)), { kind: 'done', then: [{ actor: 'note' }] })
  t.equal((await counts('notes')).ready, before + 1)
  t.match(await outcomeOf(await actors.follows.send(true)), { kind: 'dead' })
  t.equal((await counts('notes')).ready, before + 1, 'nothing follows from a run that failed')
  t.ok(places.length > 5 && places.every(place => place.endsWith('true')), 'every hook was called in the parent')
})

t.test('what is thrown arrives as what it is', async t => {
  await work(t)
  const errorOf = async (how: string) =>
    (await outcomeOf(await actors.bad.send(how))) as { error: Error & Record<string, unknown> }
  const { error } = await errorOf('cause')
  t.ok(error instanceof TypeError)
  t.match(error, {
    message: 'outer',
    code: 'E_X',
    left: 3,
    stack: /outer[^]*thread-actors/,
    cause: { name: 'NotFound', where: '/a' },
  })
  t.notOk('fn' in error, 'what cannot travel is left out')
  const ours = (await errorOf('ours')).error
  t.ok(ours instanceof GreenroomError)
  t.match(ours, { code: 'NOT_DATA', help: 'Fix it', details: { path: 'x' } })
  t.match((await errorOf('aggregate')).error.errors, [{ name: 'RangeError', message: 'one' }, 'two'])
  t.equal((await errorOf('text')).error as unknown, 'only a text')
  t.match(await errorOf('giveUp'), { kind: 'dead', reason: 'no such user' })
  t.match(await outcomeOf(await actors.bad.with({ maxRetries: 1 }).send('retryAfter')), { kind: 'retry', afterMs: 3_600_000 })
  const [end] = await endsOf(await actors.final.send())
  t.match(end, { attempt: 0, outcome: { kind: 'dead', error: { where: '/final' } } }, 'a class of `throws` is that class')
  t.ok((end!.outcome as { error: unknown }).error instanceof actors.NotFound)
})

t.test('its lease is renewed while it computes', async t => {
  await work(t, { lease: '1s', threads: 1 })
  const sent = await actors.busy.send(1_500)
  t.match(await endsOf(sent), [{ deliveries: 1, settled: 'ok', outcome: { kind: 'done' } }])
})

t.test('a result is data, as an argument is', async t => {
  await work(t)
  t.match(await outcomeOf(await actors.bad.send('a text')), { kind: 'done', result: 'a text' })
  t.match(await outcomeOf(await actors.bad.send('date')), {
    error: { code: 'NOT_DATA', message: /^the result\.at\[0\] for bad is a Date/ },
  })
  t.match(await outcomeOf(await actors.bad.send('class')), { error: { code: 'NOT_DATA' } })
})

t.test('a schema is checked and transformed in the thread', async t => {
  await work(t)
  t.match(await outcomeOf(await actors.checked.send({ url: 'https://example.com/a' })), { result: 'https://example.com/a' })
  const elsewhere = greenroom({ broker: 'memory:', namespace: 'threads' })
  t.teardown(() => elsewhere.close())
  const unchecked = elsewhere.declare<(input: unknown) => void>('checked')
  t.match(await outcomeOf(await unchecked.send({ url: 'no URL' })), { kind: 'dead', error: { code: 'ERR_INVALID_URL' } })
  t.match(await outcomeOf(await unchecked.send('text')), {
    kind: 'dead',
    reason: 'schema mismatch',
    error: { code: 'SCHEMA_MISMATCH' },
  })
})

t.test('a thread that ends by itself is a failed run, and its neighbours live on', async t => {
  await work(t, { threads: 2, threadMemory: 32 })
  const from = lines.length
  const neighbour = await actors.hold.send()
  await lineOf(/holding/, from)
  for (const [how, message] of [
    ['exit', /^The thread that ran bad was ended by process\.exit\(3\)\. Throw an error instead/],
    ['uncaught', /^The thread that ran bad was ended by an error that nobody caught: nobody caught me\./],
    ['rejection', /^The thread that ran bad was ended by an error that nobody caught: nobody awaited me\./],
    ['memory', /^The thread that ran bad ran out of memory\. /],
  ] as const)
    t.match(
      await endsOf(await actors.bad.send(how)),
      [{ attempt: 0, outcome: { kind: 'dead', error: { code: 'THREAD_ENDED', message } } }],
      how,
    )
  t.match(await outcomeOf(await actors.add.send(3, 4)), { result: { sum: 7 } })
  t.equal(all('settled').filter(({ message }) => message.id === neighbour.id).length, 0)
})

t.test('nothing in a thread opens a broker or works', async t => {
  await work(t)
  t.match(await outcomeOf(await actors.bad.send('broker')), { error: { code: 'THREAD_BROKER' } })
  t.match(await outcomeOf(await actors.bad.send('work')), { result: 'went on' })
})

t.test('in greenroom/testing isolated actors run beside the others', async t => {
  const test = await testing(app)
  t.teardown(() => test[Symbol.asyncDispose]())
  const sent = await actors.add.send(1, 1)
  await test.join()
  t.match(await outcomeOf(sent), { result: { sum: 2, thread: 0 } })
})

async function counts(queue: string) {
  return await (await internalsOf(app).open()).broker.inspector!.counts(queue)
}
