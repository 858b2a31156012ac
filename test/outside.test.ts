/**
 * What a third party builds on the packed package, and on its doors and types alone (test/outside): three middleware, one of them
 * with a method of handles, and a broker. They are checked strictly by the newest compiler and by the oldest that is promised,
 * compiled, and run. docs/middleware.md shows the middleware word for word.
 */
import { execFile, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { blocksOf } from './docs-pages.ts'
import { environment, project, run } from './helpers/installed.ts'
import { root } from './root.ts'

const exec = promisify(execFile)
const folder = join(root, 'test/outside')
const sources = Object.fromEntries(readdirSync(folder).map(name => [name, readFileSync(join(folder, name), 'utf8')]))
const middleware = ['circuit-breaker.ts', 'results.ts', 'unique.ts']
const linesOf = (name: string) => sources[name]!.trimEnd().split('\n').length

const common = {
  target: 'es2022',
  lib: ['es2023', 'esnext.disposable'],
  module: 'nodenext',
  typeRoots: [join(root, 'node_modules/@types')],
  types: ['node'],
  strict: true,
  noUncheckedIndexedAccess: true,
  exactOptionalPropertyTypes: true,
  noPropertyAccessFromIndexSignature: true,
  verbatimModuleSyntax: true,
  allowImportingTsExtensions: true,
}
const configs = {
  typescript: { ...common, rewriteRelativeImportExtensions: true, outDir: 'out' },
  'typescript-5.4': { ...common, noEmit: true },
}
/** What an outsider gets wrong, and must be told. */
const wrong = `
import { defineMiddleware, greenroom, standard } from 'greenroom'
import { results } from './results.ts'
import { unique } from './unique.ts'

const app = greenroom({ middleware: [...standard(), results(), unique()] })
const add = app.actor(async (a: number, b: number) => a + b, { name: 'add', unique: (a, b) => (a + b).toFixed() })
export const sum: number = await (await add.send(1, 2)).result({ timeout: '1s' })
// @ts-expect-error it returns a number
export const text: string = await add.sent('x').result()
// @ts-expect-error the key is of the actor's own arguments
app.actor(async (a: number) => a, { name: 'other', unique: (site: string) => site })
// @ts-expect-error a chain without results() has no results
await greenroom().sent('x').result()
// @ts-expect-error no such feature
defineMiddleware({ name: 'odd', provides: { nothing: { result: async () => 1 } } })
// @ts-expect-error the feature has a method result()
defineMiddleware({ name: 'odd', provides: { results: { outcome: async () => 1 } } })
`
const compiled = project({
  ...sources,
  'wrong.ts': wrong,
  ...Object.fromEntries(
    Object.entries(configs).map(([name, compilerOptions]) => [
      `${name}.json`,
      JSON.stringify({ compilerOptions, include: ['*.ts'] }),
    ]),
  ),
}).then(async cwd => {
  const said: Record<string, string> = {}
  for (const compiler of Object.keys(configs)) {
    const tsc = join(root, 'node_modules', compiler, 'bin/tsc')
    said[compiler] = await exec(process.execPath, [tsc, '-p', `${compiler}.json`], { cwd }).then(
      () => '',
      ({ stdout, stderr }: { stdout: string; stderr: string }) => stdout + stderr,
    )
  }
  return { cwd, said }
})

/** Runs a compiled program; what its last line says. */
async function outcomeOf(...args: readonly string[]): Promise<Record<string, unknown>> {
  const { cwd } = await compiled
  const { stdout } = await run(cwd, process.execPath, args)
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as Record<string, unknown>
}

t.test('nothing of it comes from anywhere but the doors of the package', async t => {
  const doors = ['greenroom', 'greenroom/conformance', 'greenroom/testing']
  const froms = Object.values(sources).flatMap(text => [...text.matchAll(/ from '([^']+)'/g)].map(([, from]) => from!))
  t.strictSame([...new Set(froms)].filter(from => !from.startsWith('./') && !from.startsWith('node:')).toSorted(), doors)
})

t.test('the middleware are short, and docs/middleware.md shows them word for word', async t => {
  const blocks = new Map(blocksOf('docs/middleware.md').map(({ file, text }) => [file, text]))
  for (const name of middleware) {
    t.ok(linesOf(name) < 80, `${name} has ${linesOf(name)} lines`)
    t.equal(blocks.get(name), sources[name], name)
  }
})

t.test('it compiles strictly, with the newest compiler and with the oldest', async t => {
  const { said } = await compiled
  t.strictSame(said, { typescript: '', 'typescript-5.4': '' })
})

t.test('on memory, with a clock that is moved: results, one that is skipped, a circuit that opens and closes', async t => {
  t.strictSame(await outcomeOf('out/moved.js'), {
    late: 'No result of ID came within 1m',
    sums: [3, 7],
    stored: [true, { stored: false, by: 'unique' }, true],
    rebuilt: 'acme 1',
    dead: [1, 2],
    states: ['delayed', 2],
    paid: { cents: 3 },
    asked: 3,
  })
})

for (const url of ['memory:', 'file:queue'])
  t.test(`the same on ${url}, with real events`, async t => {
    const failure = 'It was given up: retries exhausted after 0 retries: the bank is down'
    t.strictSame(await outcomeOf('out/real.js', url), {
      sums: [3, 7],
      stored: [true, { stored: false, by: 'unique' }, true],
      rebuilt: 'acme 1',
      failed: [failure, failure],
      asked: 2,
      paid: { cents: 3 },
      askedThen: 3,
    })
  })

t.test('a result is waited for in another process than the one that has it', async t => {
  const { cwd } = await compiled
  const sent = outcomeOf('out/real.js', 'file:across', 'send')
  const worker = spawn(process.execPath, ['out/real.js', 'file:across', 'work'], {
    cwd,
    env: environment(),
    stdio: ['pipe', 'ignore', 'inherit'],
  })
  const ended = new Promise(resolve => worker.on('close', resolve))
  t.teardown(() => worker.kill('SIGKILL'))
  t.strictSame(await sent, { sum: 42, again: 42 })
  worker.stdin.end()
  t.equal(await ended, 0)
})

t.test('a broker of under a hundred lines keeps every rule that applies to what it says it can do', async t => {
  const lines = linesOf('toy-broker.ts')
  t.ok(lines < 100, `it has ${lines} lines`)
  const { capabilities, rules, passed, failed, excluded, timers, ran } = (await outcomeOf('out/toy.js')) as {
    capabilities: Record<string, unknown>
    rules: number
    passed: readonly string[]
    failed: readonly string[]
    excluded: readonly { rule: string; missing: readonly string[] }[]
    timers: number
    ran: string
  }
  t.strictSame(failed, [])
  t.equal(passed.length, 50, `${passed.length} of ${rules} rules apply`)
  t.equal(passed.length + excluded.length, rules)
  const cannot = new Set(Object.keys(capabilities).filter(name => capabilities[name] === false))
  if (capabilities['lease'] !== 'timed') cannot.add('timed')
  cannot.add('inspector') // it has none, and says so by leaving it out
  t.strictSame(
    excluded.filter(({ missing }) => !missing.some(need => cannot.has(need))),
    [],
    'what is left out follows from its capabilities',
  )
  t.equal(timers, 0, 'no timer is left')
  t.equal(ran, 'Ada', 'and an app runs on it')
})
