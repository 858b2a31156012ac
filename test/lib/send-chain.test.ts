/** Middleware around sending: what they leave out, rewrite, refuse, break. */
import t from 'tap'
import { type AnyMiddleware, defineMiddleware, type Sending, standard } from '../../index.ts'
import type { Entry } from '../../lib/broker.ts'
import { jsonEncoder } from '../../lib/encoder.ts'
import { hostileThrows } from '../helpers/hostile.ts'
import { open, openMoving } from '../helpers/open.ts'
import { turns } from '../helpers/turns.ts'

const decoded = ({ envelope }: Entry) => jsonEncoder().decode(envelope.body)
const argOf = ({ message }: Sending) => message.args[0] as number
const sending = (send: AnyMiddleware['send'], name = 'mine'): AnyMiddleware => ({ name, send: send! })
const chainOf = (...mine: AnyMiddleware[]) => ({ middleware: [...standard(), ...mine] })

t.test('what a middleware leaves out is not stored, and its handle says by whom', async t => {
  const { app, memory, until } = open(t, chainOf(sending(batch => batch.filter(item => argOf(item) !== 2))))
  const actor = app.actor(async (n: number) => n, { name: 'a1b' })
  t.match(await actor.sendMany([[1], [2], [3]]), [
    { stored: true, by: undefined },
    { stored: false, by: 'mine' },
    { stored: true },
  ])
  t.match(await memory.inspector.counts('default'), { ready: 2 })
  t.match(await until('sent', 3), [{ stored: false, by: 'mine' }, { stored: true }, { stored: true }])
})

t.test('what a middleware rewrites is what is stored, priority, time and all', async t => {
  const rewrite = sending(batch =>
    batch.map(({ message, ...rest }) => ({
      ...rest,
      message: { ...message, args: ['rewritten'], options: { traceId: 'x' } },
      priority: 'low' as const,
      due: { afterMs: 5_000 },
    })),
  )
  const { app, memory } = open(t, chainOf(rewrite))
  const { id } = await app.actor(async (n: number) => n, { name: 'a1b' }).send(1)
  const entry = (await memory.inspector.find(id))!
  t.match(entry, { place: 'delayed', envelope: { priority: 2 } })
  t.match(decoded(entry), { id, args: ['rewritten'], options: { traceId: 'x' } })
})

t.test('the first of the list is asked first, and the next see what it made', async t => {
  const seen: string[] = []
  const mark = (name: string): AnyMiddleware =>
    sending(batch => {
      seen.push(`${name} ${batch.map(argOf).join()}`)
      return batch.map(item => ({ ...item, message: { ...item.message, args: [argOf(item) + 1] } }))
    }, name)
  const { app } = open(
    t,
    chainOf(
      mark('a'),
      sending(batch => batch.filter(item => argOf(item) > 1), 'b'),
      mark('c'),
    ),
  )
  const handles = await app.actor(async (n: number) => n, { name: 'a1b' }).sendMany([[0], [1]])
  t.strictSame(seen, ['a 0,1', 'c 2'])
  t.match(handles, [{ stored: false, by: 'b' }, { stored: true }])
})

t.test('onceMs makes a second message of an id a duplicate, whatever became of the first', async t => {
  const { app, until, clock } = await openMoving(t, chainOf(sending(batch => batch.map(item => ({ ...item, onceMs: 1_000 })))))
  const actor = app.actor(async (n: number) => n, { name: 'a1b' }).with({ id: 'x' })
  await app.work()
  t.match(await actor.send(1), { stored: true })
  await until('settled')
  t.match(await actor.send(1), { stored: false })
  clock.advance(1_000)
  t.match(await actor.send(1), { stored: true })
})

t.test('what a middleware throws refuses the message that it is about, and not its neighbours of the same turn', async t => {
  const picky = sending(batch => {
    if (batch.some(item => argOf(item) === 2)) throw new RangeError('no twos')
    return batch
  })
  const { app } = open(t, chainOf(picky))
  const actor = app.actor(async (n: number) => n, { name: 'a1b' })
  const [one, two, three] = await Promise.allSettled([actor.send(1), actor.send(2), actor.send(3)])
  t.match([one, three], [{ value: { stored: true } }, { value: { stored: true } }])
  t.match(two, { reason: { name: 'RangeError', message: 'no twos' } })
})

t.test('whatever is thrown, the send is refused and the next one goes through', async t => {
  for (const [what, thrown] of hostileThrows) {
    for (const reject of [true, false]) {
      let left = 1
      const throws = sending(batch => {
        if (left-- <= 0) return batch
        if (reject) return Promise.reject(thrown)
        throw thrown
      })
      const { app } = open(t, chainOf(throws))
      const actor = app.actor(async (n: number) => n, { name: 'a1b' })
      const refused = await actor.send(1).then(
        () => false,
        () => true,
      )
      t.ok(refused, what)
      t.match(await actor.send(2), { stored: true })
    }
  }
})

t.test('what is no list of the messages that were given names the middleware', async t => {
  for (const [what, back] of [
    ['nothing', undefined],
    ['a number', 5],
    ['an object', {}],
    ['a set', new Set()],
    ['garbage', [null]],
    ['garbage', [5]],
    ['no message', [{}]],
    ['another message', [{ message: { id: 'x' } }]],
  ] as const) {
    const { app } = open(t, chainOf(sending(() => back as never)))
    await t.rejects(
      app.actor(async (n: number) => n, { name: 'a1b' }).send(1),
      { code: 'MIDDLEWARE_FAILED', message: /mine/, details: { middleware: 'mine' } },
      what,
    )
  }
})

t.test('a message that is broken by a middleware is refused, and never stored', async t => {
  for (const broken of [
    { args: undefined },
    { args: [1n] },
    { queue: 'a"b' },
    { queue: undefined },
    { actor: 'a"b' },
    { timestamp: NaN },
    { options: { constructor: 1 } },
  ]) {
    const { app, memory } = open(
      t,
      chainOf(sending(batch => batch.map(item => ({ ...item, message: { ...item.message, ...broken } as never })))),
    )
    await t.rejects(
      app.actor(async (n: number) => n, { name: 'a1b' }).send(1),
      { name: 'GreenroomError' },
      JSON.stringify(Object.keys(broken)),
    )
    t.strictSame((await memory.inspector.counts('default')).ready, 0)
  }
})

t.test('two messages of one id in one turn stay two messages', async t => {
  const { app, memory } = open(t, chainOf(sending(batch => batch.map(item => ({ ...item })))))
  const actor = app.actor(async (n: number) => n, { name: 'a1b' })
  const [first, second] = await Promise.all([
    actor.with({ id: 'x', queue: 'one' }).send(1),
    actor.with({ id: 'x', queue: 'two' }).send(2),
  ])
  t.match([first, second], [{ stored: true }, { stored: true }])
  t.strictSame(decoded((await memory.inspector.find('x', 'one'))!).args, [1])
  t.strictSame(decoded((await memory.inspector.find('x', 'two'))!).args, [2])
})

t.test('a middleware that hangs refuses its batch once, by its name, and nothing is stored', async t => {
  let calls = 0
  const hangs = sending(() => (calls++, new Promise<never>(() => {})))
  const { app, clock, memory } = await openMoving(t, chainOf(hangs))
  const actor = app.actor(async (n: number) => n, { name: 'a1b' })
  const sends = Promise.allSettled(Array.from({ length: 20 }, (_, i) => actor.send(i)))
  await turns()
  clock.advance(5_000)
  for (const result of await sends)
    t.match(result, {
      reason: { code: 'MIDDLEWARE_FAILED', stored: 'no', message: /mine did not answer in send\(\) within 5000 ms/ },
    })
  t.equal(calls, 1)
  t.match(await memory.inspector.counts('default'), { ready: 0 })
  t.equal(clock.pending, 0)
})

t.test('a middleware that hangs when it looks at one message alone does not hang for each', async t => {
  let calls = 0
  const odd = sending(batch => {
    calls++
    if (batch.length > 1) throw new Error('one by one, please')
    return new Promise<never>(() => {})
  })
  const { app, clock } = await openMoving(t, chainOf(odd))
  const sent = t.rejects(app.actor(async (n: number) => n, { name: 'a1b' }).sendMany([[1], [2], [3]]), {
    code: 'MIDDLEWARE_FAILED',
    stored: 'no',
  })
  await turns()
  clock.advance(5_000)
  await sent
  t.equal(calls, 2)
})

t.test('services.push() sends through the whole chain, with a verdict each', async t => {
  const verdicts: unknown[] = []
  const echo = defineMiddleware({
    name: 'echo',
    async send(batch, { push, newId, clock }) {
      if (batch.some(({ message }) => message.actor === 'echo')) return batch
      const message = { id: newId(), queue: 'echo', actor: 'echo', args: [], options: {}, timestamp: clock.now() }
      verdicts.push(...(await push([message, message, { ...message, id: 'b', args: [1n] }])))
      return batch
    },
  })
  const { app, memory } = open(t, chainOf(echo))
  await app.actor(async (n: number) => n, { name: 'a1b' }).send(1)
  t.match(verdicts, ['stored', 'duplicate', { code: 'NOT_DATA' }])
  t.match(await memory.inspector.counts('echo'), { ready: 1 })
})
