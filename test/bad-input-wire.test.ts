/** Bad input from the broker: whoever may write to it may write anything. A dead letter with a reason and its bytes; good neighbours run. */
import * as fc from 'fast-check'
import t, { type Test } from 'tap'
import { systemClock } from '../lib/clock.ts'
import { decodeFailure } from '../lib/failure.ts'
import { BAD, patched, without } from './helpers/bad-bodies.ts'
import { fuzzedJson, fuzzedMsgpack } from './helpers/fuzzed-bodies.ts'
import { open } from './helpers/open.ts'
import { prototypesHash } from './helpers/prototypes.ts'
import { pushRaw, wireBody } from './helpers/raw.ts'

/** An app with an actor called `good` that keeps what it was given. */
function openGood(t: Test) {
  const opened = open(t)
  const ran: unknown[][] = []
  const good = opened.app.actor((...args: unknown[]) => void ran.push(args), { name: 'good' })
  return { ...opened, good, ran }
}

t.test('what cannot be read is a dead letter with its reason and its bytes, and its neighbours run', async t => {
  const { app, memory, good, ran, until, all } = openGood(t)
  for (const [i, [, body]] of BAD.entries()) {
    await pushRaw(memory, body, `bad-${i}`)
    await good.send(i)
  }
  await app.work()
  await until('settled', BAD.length)
  await until('rejected', BAD.length)
  t.strictSame(
    ran,
    BAD.map((_, i) => [i]),
  )
  t.equal(all('settled').length, BAD.length, 'what cannot be read passes no chain')
  for (const [i, [what, body, reason]] of BAD.entries()) {
    const found = await memory.inspector.find(`bad-${i}`)
    t.match(found, { place: 'dead', reason, deliveries: 1, envelope: { attempt: 0 } }, what)
    t.equal(Buffer.compare(found!.envelope.body, Buffer.from(body as string)), 0, `${what}: byte for byte`)
    t.match(decodeFailure(found!.error), { type: 'GreenroomError', message: String })
    t.ok((found!.reason ?? '').length <= 500)
  }
  t.match(all('rejected')[0], { id: 'bad-0', queue: 'default', reason: BAD[0]![2] })
})

t.test('what is odd but can be read runs', async t => {
  const { app, memory, ran, until } = openGood(t)
  const inert = '[{"__proto__":{"isAdmin":true},"constructor":{"prototype":{"isAdmin":true}}}]'
  const bodies: readonly string[] = [
    wireBody({ args: [1], kwargs: { b: 2 } }),
    without('kwargs'),
    patched({ args: '@' }, inert),
    wireBody({ options: { unknown_option: { deep: [1] }, traceback: 'x', eta: 5, requeue_timestamp: null } }),
    wireBody({ options: { throws: ['x'], retry_when: true, on_success: 'mail', pipe_target: {} } }),
    patched({ args: '@' }, '[NaN,-Infinity,123456789012345678901234567890]'),
    ` \n${wireBody()}\n `,
    wireBody({ queue_name: 'another', message_id: 'another' }),
    wireBody({ message_timestamp: -1e308 }),
    wireBody({ options: { max_retries: 0, time_limit: 'Infinity' } }),
  ]
  for (const body of bodies) await pushRaw(memory, body)
  await app.work()
  const settled = await until('settled', bodies.length)
  t.strictSame(
    settled.map(({ outcome }) => outcome.kind),
    bodies.map(() => 'done'),
  )
  t.strictSame(ran.slice(0, 2), [[1, { b: 2 }], []])
  t.strictSame(Object.keys(ran[2]![0] as object), ['__proto__', 'constructor'], 'own keys, and no more')
  t.equal(({} as { isAdmin?: unknown }).isAdmin, undefined)
  t.match(
    settled[3]!.message.options,
    { unknownOption: { deep: [1] }, eta: 5 },
    'options that nobody declares are kept, and do nothing',
  )
  t.strictSame(ran[5], [NaN, -Infinity, 1.2345678901234568e29])
  t.match(settled[7]!.message, { queue: 'default', id: /^raw-/ }, 'what travels in the clear is what counts')
})

t.test('a retry keeps the bytes that others wrote, whatever they are', async t => {
  const { app, memory, until } = open(t)
  app.actor(
    () => {
      throw new Error('x')
    },
    { name: 'good', maxRetries: 2, minBackoff: 0 },
  )
  const body = Buffer.from(` ${patched({ args: '@', options: { not_ours: 1 } }, '[NaN, 12345678901234567890]')}  `)
  const id = await pushRaw(memory, body)
  await app.work()
  await until('settled', 3)
  t.match(await memory.inspector.find(id), { place: 'dead', envelope: { attempt: 2, body } })
})

t.test('10,000 fuzzed bodies among good ones: each is run or dead, and nothing else happens', t => survives(t, fuzzedJson()))

t.test('10,000 fuzzed bodies of msgpack among good ones: the same', t => survives(t, fuzzedMsgpack()))

/** Pushes 10,000 such bodies among 100 good ones. */
async function survives(t: Test, body: fc.Arbitrary<Buffer>) {
  const seed = Number(process.env['SEED'] ?? systemClock.now())
  t.comment(`SEED=${seed}`)
  const before = prototypesHash()
  const { app, memory, good, ran, until, all } = openGood(t)
  const bodies = fc.sample(body, { numRuns: 10_000, seed })
  const pushed = bodies.map((body, i) => ({ id: `fuzz-${i}`, queue: 'default', attempt: 0, priority: 1 as const, body }))
  for (let i = 0; i < pushed.length; i += 100) {
    await memory.push(pushed.slice(i, i + 100))
    await good.send('good', i)
  }
  await app.work({ concurrency: 100 })
  await until('settled', 100)
  // One look for all figures: those that wait for an actor come back after a second, for a moment each.
  let counts = await memory.inspector.counts('default')
  while (counts.ready > 0 || counts.leased > 0) {
    await new Promise(resolve => setImmediate(resolve))
    counts = await memory.inspector.counts('default')
  }
  const { dead, delayed } = counts
  t.equal(ran.filter(([what]) => what === 'good').length, 100, 'every good one ran')
  const ended = new Set([...all('settled').map(({ message }) => message.id), ...all('rejected').map(({ id }) => id)])
  t.strictSame(
    pushed.filter(({ id }) => !ended.has(id)),
    [],
    'and every other came to an end',
  )
  t.equal(dead + delayed + ran.length, 10_100, 'it ran, is dead, or waits for an actor that nobody has')
  t.ok(dead > 5_000 && ran.length > 120, `${dead} dead, ${ran.length} run, ${delayed} unknown`)
  t.equal(prototypesHash(), before)
  const { entries } = await memory.inspector.list('default', 'dead', { limit: 100 })
  t.equal(entries.length, 100)
  for (const { reason, envelope } of entries) {
    t.match(reason, /^(undecodable|invalid options): ./)
    t.equal(Buffer.compare(envelope.body, bodies[Number(envelope.id.slice(5))]!), 0, `${envelope.id}: byte for byte`)
  }
}

t.test('a flood of bodies that cannot be read, with as many runs at once as there may be, stops nothing', async t => {
  const { app, memory, good, ran, until, all } = openGood(t)
  const flood = Array.from({ length: 20_000 }, (_, i) => ({
    id: `flood-${i}`,
    queue: 'default',
    attempt: 0,
    priority: 1 as const,
    body: Buffer.from('{'),
  }))
  await memory.push(flood)
  await good.send('last')
  await app.work({ concurrency: 10_000 })
  await until('rejected', flood.length)
  await until('settled')
  t.strictSame(ran, [['last']])
  t.strictSame(all('trouble'), [])
  t.match(await memory.inspector.counts('default'), { leased: 0, ready: 0 })
})
