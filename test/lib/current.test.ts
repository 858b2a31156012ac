/** `current()` wherever a handler runs, and `after()`: what is sent only if the run succeeds. */
import t from 'tap'
import { memoryBroker } from '../../brokers/memory/index.ts'
import { actor, current, getDefaultApp, greenroom, standard } from '../../index.ts'
import type { Entry } from '../../lib/broker.ts'
import { jsonEncoder } from '../../lib/encoder.ts'
import { derivedId } from '../../lib/ids.ts'
import { open, openMoving } from '../helpers/open.ts'
import { gate, pass, turns } from '../helpers/turns.ts'

const decoded = ({ envelope }: Entry) => jsonEncoder().decode(envelope.body)

t.test('in a worker current() is the run of this message, also after a wait and in what it calls', async t => {
  const { app, clock, all } = await openMoving(t)
  const seen: unknown[] = []
  const inner = app.actor(async () => void seen.push(current().id), { name: 'inner' })
  const actor = app.actor(
    async (n: number) => {
      const { id, attempt, deliveries, message, signal } = current()
      await turns(n)
      await inner()
      seen.push({ id, attempt, deliveries, args: message.args, aborted: signal.aborted })
      t.equal(current().id, id)
      t.equal(current().signal, signal, 'one signal a run')
      if (attempt === 0) throw new Error('x')
    },
    { name: 'a1b', minBackoff: '1s' },
  )
  await actor.with({ id: 'one' }).send(3)
  await actor.with({ id: 'two' }).send(1)
  await app.work()
  await pass(clock, 10_000)
  t.equal(all('settled').length, 4)
  t.strictSame(
    seen.filter(item => typeof item === 'string').sort(),
    ['one', 'one', 'two', 'two'],
    'a direct call is a part of the run',
  )
  for (const id of ['one', 'two'])
    t.strictSame(
      seen.filter(item => (item as { id?: string }).id === id),
      [0, 1].map(attempt => ({ id, attempt, deliveries: 1, args: [id === 'one' ? 3 : 1], aborted: false })),
    )
  t.equal(current.maybe(), undefined, 'and outside there is none')
})

t.test('in a direct call it is an inert one', async t => {
  const { app } = open(t)
  const look = app.actor(
    (..._args: unknown[]) => {
      const { id, attempt, deliveries, message, signal, log } = current()
      log.info({ x: 1 }, 'hello')
      return { id, attempt, deliveries, message, aborted: signal.aborted }
    },
    { name: 'look', queue: 'images' },
  )
  const [first, second] = [look(1, 2), look(3)]
  t.match(first, { attempt: 0, deliveries: 1, aborted: false, message: { actor: 'look', queue: 'images', args: [1, 2] } })
  t.not(first.id, second.id)
  t.equal(first.id, first.message.id)
  const outer = app.actor(() => [current().id, look().id], { name: 'outer' })
  const [own, inside] = outer()
  t.equal(own, inside, 'a call inside is a part of the call outside')
})

t.test('outside a handler there is none, and maybe() says so', async t => {
  t.throws(() => current(), { code: 'NO_CONTEXT' })
  t.equal(current.maybe(), undefined)
  const { app } = open(t)
  app.actor(() => {}, { name: 'a1b' })()
  t.equal(current.maybe(), undefined)
})

t.test('its log has the id, the actor and the attempt', async t => {
  const { app, lines, until } = open(t)
  await app
    .actor(() => current().log.warn({ extra: 1 }, 'careful'), { name: 'a1b' })
    .with({ id: 'x' })
    .send()
  await app
    .actor(() => current().log.error('words alone'), { name: 'c2d' })
    .with({ id: 'y' })
    .send()
  await app.work()
  await until('settled', 2)
  t.strictSame(lines, [
    { level: 'warn', facts: { id: 'x', actor: 'a1b', attempt: 0, extra: 1 }, text: 'careful' },
    { level: 'error', facts: { id: 'y', actor: 'c2d', attempt: 0 }, text: 'words alone' },
  ])
})

t.test('after() sends once the run has succeeded, with ids that a rerun would make again', async t => {
  const { app, memory, clock, all } = await openMoving(t)
  const receipt = app.actor((n: number) => n, { name: 'receipt', queue: 'mail' })
  const order = app.actor(
    () => {
      const { after, attempt } = current()
      after(receipt.message(attempt), receipt.with({ id: 'chosen', delay: '1m', priority: 'low' }).message(2))
      after(receipt.with({ maxRetries: 1 }).message(3))
      if (attempt === 0) throw new Error('not yet')
    },
    { name: 'order', minBackoff: '1s' },
  )
  await order.with({ id: 'parent' }).send()
  await app.work({ queues: ['default'] })
  await turns()
  t.match(all('settled'), [{ outcome: { kind: 'retry' } }])
  t.match(await memory.inspector.counts('mail'), { ready: 0, delayed: 0 }, 'not when it failed')
  await pass(clock, 10_000)
  const ready = (await memory.inspector.list('mail', 'ready')).entries
  t.strictSame(
    ready.map(({ envelope }) => envelope.id),
    [derivedId('parent', 0), derivedId('parent', 2)],
  )
  t.strictSame(
    ready.map(entry => [...decoded(entry).args]),
    [[1], [3]],
  )
  t.match(decoded(ready[1]!).options, { maxRetries: 1 })
  t.match(await memory.inspector.find('chosen'), { place: 'delayed', envelope: { priority: 2 } })
})

t.test('after() in a direct call sends when the call has succeeded', async t => {
  const { app, memory, lines } = open(t)
  const receipt = app.actor((n: unknown) => n, { name: 'receipt' })
  const order = app.actor(
    async (fails: boolean) => {
      current().after(receipt.message(1))
      await turns(1)
      if (fails) throw new Error('x')
      return 5
    },
    { name: 'order' },
  )
  await t.rejects(order(true), { message: 'x' })
  t.match(await memory.inspector.counts('default'), { ready: 0 })
  t.equal(await order(false), 5)
  t.match(await memory.inspector.counts('default'), { ready: 1 })

  await t.rejects(
    app.actor(async () => current().after(receipt.message(1n)), { name: 'big' })(),
    { code: 'NOT_DATA' },
    'or says that it could not',
  )
  app.actor(() => current().after(receipt.message(2)), { name: 'sync' })()
  await turns()
  t.match(await memory.inspector.counts('default'), { ready: 2 }, 'one that is not asynchronous sends too')
  app.actor(() => current().after(receipt.message(1n)), { name: 'sync-big' })()
  await turns()
  t.match(
    lines.at(-1),
    { level: 'error', facts: { err: { code: 'NOT_DATA' } }, text: /after\(\)/ },
    'and can only log what went wrong',
  )
})

t.test('follow-ups pass the send chain; one that is left out is not sent', async t => {
  const skip = {
    name: 'skip',
    send: (batch: readonly { message: { args: readonly unknown[] } }[]) =>
      batch.filter(({ message }) => message.args[0] !== 'skip'),
  }
  const { app, memory, until } = open(t, { middleware: [...standard(), skip as never] })
  const next = app.actor((what: string) => what, { name: 'next', queue: 'other' })
  await app.actor(() => current().after(next.message('skip'), next.message('send')), { name: 'first' }).send()
  await app.work({ queues: ['default'] })
  t.match(await until('settled'), [{ outcome: { kind: 'done' } }])
  t.match(await memory.inspector.counts('other'), { ready: 1 })
})

t.test('a follow-up that cannot be sent turns the run into a failure, never into a success without it', async t => {
  const refuse = {
    name: 'refuse',
    send: (batch: readonly { message: { actor: string } }[]) => {
      if (batch.some(({ message }) => message.actor === 'refused')) throw new RangeError('no')
      return batch
    },
  }
  const { app, memory, clock, all } = await openMoving(t, { middleware: [...standard(), refuse as never] })
  const next = app.actor((what: unknown) => what, { name: 'next', queue: 'other' })
  const refused = app.actor(() => {}, { name: 'refused', queue: 'other' })
  const first = app.actor(
    (what: string) =>
      current().after(
        next.message(1),
        what === 'data' ? next.message(new Date()) : what === 'garbage' ? ({} as never) : refused.message(),
      ),
    { name: 'first', maxRetries: 1 },
  )
  const wanted = { data: { code: 'NOT_DATA' }, garbage: { code: 'MESSAGE_INVALID' }, refused: { name: 'RangeError' } }
  for (const what of Object.keys(wanted)) await first.with({ id: what }).send(what)
  await app.work({ queues: ['default'] })
  await pass(clock, 60_000)
  for (const [id, error] of Object.entries(wanted)) {
    const kinds = all('settled')
      .filter(({ message }) => message.id === id)
      .map(({ outcome }) => outcome)
    t.match(
      kinds,
      [
        { kind: 'retry', error },
        { kind: 'dead', error },
      ],
      id,
    )
  }
  t.match(await memory.inspector.counts('other'), { ready: 0 })
})

t.test('where the broker cannot store follow-ups with the settlement they are stored before it, once', async t => {
  const memory = memoryBroker()
  const never = { ...memory, capabilities: { ...memory.capabilities, atomicThen: 'never' as const } }
  const { app, until } = open(t, { broker: never })
  const next = app.actor(() => {}, { name: 'next', queue: 'fresh' })
  await app
    .actor(() => current().after(next.message()), { name: 'first' })
    .with({ id: 'p' })
    .send()
  await app.work({ queues: ['default'] })
  await until('settled')
  t.match((await memory.inspector.list('fresh', 'ready')).entries, [{ envelope: { id: derivedId('p', 0) } }])
})

t.test('the default app is made at the first use, once', async t => {
  const hello = actor((name: string) => `hello, ${name}`, { name: 'hello' })
  t.equal(hello('ada'), 'hello, ada')
  t.equal(getDefaultApp(), getDefaultApp())
  t.match(getDefaultApp().chain, greenroom().chain)
})

t.test('after() when the handler has ended sends nothing, and says so', async t => {
  const { app, memory, clock, lines, all } = await openMoving(t)
  const next = app.actor(() => {}, { name: 'next', queue: 'other' })
  const end = gate()
  const forgets = app.actor(
    () => {
      const { after } = current()
      void end.opened.then(() => after(next.message()))
    },
    { name: 'forgets' },
  )
  await forgets.with({ id: 'x' }).send()
  await app.work({ queues: ['default'] })
  await pass(clock, 1_000)
  t.match(all('settled'), [{ outcome: { kind: 'done' } }])
  forgets()
  t.strictSame(lines, [])
  end.open()
  await turns()
  t.match(lines, [
    { level: 'error', facts: { id: 'x', actor: 'forgets', count: 1 }, text: /handler had ended/ },
    { level: 'error', facts: { actor: 'forgets', attempt: 0 }, text: /handler had ended/ },
  ])
  t.match(await memory.inspector.counts('other'), { ready: 0 })
})
