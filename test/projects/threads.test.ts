/** `isolate: 'thread'` in the installed package: how a thread finds the code of a program, whatever that is made of, and what it never loads. */
import { mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import esbuild from 'esbuild'
import t from 'tap'
import { root } from '../root.ts'
import { commandLine, project, run, shop } from '../helpers/installed.ts'
import { program } from '../cli/program.ts'

/** Prints the end of each run as JSON, and ends after so many. */
const TELL = `
  import { subscribe } from 'node:diagnostics_channel'
  export const ends = count => new Promise(resolve => subscribe('greenroom:settled', ({ message, outcome }) => {
    const { kind, result, error } = outcome
    console.log(JSON.stringify({ actor: message.actor, kind, result, code: error?.code, message: error?.message }))
    if (--count === 0) resolve()
  }))`
const ACTORS = `
  import { isMainThread } from 'node:worker_threads'
  import { greenroom, standard } from 'greenroom'
  export const app = greenroom({ broker: 'file:queue', middleware: standard({ maxRetries: 0 }) })
  export const note = app.actor(() => 'noted', { name: 'note' })
  export const where = app.actor(async () => {
    await note.send()
    return isMainThread ? 'main' : 'thread'
  }, { name: 'where', isolate: 'thread' })`
const MAIN = `
  import { app, where } from './actors.mjs'
  import { ends } from './tell.mjs'
  const ended = ends(Number(process.env.ENDS ?? 2))
  await app.work()
  await where.send()
  await ended
  await app.close()`

const linesOf = (stdout: string) =>
  stdout
    .split('\n')
    .filter(line => line.startsWith('{'))
    .map(line => JSON.parse(line) as Record<string, unknown>)
const endsOf = async (files: Readonly<Record<string, string>>, args: readonly string[] = ['main.mjs']) => {
  const folder = await project({ 'tell.mjs': TELL, ...files })
  return linesOf((await run(folder, process.execPath, args)).stdout)
}
const IN_THREAD = { actor: 'where', kind: 'done', result: 'thread' }
const NOTED = { actor: 'note', kind: 'done', result: 'noted' }
const sorted = (ends: readonly Record<string, unknown>[]) =>
  ends.toSorted((a, b) => (String(a['actor']) < String(b['actor']) ? -1 : 1))

t.test('a program of two modules; no thread loads a driver', async t => {
  const hook = `
    import { register } from 'node:module'
    register('data:text/javascript,' + encodeURIComponent(\`
      import { writeSync } from 'node:fs'
      export async function load(url, context, next) {
        if (url.startsWith('file:')) writeSync(1, 'loaded ' + url + '\\\\n')
        return next(url, context)
      }\`))`
  const folder = await project({ 'tell.mjs': TELL, 'actors.mjs': ACTORS, 'main.mjs': MAIN, 'hook.mjs': hook })
  const { stdout } = await run(folder, process.execPath, ['--import', './hook.mjs', 'main.mjs'])
  t.strictSame(sorted(linesOf(stdout)), [NOTED, IN_THREAD])
  const loaded = [...stdout.matchAll(/^loaded (.*)$/gm)].map(([, url]) => fileURLToPath(url!))
  t.equal(loaded.filter(path => path === join(folder, 'actors.mjs')).length, 2, 'once here and once in the thread')
  t.ok(loaded.some(path => path.endsWith('lib/thread/main.js')))
  t.notMatch(loaded.join('\n'), /lmdb|msgpackr/)
})

t.test('CommonJS, on the CommonJS build', async t => {
  const actors = ACTORS.replace(/import (\{.*\}) from ('.*')/g, 'const $1 = require($2)').replaceAll('export const ', 'const ')
  const main = MAIN.replace(/import (\{.*\}) from ('.*')/g, 'const $1 = require($2)')
  const files = {
    'tell.cjs': TELL.replace(/import (\{.*\}) from ('.*')/g, 'const $1 = require($2)').replace(
      'export const ends',
      'exports.ends',
    ),
    'actors.cjs': `${actors}\nObject.assign(exports, { app, note, where })`,
    'main.cjs': `async function main() {${main.replaceAll('.mjs', '.cjs')}\n}\nif (require.main === module) main()`,
  }
  t.strictSame(sorted(await endsOf(files, ['--no-experimental-require-module', 'main.cjs'])), [NOTED, IN_THREAD])
})

t.test('a program of one file: a thread goes no further than its app.work()', async t => {
  const main = `${ACTORS}
    import { ends } from './tell.mjs'
    const ended = ends(2)
    await app.work()
    ${MAIN.slice(MAIN.indexOf('await where'))}`
  t.strictSame(sorted(await endsOf({ 'main.mjs': main })), [NOTED, IN_THREAD])
})

t.test('a bundle, with the package installed', async t => {
  const folder = await project({ 'tell.mjs': TELL, 'actors.mjs': ACTORS, 'main.mjs': MAIN })
  await esbuild.build({
    entryPoints: [join(folder, 'main.mjs')],
    outfile: join(folder, 'bundle.mjs'),
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'node',
    external: ['lmdb', 'msgpackr'],
    logLevel: 'silent',
  })
  t.strictSame(sorted(linesOf((await run(folder, process.execPath, ['bundle.mjs'])).stdout)), [NOTED, IN_THREAD])
  const alone = mkdtempSync(join(shop, 'alone-'))
  const text = readFileSync(join(folder, 'bundle.mjs'), 'utf8').replace('file:queue', 'memory:')
  writeFileSync(join(alone, 'bundle.mjs'), text)
  const { stdout } = await run(alone, process.execPath, ['bundle.mjs'], { ENDS: '1' })
  t.match(linesOf(stdout)[0], {
    kind: 'dead',
    code: 'THREAD_MODULE',
    message: /this is a bundle, and the package is not installed/,
  })
})

t.test('code that no file has cannot be in a thread, and says so; what `node -e` imports can', async t => {
  const folder = await project({ 'tell.mjs': TELL, 'actors.mjs': ACTORS, 'main.mjs': MAIN })
  const evaluated = async (code: string) =>
    linesOf((await run(folder, process.execPath, ['--input-type=module', '-e', code])).stdout)
  t.strictSame(sorted(await evaluated(MAIN)), [NOTED, IN_THREAD])
  const [end] = await evaluated(
    `${ACTORS.replace('file:queue', 'memory:')}${MAIN.replace(/import .*actors.*/, '').replace('?? 2', '?? 1')}`,
  )
  t.match(end, { actor: 'where', code: 'THREAD_MODULE', message: /no file that a thread could import defines it/ })
})

for (const [what, files, message] of [
  [
    'a module that sends while it is loaded',
    {
      'actors.mjs': `${ACTORS}\nimport { isMainThread as here } from 'node:worker_threads'\nif (!here) await note.send()`,
      'main.mjs': MAIN,
    },
    /The thread for where has no code: file:.*actors\.mjs could not be loaded: A module sends while a thread loads it/,
  ],
  [
    'a module that does not define it when it is imported',
    {
      'actors.mjs': ACTORS.replace(`'file:queue'`, `isMainThread ? 'file:queue' : 'memory:'`).replace(
        `name: 'where'`,
        `name: isMainThread ? 'where' : 'elsewhere'`,
      ),
      'main.mjs': MAIN,
    },
    /The thread for where has no code: file:.*actors\.mjs does not define it when it is imported\. Give isolated actors a module of their own/,
  ],
  [
    'a module that cannot be loaded',
    { 'actors.mjs': `${ACTORS}\nif (!isMainThread) throw new Error('not here')`, 'main.mjs': MAIN },
    /actors\.mjs could not be loaded: not here/,
  ],
] as const)
  t.test(`${what} is a failed run that says so`, async t => {
    const [end, ...others] = await endsOf({ ...files, 'main.mjs': files['main.mjs'].replace('?? 2', '?? 1') })
    t.match(end, { actor: 'where', kind: 'dead', code: 'THREAD_MODULE', message })
    t.strictSame(others, [])
  })

t.test('a helper that defines actors, and two apps: each is found', async t => {
  const files = {
    'define.mjs': `import { greenroom } from 'greenroom'
      export const other = greenroom({ broker: 'memory:', namespace: 'other' })
      export const note = other.actor(() => 'noted', { name: 'note' })
      export const isolated = (app, name, handler) => app.actor(handler, { name, isolate: 'thread' })`,
    'actors.mjs': `import { isMainThread } from 'node:worker_threads'
      import { greenroom } from 'greenroom'
      import { isolated, note } from './define.mjs'
      export const app = greenroom({ broker: 'memory:' })
      export const where = isolated(app, 'where', async () => {
        await note.send()
        return isMainThread ? 'main' : 'thread'
      })`,
    'main.mjs': `import { other } from './define.mjs'\n${MAIN.replace('await app.work()', 'await app.work(); await other.work()').replace('await app.close()', 'await app.close(); await other.close()')}`,
  }
  t.strictSame(sorted(await endsOf(files)), [NOTED, IN_THREAD])
})

t.test('the command line: a thread imports the modules that it was given, TypeScript too', async t => {
  const folder = await project({
    'setup.ts': `import { where as hidden } from './hidden.ts'\nexport const keep: typeof hidden = hidden`,
    'hidden.ts': ACTORS.replace('async ()', 'async (): Promise<string>'),
    'tsconfig.json': '{ "compilerOptions": { "module": "nodenext", "allowImportingTsExtensions": true, "noEmit": true } }',
    'send.mjs': `import { greenroom } from 'greenroom'
      const app = greenroom({ broker: 'file:queue' })
      await app.declare('where').send()
      await app.close()`,
  })
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(join(root, 'node_modules/tsx'), join(folder, 'node_modules/tsx'))
  await run(folder, process.execPath, ['send.mjs'])
  const { ended, until } = program([commandLine(), 'worker', 'setup.ts', '--drain', '--verbose'], { cwd: folder })
  await until(/done +where/)
  t.equal(await ended, 0)
})
