/** What others may write to a `file:` folder while a worker of it runs: each a dead letter with its reason and its bytes; good neighbours run. */
import t, { type Test } from 'tap'
import { embeddedBroker } from '../brokers/embedded/index.ts'
import type { Broker } from '../lib/broker.ts'
import { decodeFailure } from '../lib/failure.ts'
import { folder } from './brokers/embedded-target.ts'
import { BAD, patched } from './helpers/bad-bodies.ts'
import { open } from './helpers/open.ts'
import { prototypesHash } from './helpers/prototypes.ts'
import { pushRaw, wireBody } from './helpers/raw.ts'

/** An app on a folder, with an actor called `good` that keeps what it was given; and who else writes to the folder. */
function openFolder(t: Test) {
  const path = folder(t)
  const [broker, intruder] = [embeddedBroker({ path, sync: 'none' }), embeddedBroker({ path, sync: 'none' })]
  const opened = open(t, { broker })
  t.teardown(async () => {
    await opened.app.close()
    for (const each of [broker, intruder]) await each[Symbol.asyncDispose]()
  })
  const ran: unknown[][] = []
  const good = opened.app.actor((...args: unknown[]) => void ran.push(args), { name: 'good' })
  return { ...opened, intruder, good, ran }
}

const inspectorOf = ({ inspector }: Broker) => inspector!

t.test('bodies that cannot be read, under a running worker', async t => {
  const before = prototypesHash()
  const { app, intruder, good, ran, until, all } = openFolder(t)
  await app.work({ concurrency: 4 })
  for (const [i, [, body]] of BAD.entries()) {
    await pushRaw(intruder, body, `bad-${i}`)
    await good.send(i)
  }
  await until('settled', BAD.length)
  await until('rejected', BAD.length)
  t.strictSame(
    ran.map(([n]) => n as number).sort((a, b) => a - b),
    BAD.map((_, i) => i),
  )
  for (const [i, [what, body, reason]] of BAD.entries()) {
    const found = await inspectorOf(intruder).find(`bad-${i}`)
    t.match(found, { place: 'dead', reason, envelope: { attempt: 0 } }, what)
    t.equal(Buffer.compare(found!.envelope.body, Buffer.from(body as string)), 0, `${what}: byte for byte`)
  }
  t.match(
    all('rejected')
      .map(({ id }) => id)
      .sort(),
    BAD.map((_, i) => `bad-${i}`).sort(),
  )
  t.equal(prototypesHash(), before, 'what every object inherits')
})

t.test('a dead letter of those is read, revived and dead again with the same bytes', async t => {
  const { app, intruder, until } = openFolder(t)
  const body = Buffer.from([0xff, 0x00, 0x7b, 0x22])
  const id = await pushRaw(intruder, body)
  await app.work()
  await until('rejected')
  const { revive, find, list } = inspectorOf(intruder)
  await revive('default', [id])
  await until('rejected', 2)
  const dead = await find(id)
  t.match(dead, { place: 'dead', envelope: { body } })
  const failure = decodeFailure(dead!.error)
  t.match(failure, { type: 'GreenroomError', code: 'BODY_UNDECODABLE', message: /Not a message/ })
  t.notOk(failure!.stack ?? failure!.cause?.stack, 'our own stack tells nobody anything, and would be most of what it costs')
  t.equal((await list('default', 'dead')).entries.length, 1)
})

t.test('the hash of what objects inherit notices whatever could be done to it', async t => {
  const before = prototypesHash()
  const [object, list, fn] = [{}, [], () => {}].map(value => Reflect.getPrototypeOf(value)!) as [object, object, object]
  for (const [what, owner, key, change] of [
    ['a new key', object, 'isAdmin', { value: true }],
    ['another value', list, 'push', { value: () => 0 }],
    ['a getter', list, 'at', { get: () => () => 0 }],
    ['a descriptor', fn, 'call', { enumerable: true }],
    ['a key of a method', Object.prototype.toString, 'polluted', { value: 1 }],
  ] as const) {
    const was = Reflect.getOwnPropertyDescriptor(owner, key)
    Reflect.defineProperty(owner, key, { configurable: true, ...change })
    const after = prototypesHash()
    if (was) Reflect.defineProperty(owner, key, was)
    else Reflect.deleteProperty(owner, key)
    t.not(after, before, what)
  }
  t.equal(prototypesHash(), before)
})

t.test('keys that reach prototypes elsewhere arrive as own keys', async t => {
  const before = prototypesHash()
  const { app, intruder, ran, until } = openFolder(t)
  const inert = '{"__proto__":{"isAdmin":true},"constructor":{"prototype":{"isAdmin":true}},"toString":1}'
  await pushRaw(intruder, patched({ args: '@' }, `[${inert}]`))
  await pushRaw(intruder, wireBody().replace('"kwargs":{}', `"kwargs":${inert}`))
  await app.work({ concurrency: 1 })
  t.match(await until('settled', 2), [{ outcome: { kind: 'done' } }, { outcome: { kind: 'done' } }])
  for (const args of ran) t.strictSame(Object.keys(args.at(-1) as object), ['__proto__', 'constructor', 'toString'])
  t.equal(({} as { isAdmin?: unknown }).isAdmin, undefined)
  t.equal(prototypesHash(), before, 'what every object inherits')
})

t.test('envelopes that name no message are refused before they are stored, and a good one of the batch is', async t => {
  const { app, intruder, ran, until } = openFolder(t)
  const body = Buffer.from(wireBody())
  const base = { queue: 'default', attempt: 0, priority: 1 as const, body }
  const bad = [
    { ...base, id: '' },
    { ...base, id: 'a b' },
    { ...base, id: 'a\nb' },
    { ...base, id: 'x'.repeat(201) },
    { ...base, id: 'q', queue: '../up' },
    { ...base, id: 'a', attempt: -1 },
    { ...base, id: 'b', attempt: 0.5 },
    { ...base, id: 'c', priority: 7 },
    { ...base, id: 'd', body: 'text' },
    { ...base, id: 'e', due: { at: NaN } },
    { ...base, id: 'f', due: { afterMs: -1 } },
    { ...base, id: 'g', onceMs: -1 },
  ]
  const verdicts = await intruder.push([...bad, { ...base, id: 'good' }] as never)
  t.equal(verdicts.at(-1), 'stored')
  for (const [i, verdict] of verdicts.slice(0, -1).entries())
    t.match(verdict, { name: 'GreenroomError', code: /_INVALID$/ }, JSON.stringify({ ...bad[i], body: 0 }))
  await app.work()
  await until('settled')
  t.equal(ran.length, 1)
})
