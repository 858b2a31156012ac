/** `npm run bench -- <name>`: one of benchmarks/*.mjs on the built package. Without a name it says which there are. */
import { spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { ready } from './ready.mjs'
import { root } from './tree.mjs'

const [name, ...args] = process.argv.slice(2)
const script = join(root, 'benchmarks', `${name}.mjs`)
if (name === undefined || !existsSync(script)) {
  const names = readdirSync(join(root, 'benchmarks')).filter(file => file.endsWith('.mjs'))
  console.error(`npm run bench -- <name> [--json]: ${names.map(file => file.slice(0, -4)).join(', ')}`)
  process.exitCode = 2
} else if (await ready()) {
  spawn(process.execPath, [script, ...args], { stdio: 'inherit', cwd: root }).on('close', code => (process.exitCode = code ?? 1))
} else process.exitCode = 1
