/**
 * What a worker with nothing to do costs: alone on its folder, and beside another queue of the same folder that is busy.
 *
 *   npm run bench -- idle [--json] [--quick]
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { greenroom } from 'greenroom'
import { heading, json, many } from './shared/harness.mjs'
import { scenarios } from './shared/scenarios.mjs'

const SETTLE_MS = many(20_000) // after a start V8 collects and compiles for a while
const WATCH_MS = many(20_000)
const BUSY_PER_SECOND = 1_000

if (process.argv[2] === 'worker') {
  const app = greenroom({ broker: process.argv[3] })
  app.actor(async () => {}, { name: 'never', queue: 'idle' })
  const worker = await app.work()
  process.on('message', () => process.send(process.cpuUsage()))
  process.once('disconnect', () => worker.close())
  process.send('ready')
  await worker.stopped
  await app.close()
} else {
  const folder = mkdtempSync(join(tmpdir(), 'greenroom-bench-'))
  const broker = `file:${folder}`
  const worker = fork(fileURLToPath(import.meta.url), ['worker', broker])
  const { app, noop } = scenarios('busy', broker)
  try {
    await once(worker, 'message')
    heading('an idle worker, share of one core')
    await setTimeout(SETTLE_MS)
    report('alone', await cpuOf(worker))
    const busy = await app.work({ concurrency: 10 })
    let sending = true
    const sender = (async () => {
      let sent = 0
      for (const start = performance.now(); sending; await setTimeout(5)) {
        while (sent < ((performance.now() - start) / 1_000) * BUSY_PER_SECOND) void noop.send('', sent++)
      }
      return sent
    })()
    await setTimeout(SETTLE_MS)
    report(`beside a queue with ${BUSY_PER_SECOND.toLocaleString('en')} messages a second`, await cpuOf(worker))
    sending = false
    if ((await sender) === 0) throw new Error('nothing was sent; that is no measurement')
    await busy.close()
  } finally {
    worker.disconnect()
    await app.close()
    if (worker.exitCode === null) await once(worker, 'exit')
    rmSync(folder, { recursive: true, force: true })
  }
}

async function cpuOf(worker) {
  const ask = async () => {
    const answer = once(worker, 'message')
    worker.send('cpu')
    const [{ user, system }] = await answer
    return { used: user + system, at: performance.now() }
  }
  const before = await ask()
  await setTimeout(WATCH_MS)
  const after = await ask()
  return (after.used - before.used) / 10 / (after.at - before.at)
}

function report(name, percent) {
  console.log(`${name}: ${percent.toFixed(2)}%`)
  json('idle', { name, percent })
}
