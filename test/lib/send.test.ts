import t from 'tap'
import { memoryBroker } from '../../brokers/memory/index.ts'
import { defineMiddleware, greenroom, standard } from '../../index.ts'
import type { Entry } from '../../lib/broker.ts'
import { systemClock } from '../../lib/clock.ts'
import { LONGEST_MS } from '../../lib/duration.ts'
import { jsonEncoder } from '../../lib/encoder.ts'
import type { Message } from '../../lib/message.ts'
import { count, perMessage } from '../../lib/options.ts'
import { open, openMoving } from '../helpers/open.ts'
import { turns } from '../helpers/turns.ts'

const add = (a: number, b: number) => a + b
const decoded = ({ envelope }: Entry) => jsonEncoder().decode(envelope.body)

t.test('send() stores one message and resolves to its handle', async t => {
  const { app, memory } = open(t)
  const sum = app.actor(add, { name: 'sum', queue: 'maths' })
  const sent = await sum.send(1, 2)
  t.match(sent, { id: /^[0-9a-f-]{36}$/, stored: true, by: undefined })
  t.equal(await sent.state(), 'waiting')
  const [entry] = (await memory.inspector.list('maths', 'ready')).entries
  t.match(entry, { envelope: { id: sent.id, queue: 'maths', attempt: 0, priority: 1 } })
  t.match(decoded(entry!), { id: sent.id, queue: 'maths', actor: 'sum', args: [1, 2] })
})

t.test('an actor is still the function, with its name', async t => {
  const { app } = open(t)
  t.equal(app.actor(add, { name: 'sum' })(1, 2), 3)
  t.equal(app.actor(add, { name: 'sum' }).name, 'sum')
  t.equal(await app.actor(async (a: number) => a + 1, { name: 'next' })(1), 2)
  const thrown = new Error('mine')
  const fails = app.actor(
    () => {
      throw thrown
    },
    { name: 'fails' },
  )
  t.throws(() => fails(), thrown)
})

t.test('an id that is there already is a duplicate, whatever its arguments', async t => {
  const { app, until } = open(t)
  const sum = app.actor(add, { name: 'sum' })
  const chosen = sum.with({ id: 'invoice-42' })
  t.match(await chosen.send(1, 2), { id: 'invoice-42', stored: true })
  t.match(await chosen.send(3, 4), { id: 'invoice-42', stored: false, by: undefined })
  t.match(await sum.with({ id: 'invoice-42', queue: 'other' }).send(1, 2), { stored: true }, 'ids are unique in a queue')
  t.match(await until('sent', 3), [{ stored: true }, { stored: false }, { stored: true }])
})

t.test('sendMany() stores one batch, with handles in order', async t => {
  const pushes: number[] = []
  const memory = memoryBroker()
  const broker = {
    ...memory,
    push: (batch: Parameters<typeof memory.push>[0]) => (pushes.push(batch.length), memory.push(batch)),
  }
  const { app } = open(t, { broker })
  const sum = app.actor(add, { name: 'sum' })
  const sent = await sum.sendMany([
    [1, 2],
    [3, 4],
    [5, 6],
  ])
  const found = await Promise.all(sent.map(({ id }) => memory.inspector.find(id)))
  t.strictSame(
    found.map(entry => decoded(entry!).args),
    [
      [1, 2],
      [3, 4],
      [5, 6],
    ],
  )
  t.strictSame(await sum.sendMany([]), [])
  t.strictSame(await sum.sendMany(new Set([[7, 8] as [number, number]])).then(({ length }) => length), 1, 'any iterable')
  await Promise.all(Array.from({ length: 1_100 }, (_, i) => sum.send(i, i)))
  t.strictSame(pushes, [3, 1, 512, 512, 76], 'sends of one turn share a trip, of 512 at most')
})

t.test('a thousand sends in one turn arrive in their order', async t => {
  const { app, memory } = open(t)
  const sum = app.actor(add, { name: 'sum' })
  await Promise.all(Array.from({ length: 1_000 }, (_, i) => sum.send(i, 0)))
  const { entries } = await memory.inspector.list('default', 'ready', { limit: 1_000 })
  t.strictSame(
    entries.map(entry => decoded(entry).args[0]),
    Array.from({ length: 1_000 }, (_, i) => i),
  )
})

t.test('message() is plain data, which app.send() stores, also read back from JSON', async t => {
  const { app, memory } = open(t)
  const sum = app.actor(add, { name: 'sum', queue: 'maths', priority: 'low' })
  const message = sum.with({ maxRetries: 3, priority: 'high', delay: '1m' }).message(1, 2)
  t.strictSame(Object.keys(message), ['id', 'queue', 'actor', 'args', 'options', 'timestamp'])
  t.match(message, { queue: 'maths', actor: 'sum', args: [1, 2], options: { maxRetries: 3, priority: 'high', delay: 60_000 } })
  const outbox = JSON.parse(JSON.stringify(sum.message(3, 4))) as Message
  const handles = await app.send([message, outbox])
  t.strictSame(
    handles.map(({ id, stored }) => ({ id, stored })),
    [message, outbox].map(({ id }) => ({ id, stored: true })),
  )
  const [first, second] = [await memory.inspector.find(message.id), await memory.inspector.find(outbox.id)]
  t.match(first, { place: 'delayed', envelope: { priority: 0 } })
  t.match(second, { place: 'ready', envelope: { priority: 2 } })
  t.strictSame({ ...decoded(first!).options }, { maxRetries: 3 }, 'time and band travel beside the body')
})

t.test('app.send() refuses what is not a message, and stores nothing of its batch', async t => {
  const { app, memory } = open(t)
  const good = app.actor(add, { name: 'sum' }).message(1, 2)
  for (const bad of [
    null,
    5,
    'x',
    [],
    {},
    { ...good, id: '' },
    { ...good, id: 'a b' },
    { ...good, queue: 'a/b' },
    { ...good, actor: '' },
    { ...good, args: {} },
    { ...good, args: undefined },
    { ...good, options: null },
    { ...good, options: [] },
    { ...good, timestamp: NaN },
    { ...good, timestamp: '1' },
  ] as never[])
    await t.rejects(app.send([good, bad]), { code: 'MESSAGE_INVALID', message: /Not a message: / }, JSON.stringify(bad))
  for (const [options, code] of [
    [{ delay: 'soon' }, 'DURATION_INVALID'],
    [{ at: 'x' }, 'OPTION_INVALID'],
    [{ delay: 1, at: 1 }, 'OPTION_INVALID'],
    [{ once: 'soon' }, 'DURATION_INVALID'],
    [{ once: 0 }, 'OPTION_INVALID'],
    [{ priority: 'urgent' }, 'OPTION_INVALID'],
    [{ maxRetries: -1 }, 'OPTION_INVALID'],
    [JSON.parse('{"__proto__":{"maxRetries":1}}'), 'OPTION_INVALID'],
    [{ constructor: 1 }, 'OPTION_INVALID'],
  ] as const)
    await t.rejects(app.send([good, { ...good, options }]), { code }, JSON.stringify(options))
  t.match(await memory.inspector.counts('default'), { ready: 0, delayed: 0 })
})

t.test('what is changed after a send is not sent', async t => {
  const { app, memory } = open(t)
  const list = app.actor(async (items: number[]) => items, { name: 'list' })
  const first = [1],
    second = [2],
    third = [3]
  const all = [list.send(first), list.sendMany([[second]]), app.send([list.message(third)])]
  for (const items of [first, second, third]) items.push(9)
  await Promise.all(all)
  t.strictSame(
    (await memory.inspector.list('default', 'ready')).entries.map(entry => decoded(entry).args),
    [[[1]], [[2]], [[3]]],
  )
})

t.test('every method works after destructuring', async t => {
  const { app, memory } = open(t)
  const { send, sendMany, message, sent, with: withOptions } = app.actor(add, { name: 'sum' })
  const { send: sendLow } = withOptions({ priority: 'low' })
  await send(1, 2)
  await sendMany([[1, 2]])
  t.equal(message(1, 2).actor, 'sum')
  t.equal(sent('x').id, 'x')
  await sendLow(1, 2)
  const { send: sendAll, close } = app
  await sendAll([message(1, 2)])
  t.equal((await memory.inspector.counts('default')).ready, 4)
  await close()
})

t.test('with() keeps options; later ones win, undefined leaves what was there', async t => {
  const { app, memory } = open(t)
  const sum = app.actor(add, { name: 'sum', queue: 'maths', priority: 'low' })
  const kept = sum.with({ maxRetries: 3, queue: 'other', delay: '1m' })
  for (const [sender, wanted] of [
    [sum, { queue: 'maths', priority: 2, options: {}, place: 'ready' }],
    [kept, { queue: 'other', priority: 2, options: { maxRetries: 3 }, place: 'delayed' }],
    [
      kept.with({ maxRetries: 0, priority: 'high' }),
      { queue: 'other', priority: 0, options: { maxRetries: 0 }, place: 'delayed' },
    ],
    [
      kept.with({
        maxRetries: undefined,
        queue: undefined,
        priority: undefined,
        delay: undefined,
        id: undefined,
        signal: undefined,
      }),
      { queue: 'other', priority: 2, options: { maxRetries: 3 }, place: 'delayed' },
    ],
    [kept.with({ delay: 0 }), { queue: 'other', priority: 2, options: { maxRetries: 3 }, place: 'ready' }],
    [sum.with({ at: 1 }).with({ delay: '1m' }), { queue: 'maths', priority: 2, options: {}, place: 'delayed' }],
    [kept.with({ at: 0 }), { queue: 'other', priority: 2, options: { maxRetries: 3 }, place: 'ready' }],
    [
      sum.with({ maxAge: '5m', minBackoff: '1s', timeLimit: Infinity }),
      { queue: 'maths', priority: 2, options: { maxAge: 300_000, minBackoff: 1_000, timeLimit: 'Infinity' }, place: 'ready' },
    ],
    [sum.with({}), { queue: 'maths', priority: 2, options: {}, place: 'ready' }],
  ] as const) {
    const { id } = await sender.send(1, 2)
    const { envelope, place } = (await memory.inspector.find(id))!
    t.strictSame(
      { queue: envelope.queue, priority: envelope.priority, options: { ...decoded({ envelope } as Entry).options }, place },
      wanted,
    )
  }
})

t.test('options are resolved once: message, then actor, then default', async t => {
  const seen: unknown[] = []
  let parsed = 0
  const size = perMessage(count(10))
  const mine = defineMiddleware({
    name: 'mine',
    options: { size: { ...size, parse: (value, name) => (parsed++, size.parse(value, name)) } as typeof size },
    send(batch) {
      seen.push(...batch.map(({ options }) => options.size))
      return batch
    },
    process: ({ options }, next) => (seen.push(options.size), next()),
  })
  const { app, until } = open(t, { middleware: [...standard(), mine] })
  const plain = app.actor(add, { name: 'plain' })
  const own = app.actor(add, { name: 'own', size: 20 })
  await plain.send(1, 2)
  await own.send(1, 2)
  await own.with({ size: 30 }).send(1, 2)
  await app.work({ concurrency: 1 })
  await until('settled', 3)
  t.strictSame(seen, [10, 20, 30, 10, 20, 30])
  t.equal(parsed, 4, 'once for the actor, twice in with() (checked, resolved), once on the other side')
})

t.test('wrong options of with() are refused at once', async t => {
  const { app } = open(t)
  const sum = app.actor(add, { name: 'sum' })
  const controller = new AbortController()
  for (const [options, code, message] of [
    [{ delay: -1 }, 'DURATION_INVALID', /delay/],
    [{ delay: 'soon' }, 'DURATION_INVALID', /delay/],
    [{ delay: '366d' }, 'DURATION_INVALID', /365d/],
    [{ delay: Infinity }, 'DURATION_INVALID', /delay/],
    [{ at: new Date(NaN) }, 'OPTION_INVALID', /Invalid Date/],
    [{ at: 'tomorrow' }, 'OPTION_INVALID', /at cannot be "tomorrow"/],
    [{ at: -1 }, 'OPTION_INVALID', /at/],
    [{ at: NaN }, 'OPTION_INVALID', /at/],
    [{ at: systemClock.now() + LONGEST_MS + 60_000 }, 'OPTION_INVALID', /365d/],
    [{ at: Infinity }, 'OPTION_INVALID', /at/],
    [{ at: 1, delay: 1 }, 'OPTION_INVALID', /Both/],
    [{ priority: 'urgent' }, 'OPTION_INVALID', /'high', 'normal', 'low'/],
    [{ priority: 0 }, 'OPTION_INVALID', /priority/],
    [{ queue: 'a b' }, 'NAME_INVALID', /queue/],
    [{ id: '' }, 'ID_INVALID', /id/],
    [{ id: 5 }, 'ID_INVALID', /id/],
    [{ signal: controller }, 'OPTION_INVALID', /AbortSignal/],
    [{ maxRetries: 1_001 }, 'OPTION_INVALID', /0 to 1000/],
    [{ maxRetries: 1.5 }, 'OPTION_INVALID', /whole number/],
    [{ maxRetries: '3' }, 'OPTION_INVALID', /maxRetries/],
    [{ timeLimit: 'x' }, 'DURATION_INVALID', /timeLimit/],
    [{ minBackoff: Infinity }, 'DURATION_INVALID', /minBackoff/],
    [{ notifyShutdown: 1 }, 'OPTION_INVALID', /true or false/],
    [{ maxRetry: 3 }, 'OPTION_UNKNOWN', /Did you mean maxRetries\?/],
    [{ dealy: 3 }, 'OPTION_UNKNOWN', /Did you mean delay\?/],
    [{ throws: [] }, 'OPTION_UNKNOWN', /not an option per message/],
    [{ name: 'x' }, 'OPTION_UNKNOWN', /name/],
    [JSON.parse('{"__proto__":1}'), 'OPTION_UNKNOWN', /__proto__/],
    [null, 'OPTION_INVALID', /options/],
    [undefined, 'OPTION_INVALID', /options/],
    ['1m', 'OPTION_INVALID', /options/],
  ] as const)
    t.throws(() => sum.with(options as never), { code, message }, JSON.stringify(options))
})

t.test('a delay counts from the send, a time is a time', async t => {
  const { app, memory, clock } = await openMoving(t)
  const sum = app.actor(add, { name: 'sum' })
  const later = sum.with({ delay: '1m' })
  const at = sum.with({ at: new Date(clock.now() + 60_000) })
  const outbox = later.message(1, 2)
  clock.advance(30_000)
  const start = clock.now()
  const due = async ({ id }: { id: string }) => ((await memory.inspector.find(id))?.dueAt ?? 0) - start
  t.equal(await due(await later.send(1, 2)), 60_000)
  t.equal(await due(await at.send(1, 2)), 30_000)
  t.equal(await due((await app.send([outbox]))[0]!), 60_000, 'from when it is stored')
  const { id } = await later.send(1, 2)
  t.equal(await app.sent(id).state(), 'delayed')
  clock.advance(59_999)
  t.equal(await app.sent(id).state(), 'delayed', 'never early')
  clock.advance(1)
  t.equal(await app.sent(id).state(), 'waiting')
})

t.test('one id for several messages is refused', async t => {
  const { app } = open(t)
  const sum = app.actor(add, { name: 'sum' }).with({ id: 'x' })
  await t.rejects(
    sum.sendMany([
      [1, 2],
      [3, 4],
    ]),
    { code: 'OPTION_INVALID', message: /One id/ },
  )
  t.match(await sum.sendMany([[1, 2]]), [{ id: 'x', stored: true }])
  await t.rejects(sum.sendMany([5 as never]), { code: 'MESSAGE_INVALID', message: /one array a message/ })
})

t.test('sent(id) is the same handle from anywhere, with no I/O until it is asked', async t => {
  const broker = memoryBroker()
  const app = greenroom({ broker: 'nobody://knows' })
  t.equal(app.sent('x').id, 'x')
  t.equal(app.actor(add, { name: 'sum' }).sent('x').id, 'x')
  t.throws(() => app.sent('a b'), { code: 'ID_INVALID' })
  await t.rejects(app.sent('x').state(), { code: 'BROKER_UNKNOWN' })

  const [one, two] = [open(t, { broker }).app, open(t, { broker }).app]
  const { id } = await one.actor(add, { name: 'sum' }).send(1, 2)
  t.equal(await two.sent(id).state(), 'waiting')
  t.equal(await two.sent('missing').state(), 'unknown')
  await t.rejects(
    open(t, { broker: { ...broker, capabilities: { ...broker.capabilities, peek: false } } })
      .app.sent(id)
      .state(),
    { code: 'BROKER_UNSUPPORTED' },
  )
})

t.test('a handle says where its message is', async t => {
  const { app, until } = open(t)
  const states: unknown[] = []
  const look = app.actor(async (id: string) => void states.push(await app.sent(id).state()), { name: 'look' })
  const fail = app.actor(
    () => {
      throw new Error('x')
    },
    { name: 'fail', maxRetries: 0 },
  )
  const [first, second] = [await look.with({ id: 'me' }).send('me'), await fail.send()]
  await app.work()
  await until('settled', 2)
  t.strictSame([...states, await first.state(), await second.state()], ['running', 'unknown', 'dead'])
})

t.test('two apps with one URL are two clients of one broker', async t => {
  const make = (namespace: string) => greenroom({ broker: 'memory:', namespace })
  const [one, two, other] = [make('shared'), make('shared'), make('other')]
  const { id } = await one.actor(add, { name: 'sum' }).send(1, 2)
  t.equal(await two.sent(id).state(), 'waiting')
  t.equal(await other.sent(id).state(), 'unknown')
  await one.close()
  t.equal(await two.sent(id).state(), 'waiting', 'the other goes on')
  await two.close()
  const again = make('shared')
  t.equal(await again.sent(id).state(), 'unknown', 'and the last one has closed it')
  await Promise.all([again.close(), other.close()])
})

t.test('a declared actor is sendable without its code, and callable once it is implemented', async t => {
  const { app, until, memory } = open(t)
  const declared = app.declare<(a: number, b: number) => number>('sum', { queue: 'maths' })
  const sent = await declared.with({ maxRetries: 1 }).send(1, 2)
  t.match(decoded((await memory.inspector.find(sent.id, 'maths'))!), { actor: 'sum', args: [1, 2] })
  const sum = declared.implement((a, b) => a + b, { maxRetries: 5 })
  t.equal(sum(3, 4), 7)
  await app.work()
  t.match(await until('settled'), [{ outcome: { kind: 'done', result: 3 } }])
  for (const [name, options, code] of [
    ['a b', {}, 'NAME_INVALID'],
    ['a', { queue: '' }, 'NAME_INVALID'],
  ] as const)
    t.throws(() => app.declare(name, options), { code })
})

t.test('a direct call does not touch the broker', async t => {
  const app = greenroom({ broker: 'nobody://knows' })
  t.equal(app.actor(add, { name: 'sum' })(1, 2), 3)
  await turns()
  await app.close()
})
