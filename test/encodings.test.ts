/** What each encoding keeps: every row of docs/encodings.md, from `send()` to the handler, on `memory:` and `file:`. */
import { deepStrictEqual } from 'node:assert/strict'
import t, { type Test } from 'tap'
import { embeddedBroker } from '../brokers/embedded/index.ts'
import type { Broker } from '../lib/broker.ts'
import { type Encoding, ENCODINGS } from '../lib/encoding.ts'
import { GreenroomError } from '../lib/errors.ts'
import { folder } from './brokers/embedded-target.ts'
import { textOf } from './docs-pages.ts'
import { encodingTable, ROWS } from './helpers/encoding-rows.ts'
import { open } from './helpers/open.ts'

const BROKERS: Readonly<Record<string, (t: Test) => { readonly broker?: Broker }>> = {
  'memory:': () => ({}),
  'file:': t => {
    const broker = embeddedBroker({ path: folder(t), sync: 'none' })
    t.teardown(() => broker[Symbol.asyncDispose]())
    return { broker }
  },
}

for (const encoding of ENCODINGS) {
  for (const [url, make] of Object.entries(BROKERS))
    t.test(`${encoding} on ${url}: each value is kept exactly, arrives as the table says, or is refused`, async t => {
      const { app, until } = open(t, { ...make(t), encoding })
      const ran = new Map<number, unknown>()
      const keep = app.actor((row: number, value: unknown) => void ran.set(row, value), { name: 'keep' })
      const sent: unknown[] = []
      for (const { what, examples, [encoding]: verdict } of ROWS) {
        for (const [i, example] of examples.entries()) {
          const called = `${what}, example ${i}`
          try {
            await keep.send(sent.length, example)
            t.not(verdict, 'refused', called)
            sent.push(typeof verdict === 'string' ? example : verdict.value)
          } catch (error) {
            t.equal(verdict, 'refused', called)
            t.match(error, {
              code: 'NOT_DATA',
              help: /\w/,
              message: encoding === 'json' ? /which JSON would/ : /which msgpack would/,
            })
            t.ok(String((error as GreenroomError).details?.['path']).startsWith('args[1]'), called)
          }
        }
      }
      await app.work()
      await until('settled', sent.length)
      for (const [i, expected] of sent.entries()) deepStrictEqual(ran.get(i), expected)
      t.equal(ran.size, sent.length)
      await app.close()
    })
}

t.test('the page has this table, row for row', async t => {
  const lines = textOf('docs/encodings.md').split('\n')
  const [head] = encodingTable()
  const from = lines.indexOf(head!)
  t.strictSame(lines.slice(from, lines.indexOf('', from)), encodingTable())
})

/** Two apps on one broker, which encode differently. */
function pair(t: Test, reads: Encoding, writes: Encoding) {
  const reader = open(t, { encoding: reads })
  const writer = open(t, { encoding: writes, broker: reader.memory })
  return { reader, writer }
}

for (const [reads, writes] of [
  ['json', 'msgpack'],
  ['msgpack', 'json'],
] as const)
  t.test(`an app that writes ${reads} runs what one that writes ${writes} sent`, async t => {
    const { reader, writer } = pair(t, reads, writes)
    const ran: unknown[][] = []
    reader.app.actor((...args: unknown[]) => void ran.push(args), { name: 'greet', timeLimit: '1m' })
    const greet = writer.app.declare<(...args: unknown[]) => void>('greet')
    await greet.with({ id: 'one', maxRetries: 3, timeLimit: '2s' }).send('Ada', { n: [1] })
    const body = (await reader.memory.inspector.find('one'))!.envelope.body
    t.equal(body[0], writes === 'json' ? 0x7b : 0x97)
    await reader.app.work()
    const [settled] = await reader.until('settled')
    t.match(settled, { outcome: { kind: 'done' }, message: { id: 'one', options: { maxRetries: 3 } } })
    t.strictSame(ran, [['Ada', { n: [1] }]])
  })

t.test('a retry of an app that writes another encoding keeps the bytes', async t => {
  const { reader, writer } = pair(t, 'json', 'msgpack')
  const fail = () => {
    throw new Error('x')
  }
  reader.app.actor(fail, { name: 'greet', maxRetries: 2, minBackoff: 0 })
  await writer.app.declare<(at: Date) => void>('greet').with({ id: 'one' }).send(new Date(5))
  const { body } = (await reader.memory.inspector.find('one'))!.envelope
  await reader.app.work()
  await reader.until('settled', 3)
  t.match(await reader.memory.inspector.find('one'), { place: 'dead', envelope: { attempt: 2 } })
  t.strictSame((await reader.memory.inspector.find('one'))!.envelope.body, body)
})

t.test('results and messages of callbacks keep what msgpack keeps', async t => {
  const { app, until } = open(t, { encoding: 'msgpack' })
  const told: unknown[][] = []
  const tell = app.actor((...args: unknown[]) => void told.push(args), { name: 'tell' })
  const made = app.actor((at: Date) => ({ at, bytes: Buffer.from('hi'), n: 5n }), { name: 'make', onSuccess: tell as never })
  await made.send(new Date(7))
  await app.work()
  await until('settled', 2)
  deepStrictEqual(told[0]![0], { at: new Date(7), bytes: Buffer.from('hi'), n: 5n })
  t.match(told[0]![1], { actor: 'make', args: [new Date(7)] })
})

t.test('what is sent is what was given: bytes that the sender changes afterwards are not', async t => {
  const { app, until } = open(t, { encoding: 'msgpack' })
  let got: Buffer | undefined
  const keep = app.actor((bytes: Buffer) => void (got = bytes), { name: 'keep' })
  const bytes = Buffer.from('before')
  const sent = keep.send(bytes)
  bytes.fill('x')
  await sent
  await app.work()
  await until('settled')
  t.equal(got?.toString(), 'before')
  t.equal(got?.buffer.byteLength, 6, 'they share no memory with the body')
})
