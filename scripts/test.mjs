/**
 * `npm test [-- part-of-a-path ...]`: compiles the tree, runs every `*.test.ts` in `test/` (two at a time, each a process of its own),
 * prints failures in full, and closes with one line, `N passed, N failed`.
 *
 * A test is a `t.test()` that holds no others. What fails without a failing test in it counts as one too: a file that crashes,
 * times out, or runs no test; a type that is wrong. In CI a skip or a todo is a failure.
 */
import { spawn } from 'node:child_process'
import { basename } from 'node:path'
import { install, ready } from './ready.mjs'
import { provide } from './needs.mjs'
import { filesIn, root } from './tree.mjs'

const JOBS = 2 // as many as the smallest machine that we test on has cores
const FILE_SECONDS = 120 // a file starts a real server at worst, and shares the machine with another one
const TEST_SECONDS = FILE_SECONDS - 10 // less, so that tap has the time to name the test that hangs
const GRACE_MS = 1_000 // for output that is still in a pipe when its process has ended

install()
const { buildTests } = await import('./build.mjs')
const { inspectTap } = await import('./tap-results.mjs')

const filters = process.argv.slice(2).map(part => part.replace(/^\.\//, '').replace(/\.[jt]s$/, ''))
const total = { passed: 0, failed: 0, unrun: [] }
// The package first: tests import it by its name, and their types with it.
const isBuilt = await ready()
const isTyped = await buildTests()
if (!isBuilt || !isTyped) {
  console.log('the tests run all the same, with dist/ as it was')
  total.failed++
}

const isWanted = path => filters.length === 0 || filters.some(part => path.includes(part))
const queue = filesIn('.build/test').filter(path => path.endsWith('.test.js') && isWanted(path))
if (queue.length === 0) {
  console.log(filters.length > 0 ? `no test file has ${filters.join(' or ')} in its path` : 'there is no test file')
  total.failed++
}
provide(queue)
await Promise.all(Array.from({ length: JOBS }, work))

if (total.unrun.length > 0) console.log(`\nnot run:\n${total.unrun.map(line => `  ${line}\n`).join('')}`)
if (process.env.CI === 'true') total.failed += total.unrun.length
console.log(`${total.passed} passed, ${total.failed} failed`)
process.exitCode = total.failed > 0 ? 1 : 0

async function work() {
  for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
    const name = file.replace('.build/', '').replace(/js$/, 'ts')
    const { tap, stderr, seconds, end } = await run(file)
    const { passed, failed, unrun, report } = inspectTap(tap, name, end)
    total.passed += passed
    total.failed += failed
    total.unrun.push(...unrun)
    console.log(`${failed > 0 ? 'FAIL' : 'ok  '}  ${name}  ${passed + failed} tests, ${seconds.toFixed(1)} s`)
    if (failed > 0) console.log(report + (stderr && `\n  standard error of ${basename(name)}:\n${stderr}`))
  }
}

/** Runs one file. `end` says how it went wrong, if the process itself did. */
function run(file) {
  const started = performance.now()
  const env = { ...process.env, TAP: '1', TAP_TIMEOUT: `${TEST_SECONDS}` }
  const child = spawn(process.execPath, ['--enable-source-maps', file], { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let tap = ''
  let stderr = ''
  let late = false
  child.stdout.setEncoding('utf8').on('data', text => (tap += text))
  child.stderr.setEncoding('utf8').on('data', text => (stderr += text))
  const timer = setTimeout(() => {
    late = true
    child.kill('SIGKILL')
  }, FILE_SECONDS * 1_000)
  return new Promise(resolve => {
    child.on('exit', () => {
      // What it started and left running may hold the pipes open for ever.
      setTimeout(() => [child.stdout, child.stderr].forEach(stream => stream.destroy()), GRACE_MS).unref()
    })
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      resolve({
        tap,
        stderr,
        seconds: (performance.now() - started) / 1_000,
        end: late ? `did not end within ${FILE_SECONDS} s` : ending(code, signal),
      })
    })
  })
}

function ending(code, signal) {
  if (signal !== null) return `was ended by ${signal}`
  return code === 0 ? undefined : `ended with exit code ${code}`
}
