/**
 * Starts both: the web server, and `greenroom worker` with two processes. Ctrl-C stops both, and what runs may finish.
 *
 *   node examples/live/start.mjs [--port 3000] [--folder path]
 *
 * Everything is in one folder: the queue, the jobs, the pictures. Without --folder it is a temporary one, gone afterwards.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'

const options = { port: { type: 'string', default: '3000' }, folder: { type: 'string' } }
const { port, folder: given } = parseArgs({ options }).values
const folder = given ? resolve(given) : mkdtempSync(join(tmpdir(), 'greenroom-live-'))
const env = {
  GREENROOM_BROKER: pathToFileURL(join(folder, 'queue')).href,
  ...process.env,
  LIVE_FOLDER: folder,
  PORT: port,
}

const here = name => fileURLToPath(new URL(name, import.meta.url))
const manifest = createRequire(import.meta.url).resolve('greenroom/package.json')
const greenroom = join(dirname(manifest), JSON.parse(readFileSync(manifest, 'utf8')).bin.greenroom)

/** In a group of its own, so that Ctrl-C is heard here alone; and with a channel, so that it stops should we be killed. */
const start = (...args) =>
  spawn(process.execPath, args, { env, stdio: ['ignore', 'inherit', 'inherit', 'ipc'], detached: process.platform !== 'win32' })

const children = [
  start(here('server.mjs')),
  start(greenroom, 'worker', here('actors.mjs'), '--processes', '2', '--concurrency', '1'), // painting keeps a core busy
]

let isStopping = false
const stop = () => {
  isStopping = true
  for (const child of children) child.kill('SIGTERM')
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, stop)

const codes = await Promise.all(
  children.map(async child => {
    const [code] = await once(child, 'exit')
    if (!isStopping) stop() // one alone is of no use
    return code
  }),
)
if (!given) rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
process.exitCode = codes.every(code => code === 0) ? 0 : 1
