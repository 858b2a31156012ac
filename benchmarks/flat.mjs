/**
 * A worker's own memory while it works beside a million delayed messages: they are in the file, so it stays flat.
 *
 *   npm run bench -- flat [--json] [--quick]
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { heading, json, many } from './shared/harness.mjs'
import { scenarios, URL_ARGUMENT } from './shared/scenarios.mjs'

const BACKLOG = many(1_000_000)
const MESSAGES = many(40_000)
const ROUNDS = 12
const STEP = 10_000

/** Without the pages of the file that are mapped, where the system tells. */
function ownMb() {
  const status = existsSync('/proc/self/status') ? readFileSync('/proc/self/status', 'utf8') : ''
  const kilobytes = /RssAnon:\s+(\d+)/.exec(status)?.[1]
  return Math.round(kilobytes === undefined ? process.memoryUsage().rss / 1e6 : kilobytes / 1_000)
}
async function send(sender, count) {
  for (let from = 0; from < count; from += STEP)
    await sender.sendMany(Array.from({ length: Math.min(STEP, count - from) }, (_, i) => [URL_ARGUMENT, from + i]))
}

if (process.argv[2] === 'worker') {
  const { app, ran } = scenarios('worker', process.argv[3])
  const worker = await app.work({ concurrency: 100 })
  process.on('message', () => process.send({ ran: ran(), mb: ownMb() }))
  process.once('disconnect', () => worker.close({ grace: 0 }))
  process.send('ready')
  await worker.stopped
  await app.close()
} else {
  const folder = mkdtempSync(join(tmpdir(), 'greenroom-bench-'))
  const { app, noop } = scenarios('sender', `file:${folder}`)
  await send(noop.with({ delay: '1d' }), BACKLOG)
  const worker = fork(fileURLToPath(import.meta.url), ['worker', `file:${folder}`])
  try {
    await once(worker, 'message')
    const ask = async () => {
      const answer = once(worker, 'message')
      worker.send('how much?')
      return (await answer)[0]
    }
    const megabytes = []
    for (let round = 1; round <= ROUNDS; round++) {
      await send(noop, MESSAGES)
      let now = await ask()
      for (; now.ran < round * MESSAGES; now = await ask()) await setTimeout(50)
      if (now.ran !== round * MESSAGES) throw new Error(`${now.ran} runs of ${round * MESSAGES} messages; that is no measurement`)
      megabytes.push(now.mb)
    }
    heading(
      `a worker's own memory beside ${BACKLOG.toLocaleString('en')} delayed, MB after each ${MESSAGES.toLocaleString('en')} messages`,
    )
    console.log(megabytes.join('  '))
    json('flat', { backlog: BACKLOG, messages: MESSAGES, megabytes })
  } finally {
    worker.disconnect()
    if (worker.exitCode === null) await once(worker, 'exit')
    await app.close()
    rmSync(folder, { recursive: true, force: true })
  }
}
