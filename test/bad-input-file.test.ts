/** Bad input on `file:`, in bulk and in size: every dead letter has its bytes, a worker's memory stays bounded, and good messages run. */
import { readFileSync } from 'node:fs'
import * as fc from 'fast-check'
import t, { type Test } from 'tap'
import { embeddedBroker } from '../brokers/embedded/index.ts'
import { greenroom } from '../index.ts'
import type { Broker, Entry } from '../lib/broker.ts'
import { LARGEST_BODY } from '../lib/refusal.ts'
import { folder } from './brokers/embedded-target.ts'
import { cast, said, stop } from './helpers/cast.ts'
import { fuzzedJson, fuzzedMsgpack } from './helpers/fuzzed-bodies.ts'
import { open } from './helpers/open.ts'
import { prototypesHash } from './helpers/prototypes.ts'
import { wireBody } from './helpers/raw.ts'
import { newSeed } from './model/hold.ts'

const MB = 1_048_576
const raw = (id: string, body: Uint8Array) => ({ id, queue: 'default', attempt: 0, priority: 1 as const, body })

async function* deadOf({ inspector }: Broker): AsyncGenerator<Entry> {
  for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
    const page = await inspector!.list('default', 'dead', { limit: 1_000, ...(cursor !== undefined && { cursor }) })
    yield* page.entries
    cursor = page.cursor
  }
}

/** Pushes 10,000 such bodies among 100 good ones, under a worker that runs. */
async function survives(t: Test, body: fc.Arbitrary<Buffer>): Promise<void> {
  const seed = newSeed()
  t.comment(`GREENROOM_SEED=${seed}`)
  const before = prototypesHash(),
    broker = embeddedBroker({ path: folder(t), sync: 'none' })
  const { app, all } = open(t, { broker })
  t.teardown(async () => {
    await app.close()
    await broker[Symbol.asyncDispose]()
  })
  const good: number[] = []
  app.actor((what: unknown, n: unknown) => void (what === 'good' && good.push(n as number)), { name: 'good' })
  await app.work({ concurrency: 100 })
  const bodies = fc.sample(body, { numRuns: 10_000, seed })
  for (let i = 0; i < bodies.length; i += 100) {
    await broker.push(bodies.slice(i, i + 100).map((each, n) => raw(`fuzz-${i + n}`, each)))
    await app.declare<(what: string, n: number) => void>('good').send('good', i)
  }
  const ended = () => {
    if (good.length < 100 || all('rejected').length + all('settled').length < bodies.length + 100) return false
    const ids = [...all('rejected').map(({ id }) => id), ...all('settled').map(({ message: { id } }) => id)]
    return new Set(ids.filter(id => id.startsWith('fuzz'))).size === bodies.length
  }
  while (!ended()) await new Promise(resolve => setImmediate(resolve))
  t.strictSame(
    good.toSorted((a, b) => a - b),
    Array.from({ length: 100 }, (_, i) => i * 100),
    'every good one ran, once',
  )
  const dead = new Set<string>()
  for await (const {
    envelope: { id, body },
    reason,
  } of deadOf(broker)) {
    if (dead.has(id)) t.fail(`${id} is dead twice`)
    dead.add(id)
    if (!/^(undecodable|invalid options): ./.test(reason ?? '')) t.fail(`${id}: ${reason}`)
    if (Buffer.compare(body, bodies[Number(id.slice(5))]!) !== 0) t.fail(`${id} has other bytes`)
  }
  t.ok(dead.size > 5_000, `${dead.size} dead letters, each compared`)
  t.equal(dead.size, all('rejected').length, 'what was rejected is there')
  t.strictSame(all('trouble'), [])
  t.equal(prototypesHash(), before, 'what every object inherits is as before')
}

t.test('file: 10,000 fuzzed bodies among good ones, under a worker: each dead letter has its bytes', t =>
  survives(t, fuzzedJson()),
)

t.test('file: 10,000 fuzzed bodies of msgpack among good ones: the same', t => survives(t, fuzzedMsgpack()))

/** The memory that a process has now, in MB, without the pages of the folder's file that it looked at: the system takes those back when it likes. */
const ownMemory = (pid: number) => Number(/RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1_024

t.test('file: what is over maxBytes is refused by the sender, and over 15 MiB by the broker: nothing is stored', async t => {
  const { broker, inspector } = cast(t, { sync: 'none' })
  const app = greenroom({ broker, maxBytes: LARGEST_BODY })
  t.teardown(() => app.close())
  const actor = app.actor((_text: string) => {}, { name: 'quick' })
  await t.rejects(actor.send('x'.repeat(LARGEST_BODY)), {
    code: 'BODY_TOO_LARGE',
    stored: 'no',
    details: { maxBytes: LARGEST_BODY },
  })
  t.throws(() => greenroom({ broker, maxBytes: LARGEST_BODY + 1 }), { code: 'OPTION_INVALID', help: /from 1 to 15728640/ })
  const huge = Buffer.alloc(200 * MB)
  for (const body of [huge, huge.subarray(0, LARGEST_BODY + 1)])
    t.match(await broker.push([raw('huge', body), raw('beside', Buffer.from('{'))]), [
      {
        code: 'BODY_TOO_LARGE',
        stored: 'no',
        message: `Message "huge" has ${body.length} bytes; no broker stores more than 15728640`,
      },
      /stored|duplicate/,
    ])
  t.match(await inspector.counts('default'), { ready: 1 })
  const value = huge.subarray(0, LARGEST_BODY + 1)
  await t.rejects(broker.store!.set([{ key: 'k', value, ttlMs: 1e6 }]), { code: 'OPTION_INVALID', help: /at most 15728640/ })
  await t.rejects(broker.store!.append([{ topic: 'k', value, ttlMs: 1e6 }]), { code: 'OPTION_INVALID' })
})

t.test('file: the largest bodies that it stores: dead letters with their bytes, in bounded memory; others go on', async t => {
  const { broker, inspector, hire } = cast(t, { sync: 'none' })
  const COUNT = 24,
    good = Buffer.from(wireBody({ actor_name: 'quick' }))
  const worker = await hire({ concurrency: 50 })
  await broker.push([raw('before', good)])
  await worker.until(/settled .*"before"/)
  const before = ownMemory(worker.pid)
  await inspector.pause('default')
  const bodies = Array.from({ length: COUNT }, (_, n) => Buffer.alloc(LARGEST_BODY, `${n} and so on `))
  for (const [n, body] of bodies.entries()) {
    t.strictSame(await broker.push([raw(`large-${n}`, body), raw(`good-${n}`, good)]), ['stored', 'stored'])
  }
  await inspector.resume('default') // all at once
  let most = 0
  while (said(worker, 'rejected').length < COUNT || said(worker, 'settled').length < COUNT + 1) {
    most = Math.max(most, ownMemory(worker.pid))
    await new Promise(resolve => setImmediate(resolve))
  }
  const grown = most - before
  t.comment(`${before.toFixed(0)} MB before, ${grown.toFixed(0)} more at most, for ${COUNT * 15} MB`)
  t.ok(
    grown < COUNT * 15,
    `less than the bodies together: some copies of one, and what no collection has found yet: ${grown.toFixed(0)} MB`,
  )
  let dead = 0
  for await (const {
    envelope: { id, body },
    reason,
  } of deadOf(broker)) {
    dead++
    t.match(reason, /undecodable: 15728640 bytes are more than 4194304/)
    t.equal(Buffer.compare(body, bodies[Number(id.slice(6))]!), 0, `${id}: byte for byte`)
  }
  t.equal(dead, COUNT)
  t.match(
    said(worker, 'settled'),
    Array.from({ length: COUNT + 1 }, () => ({ kind: 'done', settled: 'ok' })),
  )
  t.equal(await stop(worker), 0)
})
