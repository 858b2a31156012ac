/**
 * The main job, `npm start`: counts the lines and words of every file below a folder, one message a file, in two worker
 * processes. One of them is killed half-way while it holds work. Nothing may be missing, and find, sha256sum and wc are asked
 * whether it is right. Beside this file: the actor, the processes, what is printed, the truth.
 */
import { once } from 'node:events'
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { greenroom } from 'greenroom'
import { progress, report, say } from './count-files.report.mjs'
import { filesIn, isWordAnyByte } from './count-files.truth.mjs'
import { reader, startWorker } from './count-files.workers.mjs'

const CONCURRENCY = 32 // files at once in each worker
const BATCH = 1_000 // messages sent in one call
const LOOK_MS = 30 // how often the results are looked at
const HELP = `npm start -- [folder] [--broker url]
  Counts every file below the folder (default: this repository), but .git and node_modules. Symbolic links are not followed.
  --broker   default: file: in a temporary folder of its own`

const options = { broker: { type: 'string' }, help: { type: 'boolean', short: 'h' } }
try {
  const { positionals, values } = parseArgs({ allowPositionals: true, options })
  if (values.help) console.log(HELP)
  else process.exitCode = await main(positionals[0] ?? fileURLToPath(new URL('..', import.meta.url)), values.broker)
} catch (error) {
  console.error(process.env.DEBUG ? error : error.message)
  process.exitCode = 1
}

async function main(where, broker) {
  if (broker?.startsWith('memory:'))
    throw new Error('memory: lives inside one process, and the workers are others. Leave --broker out')
  const here = process.env.npm_lifecycle_event === 'start' ? process.env.INIT_CWD : '.' // npm goes to the root; the user means where he is
  const folder = realpathSync(resolve(here, where))
  const paths = filesIn(folder)
  say(`${paths.length} files below ${folder} (.git and node_modules left out)`)
  const temporary = mkdtempSync(join(tmpdir(), 'greenroom-count-')) // of this run alone: others may run beside it, and after Ctrl-C
  const workers = []
  process.once('exit', () => {
    for (const { child } of workers) child.kill('SIGKILL')
    rmSync(temporary, { recursive: true, force: true, maxRetries: 5 }) // a worker that has just been killed may still write
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(130))

  const results = join(temporary, 'results.jsonl')
  const url = broker ?? `file:${temporary}/queue`
  const queue = basename(temporary)
  const app = greenroom({ broker: url })
  try {
    const words = isWordAnyByte() ? { COUNT_ANY_BYTE: '1' } : {}
    const env = { GREENROOM_BROKER: url, COUNT_QUEUE: queue, COUNT_FOLDER: folder, COUNT_RESULTS: results, ...words }
    if (paths.length > 0) for (let i = 0; i < 2; i++) workers.push(startWorker(CONCURRENCY, env))
    const since = Date.now()
    const runs = await count(app.declare('count', { queue }), paths, workers, reader(results))
    return await report({ folder, paths, runs, concurrency: CONCURRENCY, since, seconds: (Date.now() - since) / 1_000 })
  } finally {
    await app.close()
  }
}

/** Sends all, waits for all, and kills one worker on the way. Gives what became of each path: how many runs began, what they found. */
async function count(actor, paths, workers, read) {
  const runs = new Map(paths.map(path => [path, { starts: 0, found: [] }]))
  const middle = paths.length >> 1
  const started = performance.now()
  let failure
  const sending = sendAll().catch(error => (failure = error))
  async function sendAll() {
    for (let i = 0; i < paths.length; i += BATCH) {
      // The file in the middle waits for the kill, so that its worker is sure to hold it then.
      await actor.sendMany(paths.slice(i, i + BATCH).map((path, n) => [path, i + n === middle]))
    }
  }
  let done = 0
  let killed
  while (done < paths.length) {
    await new Promise(resolve => setTimeout(resolve, LOOK_MS))
    for (const { path, pid, started, waits, ...found } of read()) {
      const run = runs.get(path)
      if (started) run.starts++
      else if (run.found.push(found) === 1) done++
      if (!waits || killed) continue
      killed = workers.find(({ child }) => child.pid === pid)
      killed.child.kill('SIGKILL')
      say(`worker ${pid} killed with SIGKILL while it holds work; ${done} of ${paths.length} files are done`)
    }
    progress(done, paths.length, performance.now() - started)
    const ended = workers.find(worker => worker !== killed && (worker.child.exitCode ?? worker.child.signalCode) !== null)
    if (failure || ended) throw failure ?? new Error(`A worker ended by itself:\n${ended.output}`)
  }
  await sending
  for (const { child } of workers.filter(worker => worker !== killed)) {
    child.kill('SIGTERM')
    say(`worker ${child.pid} told to stop: exit code ${(await once(child, 'exit'))[0]}`)
  }
  return runs
}
