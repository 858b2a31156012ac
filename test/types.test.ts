/**
 * What users meet in their compiler and their editor, with TypeScript 5.4 and 7, on the installed package: what must not compile and
 * what is said of it (test/fixtures/types/refusals.ts), what must, how hovers and emitted types read, and what many actors cost.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type Diagnostic, diagnosticsOf, tsc, typescriptProject, type Version, versions } from './helpers/compilers.ts'
import { hoversOf } from './helpers/hovers.ts'
import { root } from './root.ts'

const LONGEST_HOVER = 300
const MOST_INSTANTIATIONS = 500_000
const ACTORS = 500

const fixture = (name: string) => readFileSync(join(root, 'test/fixtures/types', name), 'utf8')
const compilerOptions = {
  target: 'es2022',
  lib: ['es2023'],
  module: 'nodenext',
  types: ['node'],
  strict: true,
  exactOptionalPropertyTypes: true,
  noEmit: true,
  skipLibCheck: true,
}
/** Checks the fixtures alone: test/projects/typescript.test.ts checks the libraries, once. */
const projectOf = (files: Readonly<Record<string, string>>, options: object = {}) => {
  const tsconfig = { compilerOptions: { ...compilerOptions, ...options }, files: Object.keys(files) }
  return typescriptProject({ ...files, 'tsconfig.json': JSON.stringify(tsconfig) }, ['@types/node', 'zod'])
}

interface Refusal {
  readonly sentence: string
  readonly said: Readonly<Record<Version, string>>
  /** Where its code is. */
  readonly from: number
  readonly to: number
}

/** The blocks of refusals.ts that have an error. */
function refusalsOf(text: string): Refusal[] {
  const refusals: Refusal[] = []
  let line = 1
  for (const block of text.split('\n\n')) {
    const lines = block.trimEnd().split('\n')
    const errors = lines.flatMap(line => {
      const [, version, error] = /^\/\/ (?:([\d.]+) )?(TS\d+: .+)$/.exec(line) ?? []
      return error === undefined ? [] : [{ version, error }]
    })
    const of = (version: Version) => errors.find(error => (error.version ?? version) === version)?.error ?? 'no error is stated'
    const said = { '5.4': of('5.4'), '7': of('7') }
    if (errors.length > 0)
      refusals.push({ sentence: lines[0]!.slice(3), said, from: line + 1 + errors.length, to: line + lines.length })
    line += block.split('\n').length + 1
  }
  return refusals
}

/** Whether a message begins as stated, where `…` is anything. */
function begins(message: string, stated: string): boolean {
  const pattern = stated
    .split('…')
    .map(part => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('.*?')
  return new RegExp(`^${pattern}`).test(message)
}

t.test('what must compile does, what must not does not, and the compiler says what is wrong', async t => {
  const folder = await projectOf({ 'accepted.ts': fixture('accepted.ts'), 'refusals.ts': fixture('refusals.ts') })
  const refusals = refusalsOf(fixture('refusals.ts'))
  t.ok(refusals.length > 30)
  for (const version of versions) {
    const diagnostics = diagnosticsOf(await tsc(folder, version))
    const within = ({ file, line }: Diagnostic, { from, to }: Refusal) => file === 'refusals.ts' && line >= from && line <= to
    for (const refusal of refusals) {
      const [first, ...more] = diagnostics.filter(diagnostic => within(diagnostic, refusal))
      await t.test(`TypeScript ${version}: ${refusal.sentence}`, async t => {
        const wanted = refusal.said[version]
        t.ok(begins(first?.text ?? 'it compiles', wanted), 'is said', { found: first?.text, wanted })
        // What has no type, once more where it is used.
        const others = more.filter(({ text }) => !text.startsWith('TS70'))
        t.strictSame(others, [], 'and nothing else')
      })
    }
    const unstated = diagnostics.filter(diagnostic => !refusals.some(refusal => within(diagnostic, refusal)))
    t.strictSame(unstated, [], `TypeScript ${version} finds no other error`)
  }
})

const shape = '{ width: number; bytes: number; }'
const actor = `Actor<(url: string, width: number) => Promise<${shape}>, StandardSpecs, never, "images", "resize">`
const ownSpecs = 'StandardSpecs & { readonly price: Option<number, number, true>; }'

t.test('an editor shows short types with names that users know', async t => {
  const folder = await projectOf({ 'hovers.ts': fixture('hovers.ts') }),
    hovers = hoversOf(folder, 'hovers.ts')
  const sender = `Sender<[url: string, width: number], ${shape}, StandardSpecs, never, "images", "resize">`
  const greet = '(name: string) => Promise<void>'
  t.strictSame(hovers, {
    app: 'const app: App<StandardSpecs, never>',
    'own app': 'const own: App<StandardSpecs & { readonly price: Option<number, number, true>; }, never>',
    resize: `const resize: ${actor}`,
    signal: 'const signal: AbortSignal',
    log: 'const log: Logger',
    option: '(property) maxRetries?: number | undefined',
    sent: 'const sent: Handle',
    send: `(method) ${sender}.send(url: string, width: number): Promise<Handle>`,
    sendMany: `(method) ${sender}.sendMany(batch: readonly [url: string, width: number][] | Iterable<[url: string, width: number]>): Promise<Handle[]>`,
    sender: `const later: ${sender}`,
    with: `(method) ${sender}.with(options: SendOptions<StandardSpecs>): ${sender}`,
    declared: `const declared: Declared<${actor}, StandardSpecs, never>`,
    'actor()': `(method) App<StandardSpecs, never>.actor<${greet}, "default", never, Promise<void>, "greet">(handler: ${greet}, options?: DefineOptions<StandardSpecs, [name: string], void, "default", "greet", never> | undefined): Actor<...>`,
    state: '(method) Handle.state(): Promise<State>',
    message: `(method) ${sender}.message(url: string, width: number): Message<[url: string, width: number], ${shape}>`,
  })
  for (const [name, text] of Object.entries(hovers)) t.ok(text.length < LONGEST_HOVER, `${name}: ${text.length} characters`)
})

t.test('emitted types are as short, and name what the package exports', async t => {
  const folder = await projectOf(
    { 'hovers.ts': fixture('hovers.ts') },
    {
      noEmit: false,
      declaration: true,
      emitDeclarationOnly: true,
    },
  )
  for (const version of versions) {
    t.equal(await tsc(folder, version, ['--outDir', version]), '')
    const emitted = readFileSync(join(folder, version, 'hovers.d.ts'), 'utf8')
    const types = new Map(
      [...emitted.matchAll(/^export declare const (?:\/\*.+\*\/ )?(\w+): ([^]+?);\n(?=export|$)/gm)].map(declared),
    )
    t.strictSame(
      Object.fromEntries(types),
      {
        app: 'App<StandardSpecs, never>',
        own: `App<${ownSpecs}, never>`,
        resize: actor,
        declared: `Declared<${actor}, StandardSpecs, never>`,
        bill: `Actor<(customer: string) => Promise<number>, ${ownSpecs}, never, "default", "bill">`,
        state: 'State',
        greet: 'Actor<(name: string) => Promise<void>, StandardSpecs, never, "default", "greet">',
      },
      `TypeScript ${version}`,
    )
  }
})

t.test(`${ACTORS} actors cost the compiler less than ${MOST_INSTANTIATIONS} instantiations`, async t => {
  const folder = await projectOf({ 'many.ts': manyActors() })
  for (const version of versions) {
    const output = await tsc(folder, version, ['--extendedDiagnostics'])
    t.notMatch(output, /error/, `TypeScript ${version} compiles them`)
    const [, count] = /^Instantiations: +(\d+)$/m.exec(output) ?? []
    t.ok(Number(count) > ACTORS && Number(count) < MOST_INSTANTIATIONS, `TypeScript ${version}: ${count}`)
  }
})

/** A declaration's name and type, on one line; what it imports from the package by its name alone, which is also what a reader sees of it. */
function declared([, name, type]: RegExpMatchArray): [string, string] {
  return [name!, type!.replaceAll('import("greenroom").', '').replace(/\s+/g, ' ')]
}

/** As a large application has them: of every kind, each sending the one before. */
function manyActors(): string {
  const kinds = [
    (i: number) =>
      `async (url: string, width: number) => ({ url, width }), { name: 'a${i}', queue: 'q${i % 20}', maxRetries: ${i % 9}, timeLimit: '30s' }`,
    (i: number) =>
      `async (id: string, { n, tags = [] }: { n: number; tags?: string[] }) => id.length + n + tags.length + ${i}, { name: 'a${i}', priority: 'low', minBackoff: '1s', throws: [TypeError], retryWhen: ({ attempt }) => attempt < 3 }`,
    (i: number) =>
      `async function a(n: number) { await a${i - 1}.send('x', { n }) }, { name: 'a${i}', queue: 'rest', onSuccess: done }`,
    (i: number) => `async () => { await a${i - 1}.with({ delay: '5m' }).sendMany([[1], [2]]) }, { name: 'a${i}', maxAge: '1d' }`,
  ]
  const actors = Array.from({ length: ACTORS }, (_, i) => `export const a${i} = app.actor(${kinds[i % kinds.length]!(i)})`)
  return `import { greenroom } from 'greenroom'
export const app = greenroom()
export const done = app.actor(async (result: void) => result, { name: 'done' })
${actors.join('\n')}
`
}
