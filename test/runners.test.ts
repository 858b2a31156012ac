/**
 * `examples/testing/`: one little app, tested with each runner as its users do. The folders are copied beside the packed package,
 * installed from their lockfiles and run with `npm test`. Needs `dist/`, which `npm test` builds, and the package registry.
 */
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import t from 'tap'
import { install, run, shop } from './helpers/installed.ts'
import { root } from './root.ts'

const EXAMPLES = join(root, 'examples/testing')
const HANDLES = /open handle|did not exit|failed to exit|close timed out|prevents the main process|cancelled [1-9]/i

interface Runner {
  readonly file: string
  readonly args?: readonly string[]
  /** What it prints at the end. */
  readonly passed: RegExp
  readonly failed: RegExp
  readonly tests: number
}
const jest = { args: ['--detectOpenHandles'], passed: /^Tests:.* (\d+) passed/m, failed: /^Tests:.* (\d+) failed/m }
const RUNNERS: Readonly<Record<string, Runner>> = {
  'node-test': { file: 'app.test.mjs', passed: /^\S pass (\d+)/m, failed: /^\S fail (\d+)/m, tests: 5 },
  vitest: { file: 'app.test.ts', passed: /^ +Tests .*\b(\d+) passed/m, failed: /^ +Tests .*\b(\d+) failed/m, tests: 5 },
  jest: { ...jest, file: 'app.test.js', tests: 7 },
  'jest-esm': { ...jest, file: 'app.test.mjs', tests: 5 },
  tap: { file: 'app.test.mjs', args: ['--reporter=tap'], passed: /^ {4}ok /gm, failed: /^ {4}not ok /gm, tests: 5 },
}

const read = (...path: string[]) => readFileSync(join(EXAMPLES, ...path), 'utf8')
const json = (...path: string[]) => JSON.parse(read(...path)) as { packages: Record<string, { version: string }> }

/** All projects are below the package, where Node finds it. jest is large: its two projects share one. */
const projects = join(shop, 'runners')
mkdirSync(projects)
cpSync(EXAMPLES, projects, { recursive: true })
symlinkSync(join(projects, 'jest/node_modules'), join(projects, 'jest-esm/node_modules'), 'junction')

const installing = new Map([['', install(projects)]])
for (const name of ['vitest', 'jest', 'tap'])
  installing.set(
    name,
    run(join(projects, name), 'npm', ['ci', '--ignore-scripts']).then(() => {}),
  )
for (const installed of installing.values()) installed.catch(() => {}) // the test that needs it says so
const ready = (name: string) => Promise.all([installing.get(''), installing.get(name.replace('-esm', ''))])

/** Runs `npm test` until it ends by itself: it is killed, which is a failure, when it does not. */
async function outcome(name: string, args: readonly string[] = []) {
  const { code, stdout, stderr } = await run(join(projects, name), 'npm', ['test', '--', ...args]).then(
    output => ({ code: 0, ...output }),
    (error: { code: number | null; stdout: string; stderr: string }) => error,
  )
  return { code, output: stripVTControlCharacters(`${stdout}\n${stderr}`) }
}

/** The number in the line of a summary, or how many such lines there are. */
function counted(output: string, pattern: RegExp): number {
  return pattern.global ? (output.match(pattern)?.length ?? 0) : Number(pattern.exec(output)?.[1] ?? 0)
}

for (const [name, { file, args, passed, failed, tests }] of Object.entries(RUNNERS))
  t.test(`the example under ${name} passes and ends with no handle open; broken, it fails`, async t => {
    await ready(name)
    const good = await outcome(name, args)
    t.equal(good.code, 0, good.output)
    t.strictSame([counted(good.output, passed), counted(good.output, failed)], [tests, 0], good.output)
    t.notMatch(good.output, HANDLES)

    const path = join(projects, name, file)
    writeFileSync(path, readFileSync(path, 'utf8').replace('202)', '200)'))
    const bad = await outcome(name, args)
    t.equal(bad.code, 1, bad.output)
    t.strictSame([counted(bad.output, passed), counted(bad.output, failed)], [tests - 1, 1], bad.output)
  })

t.test('a handle that is left open would be seen', async t => {
  await ready('jest')
  const path = join(projects, 'jest/broker.test.js')
  writeFileSync(path, `${readFileSync(path, 'utf8')}\nafterAll(() => void setInterval(() => {}, 1_000))\n`)
  const { output } = await outcome('jest', ['--detectOpenHandles', '--forceExit', 'broker'])
  t.match(output, HANDLES)
})

t.test('the example in TypeScript compiles, strictly', async t => {
  await ready('vitest')
  const compilerOptions = {
    target: 'es2022',
    lib: ['es2023', 'esnext.disposable'],
    module: 'nodenext',
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    verbatimModuleSyntax: true,
    skipLibCheck: true,
    allowImportingTsExtensions: true,
    noEmit: true,
    typeRoots: [join(root, 'node_modules/@types')],
    types: ['node'],
  }
  writeFileSync(join(projects, 'vitest/tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }))
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  const wrong = await run(projects, process.execPath, [tsc, '-p', 'vitest']).then(
    () => '',
    ({ stdout }: { stdout: string }) => stdout,
  )
  t.equal(wrong, '')
})

t.test('the examples have the same tests, and lockfiles without a host', async t => {
  const titles = (name: string) => [...read(name, RUNNERS[name]!.file).matchAll(/^test\('(.+?)',/gm)].map(([, title]) => title)
  t.equal(titles('node-test').length, 5)
  for (const name of Object.keys(RUNNERS)) t.strictSame(titles(name), titles('node-test'), name)

  const packages = (name: string) => {
    const { '': _, ...others } = json(name, 'package-lock.json').packages
    return others
  }
  t.strictSame(packages('jest-esm'), packages('jest'))
  for (const name of ['vitest', 'jest', 'jest-esm', 'tap']) t.notMatch(read(name, 'package-lock.json'), /"resolved"/)
})
