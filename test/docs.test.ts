/**
 * README.md and docs/ are true: every block of code compiles against the built package, strictly; those marked `run` run, and
 * print what is said; links lead somewhere; the tests that docs/guarantees.md names exist; what is printed from code is up to date.
 */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, posix } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { embeddedBrokerOf } from '../brokers/embedded/url.ts'
import { anchorsOf, type Block, blocksOf, linksOf, pages, textOf } from './docs-pages.ts'
import { root } from './root.ts'

const exec = promisify(execFile)
/** In the repository, so that `greenroom` means this package; of this process alone, as other runs may be under way. */
const folder = `.build-docs-${process.pid}`
t.teardown(() => rmSync(join(root, folder), { recursive: true, force: true }))

const LANGUAGES: Readonly<Record<string, string>> = { ts: 'mts', js: 'mjs' }
const blocks = pages.flatMap(page => blocksOf(page))
const code = blocks.filter(({ language }) => language in LANGUAGES)
const preludeNames = [...readFileSync(join(root, 'test/docs-prelude.ts'), 'utf8').matchAll(/^export const (\w+)/gm)].map(
  ([, name]) => name!,
)

/** Files of one page are beside each other; what has no name of its own is called after its line. */
const pathOf = ({ page, file, line, language }: Block) =>
  `${page.replace(/\.md$/, '').replace('/', '-')}/${file ?? `line-${line}.${LANGUAGES[language]}`}`

/** What the examples of docs/testing.md use of runners that are not installed here; `test/runners.test.ts` runs them for real. */
const RUNNERS = `type Test = (name: string, body: () => Promise<void>) => void
type Hook = (body: () => PromiseLike<void>) => void
type Expect = (value: unknown) => { toBe(other: unknown): void; toEqual(other: unknown): void }
declare const beforeEach: Hook, afterEach: Hook, test: Test, expect: Expect
declare module 'vitest' { export const test: Test, expect: Expect }
`

/** What the guide uses of NestJS, which is not installed here either. */
const NEST = `declare module 'reflect-metadata' {}
declare module '@nestjs/common' {
  export function Injectable(): ClassDecorator
  export function Module(of: { providers?: readonly unknown[]; controllers?: readonly unknown[] }): ClassDecorator
  export function Controller(path: string): ClassDecorator
  export function Post(): MethodDecorator
  export function Body(field: string): ParameterDecorator
  export interface OnModuleInit { onModuleInit(): unknown }
  export interface OnApplicationShutdown { onApplicationShutdown(): unknown }
}
declare module '@nestjs/core' {
  export const NestFactory: {
    createApplicationContext(module: unknown): Promise<{ close(): Promise<void> }>
    create(module: unknown): Promise<{ enableShutdownHooks(): void; listen(port: number): Promise<void> }>
  }
}
`

/** The app of docs/testing.md as the page tells users of jest to write it. */
function asCommonJS(text: string): string {
  const names = [...text.matchAll(/^export (?:const|async function) (\w+)/gm)].map(([, name]) => name)
  return `${text.replace(/^import (.+) from (.+)$/gm, 'const $1 = require($2)').replace(/^export /gm, '')}module.exports = { ${names.join(', ')} }\n`
}

/** Each block is a module of its own. Names of the prelude are imported where they are used, on the line of the first statement, so that lines agree. */
function moduleOf({ text, words, language }: Block): string {
  const own = (name: string) => new RegExp(`\\b(?:const|function|class|let) ${name}\\b|import [^;\\n]*\\b${name}\\b`).test(text)
  const used = words.has('prelude') ? preludeNames.filter(name => new RegExp(`\\b${name}\\b`).test(text) && !own(name)) : []
  const prelude = used.length > 0 ? `import { ${used.join(', ')} } from '../prelude.mjs'; ` : ''
  const isModule = language === 'ts' && !/^(?:import|export) /m.test(text + prelude)
  return `${prelude}${text}${isModule ? 'export {}\n' : ''}`
}

t.test('every block of code compiles, strictly', async t => {
  for (const block of code) {
    const path = join(root, folder, pathOf(block))
    mkdirSync(dirname(path), { recursive: true })
    t.notOk(existsSync(path), `${block.page}:${block.line} has a name of its own`)
    writeFileSync(path, moduleOf(block))
  }
  writeFileSync(join(root, folder, 'runners.d.ts'), RUNNERS)
  writeFileSync(join(root, folder, 'nest.d.ts'), NEST)
  writeFileSync(join(root, folder, 'docs-testing/app.cjs'), asCommonJS(blocks.find(({ file }) => file === 'app.mjs')!.text))
  writeFileSync(join(root, folder, 'prelude.mts'), readFileSync(join(root, 'test/docs-prelude.ts')))
  const compilerOptions = {
    target: 'es2022',
    lib: ['es2023', 'esnext.disposable'],
    module: 'nodenext',
    types: ['node'],
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    verbatimModuleSyntax: true,
    isolatedModules: true,
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
    skipLibCheck: true,
    allowJs: true,
    checkJs: true,
    noImplicitAny: true,
    rootDir: '.',
    outDir: 'out',
  }
  writeFileSync(
    join(root, folder, 'tsconfig.json'),
    JSON.stringify({ compilerOptions, include: ['**/*'], exclude: ['out'] }, null, 2),
  )
  const wrong = await exec(process.execPath, ['node_modules/typescript/bin/tsc', '-p', folder, '--pretty', 'false'], {
    cwd: root,
  }).then(
    () => '',
    ({ stdout }: { stdout: string }) => stdout,
  )
  t.equal(wrong, '')
})

t.test('every block that is marked `run` runs, and prints what the block after it says', async t => {
  for (const block of code.filter(({ words, file }) => words.has('run') && file === undefined)) {
    const after = blocks[blocks.indexOf(block) + 1]
    await t.test(`${block.page}:${block.line}`, async t => {
      const cwd = mkdtempSync(join(tmpdir(), 'greenroom-docs-'))
      t.teardown(() => rmSync(cwd, { recursive: true, force: true }))
      const { NODE_ENV: _, NODE_OPTIONS: __, NODE_TEST_CONTEXT: ___, ...env } = process.env
      const file = join(root, folder, 'out', pathOf(block).replace(/ts$/, 'js'))
      const { stdout } = await exec(process.execPath, [file], {
        cwd,
        env: { ...env, GREENROOM_BROKER: `file:${join(cwd, 'queue')}` },
        timeout: 30_000,
      })
      if (after?.words.has('printed')) t.equal(stdout, after.text)
    })
  }
})

t.test('no block of code escapes these tests', async t => {
  t.strictSame([...new Set(blocks.map(({ language }) => language))].toSorted(), ['js', 'json', 'sh', 'text', 'ts', 'yaml'])
  t.strictSame(
    [...new Set(blocks.flatMap(({ words }) => [...words]))].filter(word => !/^(?:file=.+|run|prelude|printed)$/.test(word)),
    [],
  )
  for (const page of pages) t.notMatch(textOf(page), /^[ \t]+```|^ *~~~/m, `${page} has fences at the beginning of lines only`)
})

t.test('links between pages lead to a page and to a heading of it', async t => {
  const all = [...pages, ...readdirSync(root).filter(name => name.endsWith('.md') && !pages.includes(name))]
  const anchors = new Map(all.map(page => [page, anchorsOf(textOf(page))]))
  for (const page of all) {
    for (const link of linksOf(textOf(page))) {
      if (/^[a-z]+:/.test(link)) continue
      const [path = '', anchor] = link.split('#')
      const target = path === '' ? page : posix.join(posix.dirname(page), path)
      t.ok(existsSync(join(root, target)), `${page} links to ${link}`)
      if (anchor !== undefined) t.ok(anchors.get(target)?.has(anchor), `${page} links to the heading ${link}`)
    }
  }
})

t.test('the files that the pages name are there', async t => {
  for (const page of pages)
    for (const [, path] of textOf(page).matchAll(
      /`((?:test|lib|brokers|cli|middleware|scripts|examples|benchmarks)\/[\w./-]+)`/g,
    ))
      t.ok(existsSync(join(root, path!)), `${page} names ${path}`)
})

t.test('docs/guarantees.md names tests and rules that are there', async t => {
  const rows = [...textOf('docs/guarantees.md').matchAll(/^- `([^`]+\.ts)`: (.+)$/gm)]
  t.ok(rows.length > 20)
  for (const [, file, names] of rows) {
    const path = join(root, file!)
    if (!existsSync(path)) {
      t.fail(`${file} is not there`)
      continue
    }
    const source = readFileSync(path, 'utf8').replaceAll("\\'", "'")
    for (const [, name] of names!.matchAll(/"([^"]+)"/g)) t.ok(source.includes(name!), `${file} has a test "${name}"`)
  }
})

t.test('docs/defaults.md and docs/brokers.md are what scripts/print-docs.mjs prints now', async t => {
  const printed = await exec(process.execPath, ['scripts/print-docs.mjs', '--check'], { cwd: root }).then(
    () => '',
    ({ stdout, stderr }: { stdout: string; stderr: string }) => stdout + stderr,
  )
  t.equal(printed, '')
})

t.test("docs/brokers.md has the parameters of the file broker's URL, each with its default", async t => {
  const section = textOf('docs/brokers.md').split('### Parameters')[1]!.split('\n#')[0]!
  const rows = new Map([...section.matchAll(/^\| `(\w+)` \| (.+?) \|/gm)].map(([, name, value]) => [name!, value!]))
  const known = /Known are ([\w, ]+\w)/.exec(errorOf(() => embeddedBrokerOf('file:queue?x-y-z=1', {} as never)))?.[1]
  t.strictSame([...rows.keys()], known?.split(', '))

  const source = readFileSync(join(root, 'brokers/embedded/index.ts'), 'utf8')
  const constants: Readonly<Record<string, number>> = { SECOND_MS: 1_000, DAY_MS: 86_400_000 }
  for (const [name, value] of Object.entries(constants)) t.match(source, new RegExp(`\\b${name} = ${number(value, '_')}\\b`))
  for (const [name, shown] of rows) {
    const [, written = ''] = new RegExp(`^ +${name} = (.+),$`, 'm').exec(source) ?? []
    const value = /\d/.test(written)
      ? written.split(' * ').reduce((product, part) => product * (constants[part] ?? Number(part.replaceAll('_', ''))), 1)
      : written
    const expected =
      typeof value === 'number' ? number(value, ',') : value === 'Infinity' ? 'no limit' : value.replaceAll("'", '`')
    t.equal(shown.replace(/ \(.*\)$/, ''), name.endsWith('Ms') ? `${expected} ms` : expected, name)
  }
})

function number(value: number, separator: string): string {
  return `${value}`.replace(/\B(?=(?:\d{3})+$)/g, separator)
}

function errorOf(body: () => unknown): string {
  try {
    body()
  } catch (error) {
    return (error as Error).message
  }
  return ''
}
