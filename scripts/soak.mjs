/** `node scripts/soak.mjs <name>`: one of the long runs in test/soak/, compiled with the tests. Without a name it says which there are. */
import { spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { install, ready } from './ready.mjs'
import { root } from './tree.mjs'

const [name, ...args] = process.argv.slice(2)
if (name === undefined || !existsSync(join(root, 'test/soak', `${name}.ts`))) {
  const names = readdirSync(join(root, 'test/soak')).map(file => file.slice(0, -3))
  console.error(`node scripts/soak.mjs <name> [arguments of it]: ${names.join(', ')}`)
  process.exitCode = 2
} else {
  install()
  const { buildTests } = await import('./build.mjs')
  if ((await ready()) && (await buildTests())) {
    const run = ['--enable-source-maps', join(root, '.build/test/soak', `${name}.js`), ...args]
    spawn(process.execPath, run, { stdio: 'inherit', cwd: root }).on('close', code => (process.exitCode = code ?? 1))
  } else process.exitCode = 1
}
