/**
 * The embedded broker beside bare lmdb that makes the same writes: one put and one removal of a record, of an id and of a lease.
 * One JSON line a run; compare medians, distrust anything inside the spread.
 *
 *   node benchmarks/embedded.mjs [--root <compiled tree>] [--sync flush,none] [--batch 1,16,128,512] [--waiting 0]
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { randomUUID } from 'node:crypto'
import { parseArgs } from 'node:util'
import { pathToFileURL } from 'node:url'

const { values } = parseArgs({
  options: {
    root: { type: 'string', default: 'dist/esm' },
    sync: { type: 'string', default: 'flush,none' },
    batch: { type: 'string', default: '1,16,128,512' },
    waiting: { type: 'string', default: '0' },
    rounds: { type: 'string', default: '5' },
  },
})
const { embeddedBroker } = await import(pathToFileURL(join(resolve(values.root), 'brokers/embedded/index.js')).href)
const { open } = await import('lmdb')

const ROUNDS = Number(values.rounds),
  WAITING = Number(values.waiting),
  BODY = new Uint8Array(200).fill(0x61),
  never = new AbortController().signal
/** Enough for a round of 50 ms and more at the speed that a batch of this size has. */
const COUNT = { 1: 1_000, 16: 9_600, 128: 25_600, 512: 51_200 }

for (const sync of values.sync.split(',')) {
  for (const batch of values.batch.split(',').map(Number)) {
    const runs = { push: [], work: [], barePush: [], bareWork: [] }
    const path = mkdtempSync(join(tmpdir(), 'greenroom-bench-'))
    // Open over all rounds: a fresh thread runs cold code.
    const broker = embeddedBroker({ path: join(path, 'ours'), sync })
    try {
      for (let round = -1; round < ROUNDS; round++) {
        const ours = await measure(broker, batch),
          bare = measureBare(join(path, `bare${round}`), sync, batch)
        if (round < 0) continue // one round to warm up
        for (const [name, perSecond] of Object.entries({ ...ours, ...bare })) runs[name].push(perSecond)
      }
    } finally {
      await broker[Symbol.asyncDispose]()
      rmSync(path, { recursive: true })
    }
    const medians = Object.fromEntries(Object.entries(runs).map(([name, found]) => [name, spread(found)]))
    console.log(
      JSON.stringify({
        bench: 'embedded',
        sync,
        batch,
        waiting: WAITING,
        bytes: BODY.length,
        ...medians,
        node: process.version,
        cpus: availableParallelism(),
      }),
    )
  }
}

function spread(found) {
  const [low, median, high] = [0, found.length >> 1, found.length - 1].map(i => found.toSorted((a, b) => a - b)[i])
  return [median, low, high]
}

/** Messages a second, pushed and then taken and settled, one batch after the other. */
async function measure(broker, batch) {
  const count = COUNT[batch] ?? batch * 100
  const envelopes = n => Array.from({ length: n }, () => ({ id: randomUUID(), queue: 'q', body: BODY, attempt: 0, priority: 1 }))
  const { ready } = await broker.inspector.counts('q')
  for (let left = WAITING - ready; left > 0; left -= 10_000) await broker.push(envelopes(Math.min(left, 10_000)))
  const batches = Array.from({ length: Math.ceil(count / batch) }, () => envelopes(batch))
  let start = performance.now()
  for (const each of batches) await broker.push(each)
  const push = perSecond(batches.length * batch, start),
    consumer = await broker.consume({ queues: ['q'], credit: 2 * batch, leaseMs: 30_000, onLost() {} })
  start = performance.now()
  let done = 0,
    held = await consumer.take(batch, { waitMs: 0, signal: never })
  while (done < batches.length * batch) {
    const settling = consumer.settle(held.map(({ token }) => ({ token, kind: 'done' }))),
      taking = consumer.take(batch, { waitMs: 0, signal: never })
    done += (await settling).filter(settled => settled === 'ok').length // never time a broken run
    held = await taking
  }
  const work = perSecond(done, start)
  await consumer[Symbol.asyncDispose]()
  return { push, work }
}

function measureBare(path, sync, batch) {
  const db = open({
    path,
    noSubdir: false,
    encoding: 'binary',
    keyEncoding: 'binary',
    overlappingSync: false,
    noSync: sync === 'none',
    maxDbs: 1,
  })
  const count = COUNT[batch] ?? batch * 100,
    record = new Uint8Array(BODY.length + 64),
    place = new Uint8Array(9)
  const key = n => {
    const bytes = Buffer.alloc(14, 0x4d)
    bytes.writeUInt32BE(n, 10)
    return bytes
  }
  const ids = Array.from({ length: count }, () =>
    Buffer.from(`I0000${randomUUID().replaceAll('-', '')}`, 'latin1').subarray(0, 22),
  )
  let start = performance.now()
  for (let n = 0; n < count; n += batch)
    db.transactionSync(() => {
      for (let i = n; i < n + batch; i++) {
        if (db.getBinaryFast(ids[i]) !== undefined) throw new Error('an id twice')
        db.put(ids[i], place)
        db.put(key(i), record)
      }
    })
  const barePush = perSecond(count, start),
    lease = new Uint8Array(13 * batch),
    leaseKey = Buffer.from('C')
  start = performance.now()
  for (let n = 0; n < count; n += batch)
    db.transactionSync(() => {
      for (let i = n; i < n + batch; i++) {
        if (db.getBinaryFast(key(i)) === undefined) throw new Error('a message is lost')
        db.remove(key(i))
        db.remove(ids[i])
      }
      db.put(leaseKey, lease)
    })
  const bareWork = perSecond(count, start)
  db.close()
  return { barePush, bareWork }
}

function perSecond(count, start) {
  return Math.round((count / (performance.now() - start)) * 1_000)
}
