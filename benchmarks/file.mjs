/**
 * The `file:` broker through the whole core, flushed to disk, beside bare lmdb in a thread of its own: with the same writes, and with
 * the least that could be written.
 *
 *   npm run bench -- file [--json] [--quick]
 */
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bareLmdb } from './shared/bare-lmdb.mjs'
import { many, measure } from './shared/harness.mjs'
import { scenarios } from './shared/scenarios.mjs'

const MANY = many(20_000)
const FEW = many(300)
const BATCH = 500 // what 1,000 in flight come to: two batches, one of them on the disk

const folder = mkdtempSync(join(tmpdir(), 'greenroom-bench-'))
const flushed = scenarios('flushed', `file:${join(folder, 'flushed')}`)
const none = scenarios('not flushed', `file:${join(folder, 'none')}?sync=none`)

/** Puts a round's records, then takes them out. */
async function bare(kind) {
  const lmdb = await bareLmdb(join(folder, kind), kind)
  let ids = []
  const batches = async each => {
    for (let from = 0; from < MANY; from += BATCH) await each(ids.slice(from, from + BATCH))
    return MANY
  }
  const label = kind === 'same' ? 'bare lmdb, the same writes' : 'bare lmdb, the least'
  return {
    put: {
      name: `${label}: puts`,
      n: MANY,
      before() {
        // As ours: they begin with the time. Random ones would touch a page of the index each.
        const time = Date.now().toString(16).padStart(12, '0')
        ids = Array.from({ length: MANY }, () => time + randomUUID().slice(14))
      },
      run: () => batches(lmdb.put),
    },
    take: { name: `${label}: gets and removals`, n: MANY, run: () => batches(lmdb.take) },
    close: lmdb.close,
  }
}

const same = await bare('same'),
  least = await bare('least')
try {
  const sends = flushed.send(MANY, 1_000),
    runs = flushed.run(MANY, 100)
  const medians = await measure('the file broker', [
    least.put,
    same.put,
    sends,
    none.send(MANY, 1_000),
    flushed.send(FEW, 1),
    least.take,
    same.take,
    runs,
    none.run(MANY, 100),
    flushed.run(Math.ceil(MANY / 4), 8),
    flushed.run(Math.ceil(MANY / 10), 1),
  ])
  const share = (ours, limit) => `${Math.round((medians.get(limit.name) / medians.get(ours.name)) * 100)}%`
  console.log(`
sends: ${share(sends, same.put)} of bare lmdb with the same writes, ${share(sends, least.put)} of the least that lmdb could write
runs: ${share(runs, same.take)} of bare lmdb with the same writes, ${share(runs, least.take)} of the least`)
} finally {
  await Promise.all([flushed.app.close(), none.app.close(), same.close(), least.close()])
  rmSync(folder, { recursive: true, force: true })
}
