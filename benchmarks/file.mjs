/**
 * The `file:` broker through the whole core (no-op actor, two arguments, about 200 bytes, `standard()`), flushed to disk, beside bare
 * lmdb with the same number of records in the same batches, in a thread of its own.
 *
 *   npm run bench -- file [--json]
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { greenroom, standard } from 'greenroom'
import { bareLmdb } from './bare-lmdb.mjs'
import { inFlight, measure } from './harness.mjs'

const MANY = 20_000
const FEW = 300
const BATCH = 500 // what 1,000 in flight come to: two batches, one of them on the disk
const ARGUMENT = 'https://example.com/photos/2026/11/24/some-picture-of-a-cat.jpg'

const folder = mkdtempSync(join(tmpdir(), 'greenroom-bench-'))
const log = { debug() {}, info() {}, warn() {}, error: console.error }

/** An app on a folder of its own, with scenarios that send and that run. */
function scenarios(label, query) {
  const app = greenroom({ broker: `file:${join(folder, label)}${query}`, middleware: standard(), log })
  let ran = 0
  let all = 0
  let allRan = () => {}
  const noop = app.actor(
    async (_url, _width) => {
      if (++ran === all) allRan()
    },
    { name: 'noop' },
  )
  const drain = async () => (await app.work({ concurrency: 100, until: 'idle' })).stopped
  const send = (n, atOnce) => ({
    name: `${label}: sends, ${atOnce.toLocaleString('en')} at once`,
    n,
    async run() {
      let stored = 0
      await inFlight(n, atOnce, async i => {
        if ((await noop.send(ARGUMENT, i)).stored) stored++
      })
      return stored
    },
    after: drain,
  })
  const run = (n, concurrency) => {
    let worker
    return {
      name: `${label}: runs, concurrency ${concurrency}`,
      n,
      async before() {
        await noop.sendMany(Array.from({ length: n }, (_, i) => [ARGUMENT, i]))
        ran = 0
        all = n
      },
      async run() {
        const finished = new Promise(resolve => (allRan = resolve))
        worker = await app.work({ concurrency })
        await finished
        await worker.close() // and settled
        return ran
      },
      after: drain,
    }
  }
  return { app, send, run }
}

const flushed = scenarios('flushed', '')
const none = scenarios('not flushed', '?sync=none')
const bare = await bareLmdb(join(folder, 'bare'))
const batches = async each => {
  for (let done = 0; done < MANY; done += BATCH) await each(BATCH)
  return MANY
}
try {
  const medians = await measure('the file broker', [
    { name: 'bare lmdb: puts, 500 a batch', n: MANY, run: () => batches(bare.put) },
    flushed.send(MANY, 1_000),
    none.send(MANY, 1_000),
    flushed.send(FEW, 1),
    { name: 'bare lmdb: gets and removals, 500 a batch', n: MANY, run: () => batches(bare.take) },
    flushed.run(MANY, 100),
    none.run(MANY, 100),
    flushed.run(MANY / 4, 8),
    flushed.run(MANY / 10, 1),
  ])
  const share = (ours, limit) => Math.round((medians.get(limit) / medians.get(ours)) * 100)
  console.log(
    `\nsends: ${share('flushed: sends, 1,000 at once', 'bare lmdb: puts, 500 a batch')}% of bare lmdb, which keeps no ids, no leases and no counts`,
  )
  console.log(
    `runs: ${share('flushed: runs, concurrency 100', 'bare lmdb: gets and removals, 500 a batch')}% of bare lmdb, which keeps no ids, no leases and no counts`,
  )
} finally {
  await Promise.all([flushed.app.close(), none.app.close(), bare.close()])
  rmSync(folder, { recursive: true, force: true })
}
