/**
 * `npm run check`: all that is checked without running the library. Every step runs, two at a time, even when another fails;
 * each prints one line with its time, and what it has to say if it failed.
 */
import { spawn } from 'node:child_process'
import { ready } from './ready.mjs'
import { root } from './tree.mjs'

const JOBS = 2 // as many as the smallest machine that we check on has cores

const tsc = 'node_modules/typescript/bin/tsc'
const oldestTsc = 'node_modules/typescript-5.4/bin/tsc' // the oldest that we promise to support
const attw = 'node_modules/@arethetypeswrong/cli/dist/index.js'
const programs = ['-p', 'test/programs/tsconfig.json', '--noEmit']

/** Name, then the arguments of node. The long ones first. */
const steps = [
  // The profile leaves out moduleResolution node10 only: it does not read `exports`, and TypeScript 7 has dropped it.
  ['types of the package', attw, '--pack', '.', '--profile', 'node16', '--no-emoji', '--no-color'],
  ['programs, TypeScript 5.4', oldestTsc, ...programs],
  ['programs', tsc, ...programs],
  ['types', tsc, '-p', 'tsconfig.json'],
  ['package.json', 'node_modules/publint/src/cli.js', 'run', '--strict'],
  ['layers', '--import', 'tsx', 'test/layers.test.ts'],
  ['lint', 'node_modules/oxlint/bin/oxlint'],
  ['format', 'node_modules/oxfmt/bin/oxfmt', '--check'],
]

const failed = (await ready()) ? [] : ['build']
const queue = [...steps]
await Promise.all(Array.from({ length: JOBS }, work))
console.log(failed.length === 0 ? 'all is well' : `failed: ${failed.join(', ')}`)
process.exitCode = failed.length > 0 ? 1 : 0

async function work() {
  for (let step = queue.shift(); step !== undefined; step = queue.shift()) {
    const [name, ...args] = step
    const started = performance.now()
    const { code, output } = await run(args)
    if (code !== 0) failed.push(name)
    console.log(`${code === 0 ? 'ok  ' : 'FAIL'}  ${name}  ${((performance.now() - started) / 1_000).toFixed(1)} s`)
    if (code !== 0) console.log(`\n${output.trim()}\n`)
  }
}

function run(args) {
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', text => (output += text))
  return new Promise(resolve => {
    child.on('close', code => resolve({ code, output }))
  })
}
