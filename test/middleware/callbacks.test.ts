import t from 'tap'
import { memoryBroker } from '../../brokers/memory/index.ts'
import { current, giveUp, greenroom, standard } from '../../index.ts'
import { derivedId } from '../../lib/ids.ts'
import { down, type Faults, faulty } from '../helpers/faulty.ts'
import { openMoving } from '../helpers/open.ts'
import { pass, turns } from '../helpers/turns.ts'

t.test('onSuccess is sent the result and the message, in the same write, once', async t => {
  const { app, clock, all } = await openMoving(t)
  const told: unknown[] = []
  const notify = app.actor((result: number, message: object) => void told.push({ result, message, id: current().id }), {
    name: 'notify',
    queue: 'told',
  })
  const double = app.actor((n: number) => n * 2, { name: 'double', onSuccess: notify })
  await double.with({ id: 'x' }).send(21)
  await app.work()
  await pass(clock, 1_000)
  t.match(told, [{ result: 42, message: { id: 'x', actor: 'double', args: [21] }, id: derivedId('x', 'onSuccess') }])
  t.equal(all('settled').length, 2)
})

t.test('a rerun makes the same id, so that the copy is known', async t => {
  const { app, memory } = await openMoving(t)
  const notify = app.actor((_result: null) => {}, { name: 'notify', queue: 'told' })
  const first = app.actor(() => null, { name: 'first', onSuccess: notify })
  for (let run = 0; run < 2; run++) {
    await first.with({ id: 'x' }).send()
    const worker = await app.work({ queues: ['default'] })
    await turns()
    await worker.close()
  }
  t.match(await memory.inspector.counts('told'), { ready: 1 })
})

t.test('a run that was never settled runs again, and tells once, also where follow-ups are stored first', async t => {
  for (const atomicThen of ['always', 'never'] as const) {
    let faults!: Faults
    const { app, clock, all, broker } = await openMoving(t, clock => {
      const made = faulty(memoryBroker({ clock }))
      faults = made.faults
      return { broker: { ...made.broker, capabilities: { ...made.broker.capabilities, atomicThen } } }
    })
    let runs = 0
    const notify = app.actor((_result: number) => {}, { name: 'notify', queue: 'told' })
    const first = app.actor(() => ++runs, { name: 'first', onSuccess: notify })
    await first.with({ id: 'x' }).send()
    faults.before.settle = down
    const worker = await app.work({ queues: ['default'], lease: '10s' })
    await turns()
    void worker.close()
    await pass(clock, 10_000)
    delete faults.before.settle
    await app.work({ queues: ['default'] })
    await pass(clock, 10_000)
    t.equal(runs, 2)
    t.match(all('settled'), [{ outcome: { kind: 'done', result: 2 } }])
    const told = (await broker.inspector!.list('told', 'ready')).entries
    t.strictSame(
      told.map(({ envelope }) => envelope.id),
      [derivedId('x', 'onSuccess')],
      atomicThen,
    )
  }
})

t.test('a result that is undefined is null, and one that is no data is a failure', async t => {
  const { app, clock, all } = await openMoving(t)
  const told: unknown[] = []
  const notify = app.actor((result: unknown) => void told.push(result), { name: 'notify', queue: 'told' })
  await app.actor(() => {}, { name: 'nothing', onSuccess: notify as never }).send()
  await app.actor(() => new Map(), { name: 'map', onSuccess: notify as never, maxRetries: 0 }).send()
  await app.work()
  await pass(clock, 1_000)
  t.strictSame(told, [null])
  t.match(
    all('settled').find(({ message }) => message.actor === 'map'),
    { outcome: { kind: 'dead', error: { code: 'NOT_DATA' } } },
  )
})

t.test('onFailure is sent the failure when the message is given up, not at each failed attempt', async t => {
  const { app, clock, all } = await openMoving(t)
  const told: unknown[] = []
  const notify = app.actor((failure: object, message: object) => void told.push({ failure, message }), {
    name: 'notify',
    queue: 'told',
  })
  const fails = app.actor(
    (what: string) => {
      throw what === 'gives up' ? giveUp('enough') : new TypeError(what)
    },
    { name: 'fails', maxRetries: 2, minBackoff: '1s', onFailure: notify },
  )
  await fails.with({ id: 'a' }).send('fails')
  await fails.with({ id: 'b' }).send('gives up')
  await fails.with({ id: 'c', maxAge: 0, delay: '1s' }).send('expires')
  await app.work()
  await pass(clock, 60_000)
  t.equal(all('settled').filter(({ outcome }) => outcome.kind === 'retry').length, 2)
  const of = (id: string) => told.filter(item => (item as { message: { id: string } }).message.id === id)
  t.match(of('a'), [{ failure: { type: 'TypeError', message: 'fails' } }])
  t.match(of('b'), [{ failure: { message: 'enough' } }])
  t.match(of('c'), [{ failure: { type: 'Dead', message: /expired/ } }], 'also of one that never ran')
  t.equal(told.length, 3)
})

t.test('onExhausted and onFailure are both told', async t => {
  const { app, clock } = await openMoving(t)
  const told: string[] = []
  const exhausted = app.actor(() => void told.push('exhausted'), { name: 'exhausted', queue: 'told' })
  const failed = app.actor(() => void told.push('failed'), { name: 'failed', queue: 'told' })
  await app
    .actor(
      () => {
        throw new Error('x')
      },
      { name: 'fails', maxRetries: 0, onExhausted: exhausted as never, onFailure: failed as never },
    )
    .send()
  await app.work()
  await pass(clock, 1_000)
  t.strictSame(told.sort(), ['exhausted', 'failed'])
})

t.test('a bug of a middleware around the run is not the end of it, also where onFailure is given', async t => {
  let bugs = 1
  const buggy = {
    name: 'buggy',
    outside: ['retries'],
    inside: ['callbacks'],
    process: async (_: unknown, next: () => Promise<never>) => {
      if (bugs-- > 0) throw new Error('bug')
      return next()
    },
  }
  const { app, clock, all } = await openMoving(t, { middleware: [...standard(), buggy as never] })
  const told: unknown[] = []
  const notify = app.actor(() => void told.push(1), { name: 'notify', queue: 'told' })
  await app.actor(() => 5, { name: 'works', onFailure: notify as never }).send()
  await app.work()
  await pass(clock, 60_000)
  t.match(
    all('settled').map(({ outcome }) => outcome),
    [
      { kind: 'retry', error: { code: 'MIDDLEWARE_FAILED' } },
      { kind: 'done', result: 5 },
    ],
  )
  t.strictSame(told, [])
})

t.test('a target is an actor, a declared one, or either with another queue', async t => {
  const { app, memory, clock } = await openMoving(t)
  const declared = app.declare<(n: number) => void>('elsewhere', { queue: 'remote' })
  await app.actor(() => 1, { name: 'one', onSuccess: declared as never }).send()
  await app.actor(() => 2, { name: 'two', onSuccess: declared.with({ queue: 'third' }) as never }).send()
  await app.work({ queues: ['default'] })
  await pass(clock, 1_000)
  t.match([await memory.inspector.counts('remote'), await memory.inspector.counts('third')], [{ ready: 1 }, { ready: 1 }])
  for (const target of [() => {}, 'two', {}, null, greenroom()])
    t.throws(() => app.actor(() => 1, { name: 'bad', onSuccess: target as never }), { code: 'OPTION_INVALID' })
})

t.test('without retries a failure is told too', async t => {
  const { app, clock, all } = await openMoving(t, {
    middleware: standard().filter(({ name }) => name !== 'retries') as unknown as ReturnType<typeof standard>,
  })
  const told: unknown[] = []
  const notify = app.actor((failure: object) => void told.push(failure), { name: 'notify', queue: 'told' })
  await app
    .actor(
      () => {
        throw new Error('x')
      },
      { name: 'fails', onFailure: notify },
    )
    .send()
  await app.work()
  await pass(clock, 1_000)
  t.match(all('settled')[0], { outcome: { kind: 'dead', reason: 'x' } })
  t.match(told, [{ message: 'x' }])
})
