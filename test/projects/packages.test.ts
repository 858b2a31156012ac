/** Packages as people lay them out: a workspace whose web package knows the worker as a type only, and packages compiled to CommonJS. */
import { readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import esbuild from 'esbuild'
import t from 'tap'
import { blocksOf } from '../docs-pages.ts'
import { commandLine, project, run } from '../helpers/installed.ts'
import { root } from '../root.ts'

const tsconfig = (options: object = {}) =>
  JSON.stringify({
    compilerOptions: {
      target: 'es2022',
      module: 'nodenext',
      lib: ['es2023', 'esnext.disposable'],
      strict: true,
      outDir: 'dist',
      rootDir: 'src',
      typeRoots: [join(root, 'node_modules/@types')],
      types: ['node'],
      ...options,
    },
    include: ['src'],
  })

/** What the compiler has to say; nothing when all is well. */
const tsc = (folder: string) =>
  run(folder, process.execPath, [join(root, 'node_modules/typescript/bin/tsc')]).then(
    () => '',
    ({ stdout }: { stdout: string }) => stdout,
  )
const worker = (folder: string, module: string) => run(folder, process.execPath, [commandLine(), 'worker', module, '--drain'])

/** In the worker's code and nowhere else. */
const MARKER = 'only-the-worker-knows'
const SEND = `
  import { greenroom } from 'greenroom'
  import type * as actors from '@acme/worker'

  const app = greenroom()
  const resize = app.declare<typeof actors.resize>('resize', { queue: 'images' })
  const { stored } = await resize.send('a.png', 300)
  console.log('stored', stored)
  await app.close()
`

/** A file of docs/guide.md as it stands. */
const textOfGuide = (path: string) => blocksOf('docs/guide.md').find(({ file }) => file === path)!.text

/** A package.json of docs/guide.md. The library itself is found in a folder above: what is installed is this tree's. */
function ofGuide(path: string): string {
  const { dependencies, ...others } = JSON.parse(textOfGuide(path)) as object & {
    dependencies: unknown
  }
  t.strictSame(dependencies, { greenroom: '*' })
  return JSON.stringify(others)
}

t.test('a web package that imports the worker as a type sends to it, and has none of its code', async t => {
  const folder = await project({
    'package.json': textOfGuide('package.json'),
    'packages/worker/package.json': ofGuide('packages/worker/package.json'),
    'packages/worker/tsconfig.json': textOfGuide('packages/worker/tsconfig.json'),
    'packages/worker/src/actors.ts': `
      import { greenroom } from 'greenroom'
      export const app = greenroom()
      export const resize = app.actor(
        async (url: string, width: number) => console.log('${MARKER}', url, width),
        { name: 'resize', queue: 'images' },
      )`,
    'packages/worker/src/more.ts': `
      import { ageLimit, callbacks, count, current, defineMiddleware, duration, greenroom, logging, perMessage, retries, shutdown, standard, timeLimit } from 'greenroom'
      import { embeddedBroker } from 'greenroom/embedded'
      import { memoryBroker } from 'greenroom/memory'
      import { testing } from 'greenroom/testing'
      export const mine = defineMiddleware({ name: 'mine', options: { budget: perMessage(count(5)), pause: duration('5s') } })
      export const app = greenroom({ middleware: [...standard(), mine, logging({ log: console })] })
      export const each = greenroom({ middleware: [retries(), callbacks(), ageLimit(), shutdown(), timeLimit()] })
      export const mail = app.declare<(to: string) => Promise<void>>('mail')
      export const sent = app.sent('1')
      export const soon = app.actor(async (n: number) => n, { name: 'soon', budget: 3 }).with({ budget: 4 })
      export const run = mail.implement(async () => {}, { pause: '1s' })
      export const worker = () => app.work()
      export const test = () => testing(app)
      export const brokers = [embeddedBroker, memoryBroker, current]`,
    'packages/web/package.json': ofGuide('packages/web/package.json'),
    'packages/web/tsconfig.json': tsconfig(),
    'packages/web/src/send.ts': SEND,
    'packages/web/src/wrong.ts': `
      import { greenroom } from 'greenroom'
      import type * as actors from '@acme/worker'
      const app = greenroom()
      // @ts-expect-error the actor is on images
      app.declare<typeof actors.resize>('resize', { queue: 'mail' })
      // @ts-expect-error a width is a number
      void app.declare<typeof actors.resize>('resize', { queue: 'images' }).send('a.png', '300')`,
  })
  await run(folder, 'npm', ['install', '--no-audit', '--no-fund'])
  symlinkSync(join(root, 'node_modules/@types'), join(folder, 'node_modules/@types')) // as the guide says to install
  const [web, works] = ['web', 'worker'].map(name => join(folder, 'packages', name)) as [string, string]
  t.equal(await tsc(works), '')
  t.equal(await tsc(web), '')
  t.notMatch(readFileSync(join(web, 'dist/send.js'), 'utf8'), '@acme/worker', 'compiled, the import is gone')

  const bundle = async (entry: string) => {
    const options = { absWorkingDir: web, bundle: true, format: 'esm', platform: 'node', write: false } as const
    return (await esbuild.build({ ...options, stdin: { contents: entry, resolveDir: join(web, 'src'), loader: 'ts' } }))
      .outputFiles[0]!.text
  }
  t.match(
    await bundle(SEND.replace('import type', 'import').replace('typeof actors.resize', 'any') + 'void actors.resize'),
    MARKER,
  )
  t.notMatch(await bundle(SEND), MARKER)

  t.equal((await run(web, process.execPath, ['dist/send.js'])).stdout, 'stored true\n')
  // Neither names a folder: the two meet at the root of the workspace.
  t.match((await worker(works, 'dist/actors.js')).stdout, new RegExp(`^${MARKER} a\\.png 300$`, 'm'))
})

const ACTORS = `
  import { actor, current } from 'greenroom'
  export const hello = actor(async (name: string) => console.log('hello,', name, current().attempt), { name: 'hello' })
`
const SENDER = `
  import { hello } from './actors.js'
  hello.send('Ada').then(({ stored }) => console.log('stored', stored))
`

t.test('a package of type commonjs, compiled by tsc: the command line runs its .js, and its sender sends', async t => {
  const folder = await project({
    'package.json': '{ "type": "commonjs" }',
    'tsconfig.json': tsconfig(),
    'src/actors.ts': ACTORS,
    'src/send.ts': SENDER,
  })
  t.equal(await tsc(folder), '')
  t.match(
    readFileSync(join(folder, 'dist/actors.js'), 'utf8'),
    /exports\.hello = .*require\("greenroom"\)|require\("greenroom"\)[^]*exports\.hello = /,
  )
  t.equal((await run(folder, process.execPath, ['dist/send.js'])).stdout, 'stored true\n')
  t.match((await worker(folder, './dist/actors.js')).stdout, /^hello, Ada 0$/m)
})

t.test('actors as .cjs in a package of ES modules, and a sender that sees the CommonJS build', async t => {
  const folder = await project({ 'src/actors.ts': ACTORS, 'src/send.ts': SENDER })
  await esbuild.build({
    absWorkingDir: folder,
    entryPoints: ['src/actors.ts'],
    outfile: join(folder, 'dist/actors.cjs'),
    format: 'cjs',
    platform: 'node',
  })
  await esbuild.build({
    absWorkingDir: folder,
    stdin: { contents: SENDER.replace('./actors.js', './actors.cjs'), loader: 'ts' },
    outfile: join(folder, 'dist/send.cjs'),
    format: 'cjs',
    platform: 'node',
  })
  for (const flags of [[], ['--no-experimental-require-module']])
    t.equal((await run(folder, process.execPath, [...flags, 'dist/send.cjs'])).stdout, 'stored true\n', flags.join())
  const { stdout } = await worker(folder, './dist/actors.cjs')
  t.equal(stdout.match(/^hello, Ada 0$/gm)?.length, 2)
  // A Node that gives require() the other build: the command line and the actors are two copies.
  await run(folder, process.execPath, ['dist/send.cjs'])
  const args = ['--no-experimental-require-module', commandLine(), 'worker', './dist/actors.cjs', '--drain']
  t.match((await run(folder, process.execPath, args)).stdout, /^hello, Ada 0$/m)
})
