/** `npm run soak [-- [name] [--flags]]`: the long runs in test/soak/, compiled with the tests. `--help` lists them. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { install, ready } from './ready.mjs'
import { root } from './tree.mjs'

install()
const { buildTests } = await import('./build.mjs')
if ((await ready()) && (await buildTests())) {
  const run = ['--enable-source-maps', join(root, '.build/test/soak/main.js'), ...process.argv.slice(2)]
  spawn(process.execPath, run, { stdio: 'inherit', cwd: root }).on('close', code => (process.exitCode = code ?? 1))
} else process.exitCode = 1
