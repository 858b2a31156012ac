/** The example's worker processes, and what it hears of them. */
import { spawn } from 'node:child_process'
import { fstatSync, openSync, readFileSync, readSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A worker as in production: the command line of the package, in a process of its own. */
export function startWorker(concurrency, env) {
  const manifest = createRequire(import.meta.url).resolve('greenroom/package.json')
  const program = join(dirname(manifest), JSON.parse(readFileSync(manifest, 'utf8')).bin.greenroom)
  const actors = fileURLToPath(new URL('count-files.actors.mjs', import.meta.url))
  const args = [program, 'worker', actors, '--concurrency', `${concurrency}`]
  const stdio = ['ignore', 'pipe', 'pipe', 'ipc'] // ipc: should we be killed, it notices and drains
  const child = spawn(process.execPath, args, { env: { ...process.env, ...env }, stdio })
  const worker = { child, output: '' }
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', text => (worker.output = (worker.output + text).slice(-4_000)))
  return worker
}

/** Each call gives what was appended to the file since the last one: a line of JSON each. */
export function reader(path) {
  const file = openSync(path, 'a+')
  let at = 0
  return () => {
    const bytes = Buffer.alloc(fstatSync(file).size - at)
    const text = bytes.subarray(0, readSync(file, bytes, 0, bytes.length, at))
    const end = text.lastIndexOf('\n') + 1
    at += end
    const lines = text.subarray(0, end).toString().split('\n')
    return lines.filter(Boolean).map(line => JSON.parse(line))
  }
}
