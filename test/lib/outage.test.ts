/** What senders see when the broker is away, slow, or lies; and what opening and closing an app do to what is under way. */
import { getEventListeners } from 'node:events'
import t, { type Test } from 'tap'
import { memoryBroker } from '../../brokers/memory/index.ts'
import { type AnyMiddleware, greenroom, standard, type Standard } from '../../index.ts'
import { TAKE_WAIT_MS } from '../../lib/defaults.ts'
import { GreenroomError } from '../../lib/errors.ts'
import { down, hangs, times } from '../helpers/faulty.ts'
import { open, openFaulty, openMoving, type Options } from '../helpers/open.ts'
import { gate, turns } from '../helpers/turns.ts'

const handler = async (n: number) => n
async function away(t: Test, options: { readonly maxPending?: number; readonly middleware?: readonly AnyMiddleware[] } = {}) {
  const opened = await openFaulty(t, options as Omit<Options<Standard>, 'broker'>)
  return { ...opened, actor: opened.app.actor(handler, { name: 'a1b' }) }
}
/** What a promise came to, looked at when the test wants. */
function watched(promise: Promise<unknown>): { error?: unknown; done: boolean } {
  const state: { error?: unknown; done: boolean } = { done: false }
  promise.then(
    () => (state.done = true),
    error => Object.assign(state, { done: true, error }),
  )
  return state
}

t.test('a broker that refuses is told as it is, and the next send goes through', async t => {
  const { faults, actor } = await away(t)
  faults.before.push = times(1, down)
  await t.rejects(actor.send(1), { code: 'BROKER_DOWN', retryable: true, stored: 'no' })
  t.match(await actor.send(2), { stored: true })
  faults.before.open = times(1, down)
  await t.rejects(actor.with({ queue: 'fresh' }).send(1), { code: 'BROKER_DOWN' })
  t.match(await actor.with({ queue: 'fresh' }).send(2), { stored: true })
})

t.test('a push without an answer is BROKER_DOWN after sendTimeout, and may be stored', async t => {
  const { faults, actor, clock, memory } = await away(t)
  faults.after.push = times(1, hangs)
  const sent = watched(actor.with({ id: 'x' }).send(1))
  await turns()
  clock.advance(4_999)
  await turns()
  t.notOk(sent.done)
  clock.advance(1)
  await turns()
  t.match(sent.error, { code: 'BROKER_DOWN', stored: 'maybe', retryable: true, message: /within 5000 ms.*may have been stored/ })
  t.match(await memory.inspector.find('x'), { place: 'ready' }, 'it was')
  t.match(await actor.with({ id: 'x' }).send(1), { stored: false }, 'and sending it again with its id is safe')
  t.equal(clock.pending, 0, 'no timer is left')
})

t.test('a queue that could not be opened in time is BROKER_DOWN, and nothing is stored, also later', async t => {
  const { faults, actor, clock, memory } = await away(t)
  const late = gate()
  faults.deaf = true
  faults.before.open = times(1, () => late.opened)
  const sent = watched(actor.send(1))
  await turns()
  clock.advance(5_000)
  await turns()
  t.match(sent.error, { code: 'BROKER_DOWN', stored: 'no', message: /Nothing was stored/ })
  late.open()
  await turns()
  t.match(await memory.inspector.counts('default'), { ready: 0 })
  t.match(await actor.send(2), { stored: true })
})

t.test('an answer that comes late, or a refusal, changes nothing any more', async t => {
  const { faults, actor, clock } = await away(t)
  for (const settle of [undefined, new Error('too late')]) {
    const late = gate<void>()
    faults.after.push = times(1, () =>
      late.opened.then(() => {
        if (settle) throw settle
      }),
    )
    const sent = watched(actor.send(1))
    await turns()
    clock.advance(5_000)
    await turns()
    t.match(sent.error, { code: 'BROKER_DOWN' })
    late.open()
    await turns()
  }
  t.match(await actor.send(2), { stored: true })
})

t.test('a broker that never answered once refuses nothing after it is back', async t => {
  const { faults, actor, clock } = await away(t, { maxPending: 10 })
  faults.before.push = times(1, hangs)
  const first = watched(actor.send(1))
  await turns()
  clock.advance(60_000)
  await turns()
  t.match(first.error, { code: 'BROKER_DOWN' })
  const all = await Promise.all(Array.from({ length: 100 }, (_, i) => actor.send(i)))
  t.equal(all.filter(({ stored }) => stored).length, 100)
})

t.test('no more than maxPending wait for a broker that is away; while it answers nothing is refused', async t => {
  const { faults, actor, clock } = await away(t, { maxPending: 10 })
  t.equal((await Promise.all(Array.from({ length: 100 }, (_, i) => actor.send(i)))).length, 100)
  faults.before.push = hangs
  const waiting = Array.from({ length: 10 }, (_, i) => watched(actor.send(i)))
  await turns()
  clock.advance(1_001)
  await t.rejects(actor.send(11), { code: 'SEND_PENDING', stored: 'no', retryable: true, message: /10 sends wait/ })
  clock.advance(4_000)
  await turns()
  t.match(
    waiting.map(({ error }) => (error as GreenroomError).code),
    Array(10).fill('BROKER_DOWN'),
  )
  faults.before.push = () => {}
  t.match(await actor.send(12), { stored: true }, 'those that gave up make room')
})

t.test('one bad message of a batch is refused alone: SEND_PARTIAL has a verdict for each', async t => {
  const refused = new GreenroomError('DISK_FULL', 'The queue is full', { help: 'Wait', retryable: true, stored: 'no' })
  const memory = memoryBroker()
  const { app } = open(t, {
    broker: { ...memory, push: async batch => (await memory.push(batch)).map((verdict, i) => (i === 1 ? refused : verdict)) },
  })
  const actor = app.actor(handler, { name: 'a1b' })
  const [a, b, c] = [1, 2, 3].map(n => actor.with({ id: `${n}` }).message(n))
  for (const send of [() => app.send([a!, b!, c!]), () => app.send([a!, b!, { ...c!, id: '4' }])]) {
    const error = await send().then(
      () => t.fail('stored'),
      (error: unknown) => error,
    )
    t.match(error, { code: 'SEND_PARTIAL', stored: 'no', retryable: true, cause: refused, message: /1 of 3 messages/ })
    t.match((error as GreenroomError).details, {
      verdicts: [
        { id: '1', stored: Boolean },
        { id: '2', error: refused },
        { id: /3|4/, stored: true },
      ],
    })
  }
  const [one, two] = await Promise.allSettled([actor.send(1), actor.send(2)])
  t.match(one, { status: 'fulfilled', value: { stored: true } }, 'each of those who sent in one turn has a verdict of its own')
  t.match(two, { status: 'rejected', reason: refused })
  const single = open(t, { broker: { ...memory, push: async () => [refused] } }).app
  await t.rejects(single.actor(handler, { name: 'a1b' }).sendMany([[1]]), refused, 'of one message it is the refusal itself')
})

t.test('when all of a batch fail alike it is their error, and the one that does not promise that nothing is stored', async t => {
  const [no, maybe] = (['no', 'maybe'] as const).map(
    stored => new GreenroomError('BROKER_DOWN', 'away', { help: 'Wait', stored }),
  )
  const other = new GreenroomError('DISK_FULL', 'The queue is full', { help: 'Wait', stored: 'no' })
  for (const [verdicts, thrown] of [
    [[no!, no!], { code: 'BROKER_DOWN', stored: 'no' }],
    [[no!, maybe!], { code: 'BROKER_DOWN', stored: 'maybe' }],
    [[maybe!, no!], { code: 'BROKER_DOWN', stored: 'maybe' }],
    [[no!, other], { code: 'SEND_PARTIAL', stored: 'no' }],
    [[other, maybe!], { code: 'SEND_PARTIAL', stored: 'maybe' }],
  ] as const) {
    const { app } = open(t, { broker: { ...memoryBroker(), push: async () => verdicts } })
    await t.rejects(app.actor(handler, { name: 'a1b' }).sendMany([[1], [2]]), thrown)
  }
})

t.test('a broker that gives too few verdicts, or something else, is told to be wrong', async t => {
  const memory = memoryBroker()
  const { app } = open(t, { broker: { ...memory, push: async () => [] } })
  await t.rejects(app.actor(handler, { name: 'a1b' }).send(1), { code: 'BROKER_INVALID', stored: 'maybe' })
})

t.test('a signal ends the waiting of a send, and says what is known', async t => {
  const { faults, actor, clock, memory } = await away(t)
  const controller = new AbortController()
  await actor.send(0)
  const early = watched(actor.with({ signal: controller.signal }).send(1))
  controller.abort(new Error('mine'))
  await turns()
  t.match(
    early.error,
    { code: 'SEND_ABORTED', stored: 'no', cause: { message: 'mine' } },
    'before the turn ended: nothing was stored',
  )
  await t.rejects(actor.with({ signal: controller.signal }).send(2), { code: 'SEND_ABORTED', stored: 'no' }, 'aborted already')
  t.match(await memory.inspector.counts('default'), { ready: 1 })

  faults.before.push = times(1, hangs)
  const second = new AbortController()
  const late = watched(actor.with({ signal: second.signal }).send(3))
  await turns()
  second.abort()
  await turns()
  t.match(late.error, { code: 'SEND_ABORTED', stored: 'maybe' }, 'on its way: nobody knows')
  clock.advance(5_000)
  t.match(await actor.with({ signal: new AbortController().signal }).send(4), { stored: true })
})

t.test('a signal shared by many sends keeps no listener', async t => {
  const { actor } = await away(t)
  const { signal } = new AbortController()
  const warnings: Error[] = []
  const warn = (warning: Error) => void warnings.push(warning)
  process.on('warning', warn)
  await Promise.all(Array.from({ length: 200 }, (_, i) => actor.with({ signal }).send(i)))
  await turns()
  process.off('warning', warn)
  t.strictSame(warnings, [])
  t.equal(getEventListeners(signal, 'abort').length, 0)
})

t.test(
  'while the app opens, a send waits no longer than sendTimeout, no more than maxPending do, and a signal ends it',
  async t => {
    const setup = gate()
    const slow: AnyMiddleware = { name: 'slow', setup: () => setup.opened }
    const { actor, clock, memory } = await away(t, { maxPending: 3, middleware: [...standard(), slow] })
    const controller = new AbortController()
    const sends = [actor.send(1), actor.sendMany([[2]]), actor.with({ signal: controller.signal }).send(3)].map(watched)
    await turns()
    clock.advance(1_001)
    await t.rejects(actor.send(4), { code: 'SEND_PENDING', stored: 'no' })
    controller.abort()
    await turns()
    t.match(sends[2]!.error, { code: 'SEND_ABORTED', stored: 'no' })
    clock.advance(3_999)
    await turns()
    for (const { error } of sends.slice(0, 2)) t.match(error, { code: 'BROKER_DOWN', stored: 'no', retryable: true })
    setup.open()
    t.match(await actor.send(5), { stored: true })
    t.match(await memory.inspector.counts('default'), { ready: 1 }, 'what was given up is not stored later')
  },
)

t.test('an opening that fails is tried again by the next send', async t => {
  let fails = 2
  let disposed = 0
  const first: AnyMiddleware = { name: 'first', setup: () => ({ [Symbol.asyncDispose]: async () => void disposed++ }) }
  const flaky: AnyMiddleware = {
    name: 'flaky',
    setup: () => {
      if (fails-- > 0) throw new Error('not yet')
    },
  }
  const { app } = open(t, { middleware: [...standard(), first, flaky] })
  const actor = app.actor(handler, { name: 'a1b' })
  const results = await Promise.allSettled([actor.send(1), actor.send(2)])
  for (const result of results)
    t.match(result, { reason: { code: 'MIDDLEWARE_FAILED', message: /flaky threw in setup\(\)/, cause: { message: 'not yet' } } })
  t.equal(disposed, 1, 'opened once for both, and what was set up is disposed')
  await t.rejects(actor.send(3), { code: 'MIDDLEWARE_FAILED' })
  t.match(await actor.send(4), { stored: true })
  await app.close()
  t.equal(disposed, 3)
})

t.test('after close() every call is APP_CLOSED', async t => {
  const { app } = open(t)
  const actor = app.actor(handler, { name: 'a1b' })
  const sent = await actor.send(1)
  await Promise.all([app.close(), app.close()])
  await app[Symbol.asyncDispose]()
  for (const [what, call] of [
    ['send', () => actor.send(1)],
    ['sendMany', () => actor.sendMany([[1]])],
    ['app.send', () => app.send([actor.message(1)])],
    ['state', () => sent.state()],
    ['work', () => app.work()],
  ] as const)
    await t.rejects(call() as Promise<unknown>, { code: 'APP_CLOSED' }, what)
  t.equal(await actor(5), 5, 'the function is still a function')
})

t.test('close() before anything was opened opens nothing', async t => {
  const app = greenroom({ broker: 'nobody://knows' })
  await app.close()
  await t.rejects(app.actor(handler, { name: 'a1b' }).send(1), { code: 'APP_CLOSED' })
})

t.test('what is sent before close() is stored, also while the app opens', async t => {
  for (const [what, warm, slow] of [
    ['open', true, 0],
    ['opening', false, 0],
    ['opening for a while', false, 5],
  ] as const) {
    const setup: AnyMiddleware = { name: 'slow', setup: () => turns(slow) }
    const { app, memory } = open(t, { middleware: [...standard(), setup] })
    const actor = app.actor(handler, { name: 'a1b' })
    if (warm) await actor.send(0)
    const sends = Promise.all([actor.send(1), actor.sendMany([[2], [3]]), app.send([actor.message(4)])])
    await app.close()
    await t.resolves(sends, what)
    t.match(await memory.inspector.counts('default'), { ready: warm ? 5 : 4 }, what)
    await t.rejects(actor.send(5), { code: 'APP_CLOSED' }, 'and what is sent after it is not')
    t.match(await memory.inspector.counts('default'), { ready: warm ? 5 : 4 })
  }
})

t.test('the broker is let go only when what was sent before close() is stored', async t => {
  const setup: AnyMiddleware = { name: 'slow', setup: () => turns(5) }
  const app = greenroom({ broker: 'memory:', namespace: 'let-go', middleware: [setup] })
  const actor = app.actor(handler, { name: 'a1b' })
  const sends = Promise.all([actor.send(1), actor.sendMany([[2], [3]]), app.send([actor.message(4)])])
  await app.close()
  for (const sent of (await sends).flat()) t.match(sent, { stored: true })
})

t.test('close() ends, whatever the broker does', async t => {
  const { app, faults, actor, clock } = await away(t)
  await actor.send(0)
  faults.before.push = hangs
  const sent = watched(actor.send(1))
  await turns()
  const closing = watched(app.close())
  await turns()
  t.notOk(closing.done, 'it waits for what is under way')
  clock.advance(5_000)
  await turns()
  t.match(sent.error, { code: 'BROKER_DOWN' })
  t.match(closing, { done: true, error: undefined })
})

t.test('a worker that starts while the app closes does not outlive it', async t => {
  for (const step of ['open', 'consume'] as const) {
    const { app, faults, actor, memory } = await away(t)
    await actor.send(1)
    const late = gate()
    faults.before[step] = times(1, () => late.opened)
    const working = app.work({ queues: ['default', 'other'] })
    await turns()
    const closing = app.close()
    await turns()
    late.open()
    await t.rejects(working, { code: 'APP_CLOSED', help: /await app\.work\(\) first/ })
    await closing
    await turns()
    t.match(await memory.inspector.counts('default'), { ready: 1, leased: 0 })
  }
})

t.test('what the handlers of a closing app send is stored', async t => {
  const { app, memory, until } = open(t)
  const go = gate()
  const last = app.actor(handler, { name: 'last', queue: 'other' })
  const first = app.actor(
    async () => {
      await go.opened
      await last.send(1)
      await app.send([last.message(2)])
      await last.sent('x').state()
    },
    { name: 'first' },
  )
  await first.send()
  await app.work({ queues: ['default'] })
  await until('started')
  const closing = app.close()
  await turns()
  go.open()
  await closing
  t.match((await until('settled'))[0], { outcome: { kind: 'done' } })
  t.match(await memory.inspector.counts('other'), { ready: 2 })
})

t.test('a connection that is never made does not hold close() for ever', async t => {
  const { app, clock } = await openMoving(t)
  const { internalsOf } = await import('../../lib/internals.ts')
  const connected = gate<{ broker: ReturnType<typeof memoryBroker>; release(): Promise<void> }>()
  let released = 0
  await internalsOf(app).enter({ clock, random: () => 0, newId: () => 'x', connect: () => connected.opened })
  const actor = app.actor(handler, { name: 'a1b' })
  const sent = watched(actor.send(1))
  await turns()
  const closing = watched(app.close())
  clock.advance(5_000)
  await turns()
  t.match(sent.error, { code: 'BROKER_DOWN', stored: 'no' })
  clock.advance(25_000)
  await turns()
  t.ok(closing.done)
  connected.open({ broker: memoryBroker(), release: async () => void released++ })
  await turns()
  t.equal(released, 1, 'one that comes after all is let go')
})

t.test('a take that failed after it had waited is followed by the next one at once, however long the broker is away', async t => {
  const { app, clock, faults } = await openFaulty(t)
  let takes = 0
  faults.before.take = () => void takes++
  faults.after.take = down
  app.actor(() => {}, { name: 'nothing' })
  await app.work()
  await turns()
  t.equal(takes, 1)
  for (let tries = 2; tries <= 12; tries++) {
    clock.advance(TAKE_WAIT_MS)
    await turns()
    t.equal(takes, tries)
  }
})
