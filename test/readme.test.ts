/**
 * The README's first screen, word for word, as a stranger types it: an empty folder, the packed package instead of the published
 * one, on every Node that is promised. Needs `dist/`, which `npm test` builds, and the package registry for lmdb and for Nodes.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { blocksOf, textOf } from './docs-pages.ts'
import { environment, packed, shop } from './helpers/installed.ts'
import { root } from './root.ts'

const exec = promisify(execFile)
const NODES = [20, 22, 24, 26]
const TEST_MS = 60_000
const STEP_MS = 50_000
/** A script that only sends must not keep its terminal. Measured in the child, from the resolved send to its exit. */
const END_MS = 100
const ENDS = 5
/** Loaded before `send.mjs`, which stays as it is: from the line that it prints after its send to the end of its process. */
const MEASURE = `const { log } = console
let sent = NaN
console.log = (...line) => {
  log(...line)
  if (String(line[0]).startsWith('sent ')) sent = performance.now()
}
process.on('exit', () => log('ended after', performance.now() - sent))
`

const readme = textOf('README.md')
const section = readme.slice(readme.indexOf('## 60 seconds'))
const blocks = blocksOf('README.md', section.slice(0, section.indexOf('\n## ', 1)))
const files = blocks.flatMap(({ file, text }) => (file === undefined ? [] : [{ file, text }]))
const commands = blocks
  .filter(({ language, words }) => language === 'sh' && words.has('run'))
  .flatMap(({ text }) => text.trim().split('\n'))

const running = new Set<ChildProcess>()
t.teardown(() => {
  for (const child of running) child.kill('SIGKILL')
})

/** Where a Node of this major version is; undefined where it cannot be had. */
async function nodeOf(major: number): Promise<string | undefined> {
  if (process.versions.node.startsWith(`${major}.`)) return process.execPath
  const { stdout } = await exec('npx', ['-y', `node@${major}`, '-p', 'process.execPath'], {
    cwd: shop,
    env: environment(process.execPath),
    timeout: STEP_MS,
  }).catch(() => ({ stdout: '' }))
  return stdout.trim() || undefined
}

/** Asked for all at once: where they are not there yet they are large. */
const nodes = new Map(NODES.map(major => [major, nodeOf(major)]))

/** A folder in which the README was followed as far as to what it starts. */
async function follow(major: number, node: string) {
  const cwd = mkdtempSync(join(shop, `node-${major}-`))
  const env = environment(node)
  const options = { cwd, env, timeout: STEP_MS }
  await exec('npm', ['init', '-y'], options)
  for (const { file, text } of files) writeFileSync(join(cwd, file), text)
  const printed: string[] = []
  for (const command of commands.filter(command => !isWorker(command))) {
    const real = command === 'npm install greenroom' ? `npm install '${await packed()}'` : command
    printed.push((await exec('sh', ['-c', real], options)).stdout)
  }
  return { cwd, options, printed: printed.join('') }
}
const isWorker = (command: string) => command.includes('greenroom worker')

t.test('the first screen has what this test is about', async t => {
  t.strictSame(
    files.map(({ file }) => file),
    ['actors.mjs', 'send.mjs'],
  )
  t.strictSame(commands, ['npm install greenroom', 'node send.mjs', 'npx greenroom worker ./actors.mjs'])
})

for (const major of NODES)
  t.test(`the first screen on Node ${major}`, { timeout: TEST_MS }, async t => {
    const node = await nodes.get(major)
    if (node === undefined) {
      t.pass('as the README says', { skip: `npx node@${major} gives no Node here` })
      return
    }
    const { cwd, options, printed } = await follow(major, node)
    t.match((await exec('node', ['-v'], options)).stdout, new RegExp(`^v${major}\\.`))
    t.match(printed, /sent [0-9a-f-]{36}\n/)
    // What npm init writes since npm 11; before, no type means the same. So .mjs is what makes the files modules.
    t.match((JSON.parse(readFileSync(join(cwd, 'package.json'), 'utf8')) as { type?: string }).type ?? 'commonjs', 'commonjs')

    const [program, ...args] = commands.find(isWorker)!.split(' ')
    const worker = spawn(program!, args, { cwd, env: options.env, stdio: ['ignore', 'pipe', 'pipe'] })
    running.add(worker)
    let output = ''
    const ended = new Promise<number | string | null>(resolve => worker.on('close', (code, signal) => resolve(signal ?? code)))
    await new Promise<void>(resolve => {
      const look = (text: Buffer) => {
        output += text
        if (/^hello, Ada$/m.test(output) && /^ready/m.test(output)) resolve()
      }
      worker.stdout.on('data', look)
      worker.stderr.on('data', look)
      void ended.then(() => resolve())
    })
    t.match(output, /^hello, Ada$/m)
    const [, pid] = /worker, process (\d+)/.exec(output) ?? []
    t.not(Number(pid), worker.pid, 'npx started another process')
    process.kill(Number(pid), 'SIGTERM')
    t.equal(await ended, 0, output)
    running.delete(worker)

    writeFileSync(join(cwd, 'measure.mjs'), MEASURE)
    const ends: number[] = []
    for (let i = 0; i < ENDS; i++)
      ends.push(
        Number(/ended after ([\d.]+)/.exec((await exec('node', ['--import', './measure.mjs', 'send.mjs'], options)).stdout)?.[1]),
      )
    const median = ends.toSorted((a, b) => a - b)[ENDS >> 1]!
    t.ok(median <= END_MS, `a sender ends ${ends.map(Math.round).join(', ')} ms after its last send`)

    writeFileSync(
      join(cwd, 'actors.cjs'),
      `const { actor } = require('greenroom')\nexports.hello = actor(async () => {}, { name: 'hello' })\n`,
    )
    writeFileSync(join(cwd, 'send.cjs'), `require('./actors.cjs').hello.send('Ada').then(({ stored }) => console.log(stored))\n`)
    t.equal((await exec('node', ['send.cjs'], options)).stdout, 'true\n', 'CommonJS')
  })

t.test('the same two files as TypeScript, every argument checked', { timeout: TEST_MS }, async t => {
  const { cwd, options } = await follow(0, process.execPath)
  const compilerOptions = {
    target: 'es2022',
    module: 'nodenext',
    lib: ['es2023', 'esnext.disposable'],
    strict: true,
    exactOptionalPropertyTypes: true,
    outDir: 'out',
    typeRoots: [join(root, 'node_modules/@types')],
    types: ['node'],
  }
  writeFileSync(join(cwd, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.mts'] }))
  for (const { file, text } of files) writeFileSync(join(cwd, file.replace(/mjs$/, 'mts')), text)
  writeFileSync(
    join(cwd, 'wrong.mts'),
    `import { hello } from './actors.mjs'\n// @ts-expect-error a number is no name\nawait hello.send(5)\n`,
  )
  for (const compiler of ['typescript', 'typescript-5.4']) {
    const tsc = join(root, 'node_modules', compiler, 'bin/tsc')
    const wrong = await exec(process.execPath, [tsc, '-p', cwd], { cwd }).then(
      () => '',
      ({ stdout }: { stdout: string }) => stdout,
    )
    t.equal(wrong, '', compiler)
  }
  t.match((await exec('node', ['out/send.mjs'], options)).stdout, /^sent /, 'compiled')
  for (const { file } of files) rmSync(join(cwd, file))
  const tsx = createRequire(join(root, 'package.json')).resolve('tsx')
  t.match((await exec('node', ['--import', pathToFileURL(tsx).href, 'send.mts'], options)).stdout, /^sent /, 'as tsx runs it')
})
