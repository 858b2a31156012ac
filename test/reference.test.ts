/**
 * `npm run reference` says nothing is missing, and has a page for each name that a door of the package exports. The names are read
 * from the built package by another compiler: what typedoc did not see is noticed. Needs `dist/`, and the package registry for typedoc.
 */
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, posix } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import ts from 'typescript-5.4'
import { root } from './root.ts'

const exec = promisify(execFile)
const MADE_MS = 100_000

/** What of typedoc's JSON is read here. */
interface Reflection {
  readonly name: string
  readonly variant: string
  readonly kind: number
  readonly children?: readonly Reflection[]
}
/** The folders that typedoc puts pages into, by its numbers for kinds. */
const FOLDERS = new Map([
  [32, 'variables'],
  [64, 'functions'],
  [128, 'classes'],
  [256, 'interfaces'],
  [2_097_152, 'types'],
])

const out = mkdtempSync(join(tmpdir(), 'greenroom-reference-'))
t.teardown(() => rmSync(out, { recursive: true, force: true }))

/** The doors of the package by the name that they are imported by, each with the names that its types export. */
function exportsOfTheDoors(): ReadonlyMap<string, readonly string[]> {
  const { exports: doors } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    exports: Record<string, { import?: { types: string } }>
  }
  const files = Object.entries(doors).flatMap(([door, { import: found }]) =>
    found ? [{ name: posix.join('greenroom', door), path: join(root, found.types) }] : [],
  )
  const program = ts.createProgram(
    files.map(({ path }) => path),
    { module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext, noEmit: true },
  )
  const checker = program.getTypeChecker()
  return new Map(
    files.map(({ name, path }) => {
      const module = checker.getSymbolAtLocation(program.getSourceFile(path)!)!
      return [name, checker.getExportsOfModule(module).map(symbol => symbol.getName())]
    }),
  )
}

t.test('the reference is made without a warning, and every public name has its page', async t => {
  const made = exec(process.execPath, ['scripts/reference.mjs', '--html', out, '--json', join(out, 'all.json')], {
    cwd: root,
    timeout: MADE_MS,
  })
  const printed = await made.then(
    ({ stdout, stderr }) => stdout + stderr,
    ({ stdout, stderr }: { stdout: string; stderr: string }) => `failed\n${stdout}${stderr}`,
  )
  t.notMatch(printed, /failed|warning|error/i)

  const { children: modules = [] } = JSON.parse(readFileSync(join(out, 'all.json'), 'utf8')) as Reflection
  const doors = exportsOfTheDoors()
  t.strictSame(modules.map(({ name }) => name).toSorted(), [...doors.keys()].toSorted())
  for (const { name: door, children = [] } of modules) {
    const names = children.map(({ name }) => name)
    t.strictSame(
      [...doors.get(door)!].filter(name => !names.includes(name)),
      [],
      `of ${door}`,
    )
    t.ok(names.length > 0, `${door} exports something`)
    for (const { name, kind, variant } of children.filter(({ variant }) => variant !== 'reference')) {
      const page = `${FOLDERS.get(kind)}/${door.replace('/', '_')}.${name}.html`
      t.ok(existsSync(join(out, page)), `${name} (${variant}) has the page ${page}`)
    }
  }
})
