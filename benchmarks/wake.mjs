/**
 * How soon a message that is sent to an idle queue starts in another process: one sends every 20 ms or so, the other waits.
 *
 *   npm run bench -- wake [--json] [--quick]
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

const now = () => performance.timeOrigin + performance.now() // one clock for both processes

if (process.argv[2] === 'worker') {
  const app = greenroom({ broker: process.argv[3] })
  app.actor(async sentAt => process.send({ sentAt, startedAt: now() }), { name: 'ping' })
  const worker = await app.work()
  process.once('message', () => worker.close())
  process.send('ready')
  await worker.stopped
  await app.close()
  process.disconnect()
} else {
  heading('from send() to the start in another process, ms')
  for (const sync of ['flush', 'none']) await measure(sync, many(1_000))
}

async function measure(sync, n) {
  const folder = mkdtempSync(join(tmpdir(), 'greenroom-bench-'))
  const broker = `file:${folder}?sync=${sync}`
  const app = greenroom({ broker })
  const ping = app.declare('ping')
  const worker = fork(fileURLToPath(import.meta.url), ['worker', broker])
  try {
    await once(worker, 'message')
    const calls = [],
      starts = []
    for (let i = 0; i < n; i++) {
      await setTimeout(15 + (i % 10)) // idle again, and not in step with anything
      const started = once(worker, 'message')
      const at = now()
      const { stored } = await ping.send(at)
      const [{ sentAt, startedAt }] = await started
      if (!stored || sentAt !== at) throw new Error('a message is not accounted for; that is no measurement')
      calls.push(now() - at)
      starts.push(startedAt - sentAt)
    }
    const sorted = starts.toSorted((a, b) => a - b)
    const at = share => Number(sorted[Math.min(n - 1, Math.floor(n * share))].toFixed(2))
    const row = { name: sync, n, half: at(0.5), of90: at(0.9), of99: at(0.99), longest: at(1) }
    console.log(
      `sync=${sync}: half within ${row.half}, 90% within ${row.of90}, 99% within ${row.of99}, all within ${row.longest}`,
    )
    json('wake', row)
    worker.send('stop')
    await once(worker, 'exit')
  } finally {
    worker.kill('SIGKILL')
    await app.close()
    rmSync(folder, { recursive: true, force: true })
  }
}
