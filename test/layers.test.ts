/** The arrows between the folders, and the few rules of style that no linter knows. Reads the sources as text; runs none of them. */
import { readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import t from 'tap'
import { root } from './root.ts'

const MAX_LINES = 400 // a file that grows past that has two ideas in it

/** Which sources of ours a file of a layer may import. The first pattern that fits the file counts. */
const LAYERS: readonly (readonly [files: RegExp, may: (path: RegExpMatchArray) => RegExp])[] = [
  [/^lib\//, () => /^lib\//],
  [/^middleware\//, () => /^(lib|middleware)\//],
  [/^brokers\/([^/]+)\//, ([, broker]) => new RegExp(`^(lib|brokers/${broker})/`)],
  [/^[^/]+\.ts$/, () => /^(lib|middleware|brokers)\/|^index\.ts$/],
  [/^cli\//, () => /^(lib|middleware|brokers|cli)\/|^[^/]+\.ts$/],
]

/** Packages that speak to a server or a file: loaded when a broker is first used, so that nobody pays for one that he does not use. */
const DRIVERS = ['ioredis', 'amqplib', 'lmdb', 'msgpackr']
/** The one that is no broker's, and its only door: what it encodes is read by every app. */
const ENCODER = { driver: 'msgpackr', file: 'lib/msgpackr.ts' }

/** Files that run in a thread of their own; nothing else loads them. */
const isThread = (file: Source) =>
  file.path.startsWith('brokers/') &&
  /from 'node:worker_threads'/.test(file.code) &&
  /\b(parentPort|workerData)\b/.test(file.code)

interface Import {
  readonly from: string
  readonly kind: 'static' | 'dynamic' | 'type'
}

interface Source {
  readonly path: string
  readonly text: string
  /** The text without its comments. */
  readonly code: string
  readonly imports: readonly Import[]
}

t.test('reading imports', async t => {
  for (const [code, from, kind] of [
    [`import { a, type B } from 'x'`, 'x', 'static'],
    [`import 'x'`, 'x', 'static'],
    [`import * as a from 'x'`, 'x', 'static'],
    [`import {\n  a,\n  b,\n} from 'x'`, 'x', 'static'],
    [`export { a } from 'x'`, 'x', 'static'],
    [`export * from 'x'`, 'x', 'static'],
    [`import type { A } from 'x'`, 'x', 'type'],
    [`import { type A, type B as C } from 'x'`, 'x', 'static'], // verbatimModuleSyntax keeps it as import {} from 'x'
    [`export type { A } from 'x'`, 'x', 'type'],
    [`let a: import('x').A`, 'x', 'type'],
    [`let a: typeof import('x')`, 'x', 'type'],
    [`const { a } = await import('x')`, 'x', 'dynamic'],
    [`const a = () => import('x')`, 'x', 'dynamic'],
    [`return require('x')`, 'x', 'dynamic'],
  ] as const)
    t.strictSame(importsIn(code), [{ from, kind }], code)
})

t.test('comments are not code', async t => {
  t.equal(withoutComments(`a // b\n/* c\n */ d 'http://e' /* f */`), `a \n d 'http://e' `)
})

const sources = ['lib', 'middleware', 'brokers', 'cli', ''].flatMap(sourcesIn)

t.test('a layer imports what is below it only', async t => {
  for (const file of sources) {
    const [pattern, may] = LAYERS.find(([files]) => files.test(file.path))!
    const allowed = may(file.path.match(pattern)!)
    const wrong = file.imports.map(({ from }) => target(file, from)).filter(path => path !== undefined && !allowed.test(path))
    t.strictSame(wrong, [], file.path)
  }
})

t.test('a driver is imported by brokers only, msgpackr by its one file, and when it is first used', async t => {
  for (const file of sources) {
    const drivers = file.imports.filter(({ from }) => DRIVERS.some(name => from === name || from.startsWith(`${name}/`)))
    const may = (from: string) =>
      from.startsWith(ENCODER.driver) ? file.path === ENCODER.file : file.path.startsWith('brokers/')
    const wrong = drivers.filter(({ from, kind }) => !may(from) || (kind === 'static' && !isThread(file)))
    t.strictSame(wrong, [], file.path)
  }
})

t.test('no cycle of imports at run time', async t => {
  const byPath = new Map(sources.map(file => [file.path, file]))
  const done = new Set<string>()
  const walk = (path: string, trail: readonly string[]): readonly string[] | undefined => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path]
    if (done.has(path)) return undefined
    const file = byPath.get(path)
    for (const { from, kind } of file?.imports ?? []) {
      const next = kind === 'static' ? target(file!, from) : undefined
      const cycle = next === undefined ? undefined : walk(next, [...trail, path])
      if (cycle) return cycle
    }
    done.add(path)
    return undefined
  }
  for (const { path } of sources) t.equal(walk(path, [])?.join(' -> '), undefined, path)
})

t.test(`no file has more than ${MAX_LINES} lines`, async t => {
  for (const { path, text } of sources) t.ok(text.split('\n').length <= MAX_LINES + 1, path)
})

t.test('the time of day comes from the clock', async t => {
  for (const { path, code } of sources) {
    if (!/^(lib|middleware|brokers)\//.test(path) || path === 'lib/clock.ts') continue
    t.notMatch(code, /\bnew Date(\(\s*\)|(?!\w|\())/, path)
  }
})

function sourcesIn(folder: string): Source[] {
  const entries = readdirSync(root + folder, { withFileTypes: true, recursive: folder !== '' })
  return entries
    .filter(entry => entry.isFile() && /(?<!\.d)\.ts$/.test(entry.name))
    .map(entry => posix.join(entry.parentPath.slice(root.length).replaceAll('\\', '/'), entry.name))
    .map(path => {
      const text = readFileSync(root + path, 'utf8')
      const code = withoutComments(text)
      return { path, text, code, imports: importsIn(code) }
    })
}

/** The file of ours that an import leads to, if it is one of ours. */
function target(file: Source, from: string): string | undefined {
  return from.startsWith('.') ? posix.join(posix.dirname(file.path), from) : undefined
}

function withoutComments(text: string): string {
  const stringOrComment = /('(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`)|\/\/[^\n]*|\/\*[^]*?\*\//g
  return text.replace(stringOrComment, (_, string?: string) => string ?? '')
}

function importsIn(code: string): Import[] {
  const statement = /^\s*(?:import|export)\s+(?:(type)\s+(?=[\w{*]))?(?:[\w$*{][^'"`;=()]*?\sfrom\s*)?['"]([^'"]+)['"]/gm
  const required = /\brequire\(\s*['"]([^'"]+)['"]\s*\)/g
  const call = /(:\s*(?:typeof\s+)?|typeof\s+)?\bimport\(\s*['"]([^'"]+)['"]\s*\)(\.[A-Z]|<)?/g
  return [
    ...[...code.matchAll(statement)].map(([, type, from]): Import => ({ from: from!, kind: type ? 'type' : 'static' })),
    ...[...code.matchAll(call)].map(([, before, from, after]): Import => ({
      from: from!,
      kind: before || after ? 'type' : 'dynamic',
    })),
    ...[...code.matchAll(required)].map(([, from]): Import => ({ from: from!, kind: 'dynamic' })),
  ]
}
