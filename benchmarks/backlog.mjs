/**
 * What a million messages that wait, or are delayed, cost those that are sent and run beside them, and how much memory they take of the
 * process: nearly nothing, as they are in the file.
 *
 *   npm run bench -- backlog [--json] [--quick]
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json, many, measure } from './shared/harness.mjs'
import { scenarios, URL_ARGUMENT } from './shared/scenarios.mjs'

const BACKLOG = many(1_000_000)
const MANY = many(20_000)
const STEP = 10_000

const folder = mkdtempSync(join(tmpdir(), 'greenroom-bench-'))
/** Memory of the process itself: the pages of the file that it has looked at are the system's cache, and count where they are mapped. */
function ownMb() {
  const status = existsSync('/proc/self/status') ? readFileSync('/proc/self/status', 'utf8') : ''
  const kilobytes = /RssAnon:\s+(\d+)/.exec(status)?.[1]
  return Math.round(kilobytes === undefined ? process.memoryUsage().rss / 1e6 : kilobytes / 1_000)
}
const fileMb = label => Math.round(statSync(join(folder, label, 'data.mdb')).size / 1e6)

/** Scenarios on a folder of their own, in whose queue so many wait, or are due tomorrow. */
async function beside(label, options, fill) {
  const made = scenarios(label, `file:${join(folder, label)}`, options)
  await fill?.(made.noop)
  return { ...made, sends: made.send(MANY, 1_000), runs: made.run(MANY, 100) }
}
async function fill(sender) {
  for (let from = 0; from < BACKLOG; from += STEP)
    await sender.sendMany(Array.from({ length: Math.min(STEP, BACKLOG - from) }, (_, i) => [URL_ARGUMENT, from + i]))
}

try {
  const none = await beside('nothing waits')
  await none.sends.run()
  await none.drain()
  const before = ownMb()
  const waiting = await beside('a million wait', { keeps: true }, fill),
    delayed = await beside('a million delayed', {}, noop => fill(noop.with({ delay: '1d' })))
  const filled = ownMb()
  const all = [none, waiting, delayed]
  const medians = await measure('beside a backlog', [...all.map(({ sends }) => sends), ...all.map(({ runs }) => runs)])
  const after = ownMb()
  const slower = (one, kind) => `${Math.round((medians.get(one[kind].name) / medians.get(none[kind].name) - 1) * 100)}%`
  console.log(`
beside ${BACKLOG.toLocaleString('en')} that wait: sends ${slower(waiting, 'sends')} slower, runs ${slower(waiting, 'runs')}
beside ${BACKLOG.toLocaleString('en')} delayed: sends ${slower(delayed, 'sends')} slower, runs ${slower(delayed, 'runs')}
memory of the process, MB: ${before} before, ${filled} with both backlogs, ${after} at the end
the files, MB: ${fileMb('a million wait')} and ${fileMb('a million delayed')}`)
  json('backlog memory', { before, filled, after })
  await Promise.all(all.map(({ app }) => app.close()))
} finally {
  rmSync(folder, { recursive: true, force: true })
}
