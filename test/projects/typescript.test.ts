/**
 * A TypeScript project from nothing, as docs/guide.md makes it: its tsconfig.json, word for word, compiles the README's and the guide's
 * TypeScript with the oldest and the newest compiler; and how little the types of the package need where nobody follows the guide.
 */
import t from 'tap'
import { blocksOf } from '../docs-pages.ts'
import { tsc, typescriptProject, versions } from '../helpers/compilers.ts'

const guide = blocksOf('docs/guide.md')
const tsconfig = guide.find(({ file }) => file === 'tsconfig.json')!.text
const DOORS = ['greenroom', 'greenroom/testing', 'greenroom/conformance', 'greenroom/memory', 'greenroom/embedded']

t.test("the guide's tsconfig.json compiles the README's TypeScript and the guide's files", async t => {
  const readme = blocksOf('README.md').filter(({ language }) => language === 'ts')
  // What needs a framework is compiled by test/docs.test.ts, with its decorators.
  const files = guide.filter(({ language, file, text }) => language === 'ts' && file !== undefined && !text.includes('@nestjs/'))
  t.ok(readme.length > 0 && files.length > 2)
  const folder = await typescriptProject(
    {
      'tsconfig.json': tsconfig,
      ...Object.fromEntries(readme.map(({ line, text }) => [`readme-${line}.ts`, text])),
      ...Object.fromEntries(files.map(({ file, text }) => [file!, text])),
      'using.ts': `import { app } from './actors.ts'\nawait using worker = await app.work()\nawait worker.stopped\n`,
      'doors.ts': DOORS.map((door, i) => `export * as door${i} from '${door}'\n`).join(''),
    },
    ['@types/node'],
  )
  for (const version of versions) t.equal(await tsc(folder, version), '', `TypeScript ${version}`)
})

t.test('and finds what is wrong in it', async t => {
  const folder = await typescriptProject(
    {
      'tsconfig.json': tsconfig,
      'wrong.ts': `import { actor } from 'greenroom'\nawait actor(async (n: number) => n).send('1')\n`,
    },
    ['@types/node'],
  )
  for (const version of versions)
    t.match(await tsc(folder, version), /^wrong\.ts\(2,42\): error TS2345: /, `TypeScript ${version}`)
})

t.test('without a tsconfig.json and @types/node the front door still compiles, libraries checked', async t => {
  const folder = await typescriptProject(
    {
      'plain.ts': `import { current, greenroom } from 'greenroom'
import { testing } from 'greenroom/testing'
const app = greenroom()
export const hello = app.actor(async (name: string) => current().signal.aborted || name, { name: 'hello' })
export async function check() {
  await using test = await testing(app)
  await hello.send('Ada')
  await test.join()
}
`,
    },
    [],
  )
  for (const version of versions)
    t.equal(
      await tsc(folder, version, ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2022', 'plain.ts']),
      '',
      `TypeScript ${version}`,
    )
})
