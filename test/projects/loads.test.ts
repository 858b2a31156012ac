/** What `import 'greenroom'` and `require('greenroom')` load: few files, and no driver. Counted on the installed package. */
import { relative, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { project, run, shop } from '../helpers/installed.ts'
import { startDaemon } from '../rig/daemon.ts'
import { redis } from '../rig/redis.ts'

/** Opening files is most of what a short script pays for an import. */
const MOST_FILES = 40

/** Reports each module that Node loads, of whatever kind. */
const HOOK = `
  import { register } from 'node:module'
  register('data:text/javascript,' + encodeURIComponent(\`
    import { writeSync } from 'node:fs'
    export async function load(url, context, next) {
      if (url.startsWith('file:')) writeSync(1, url + '\\\\n')
      return next(url, context)
    }\`))
`

const inPackage = (paths: readonly string[]) => paths.filter(path => path.includes('/node_modules/'))
const names = (paths: readonly string[]) => paths.map(path => relative(join(shop, 'projects/node_modules'), path)).toSorted()

async function imported(code: string): Promise<string[]> {
  const folder = await project({ 'hook.mjs': HOOK, 'main.mjs': code })
  const { stdout } = await run(folder, process.execPath, ['--import', './hook.mjs', 'main.mjs'])
  const urls = stdout.split('\n').filter(line => line.startsWith('file:'))
  return inPackage([...new Set(urls)].map(url => fileURLToPath(url)))
}

async function required(code: string): Promise<string[]> {
  const folder = await project({ 'main.cjs': `${code}\nconsole.log(Object.keys(require.cache).join('\\n'))` })
  const { stdout } = await run(folder, process.execPath, ['--no-experimental-require-module', 'main.cjs'])
  return inPackage(stdout.trim().split('\n'))
}

t.test('the counter sees modules of both kinds, and what they load later', async t => {
  const files = names(await imported(`import 'greenroom'\nimport 'lmdb'`))
  t.ok(files.includes('greenroom/dist/esm/index.js'))
  t.ok(files.some(path => path.startsWith('lmdb/')))
  t.ok(names(await required(`require('lmdb')`)).some(path => path.startsWith('lmdb/')))
})

for (const [how, load, code] of [
  ['import', imported, `import 'greenroom'`],
  ['an app and an actor', imported, `import { actor } from 'greenroom'\nactor(async () => {}, { name: 'resize' })`],
  ['require of the CommonJS build', required, `require('greenroom')`],
] as const)
  t.test(`${how} loads at most ${MOST_FILES} files, all of them of the package`, async t => {
    const files = names(await load(code))
    t.ok(files.length > 0 && files.length <= MOST_FILES, `${files.length} files: ${files.join(', ')}`)
    t.strictSame(
      files.filter(path => !path.startsWith('greenroom/dist/')),
      [],
      'no driver',
    )
    t.strictSame(
      files.filter(path => /brokers|testing|conformance|cli/.test(path)),
      [],
      'no broker',
    )
  })

t.test('a sender on file: loads the driver in the thread of the engine only', async t => {
  const send = `import { actor, getDefaultApp } from 'greenroom'
    await actor(async () => {}, { name: 'resize' }).send()
    await getDefaultApp().close()`
  const files = names(await imported(send))
  t.ok(files.length <= MOST_FILES, files.join(', '))
  t.notMatch(files.join('\n'), /lmdb|msgpackr/)
})

t.test('a sender on redis: loads that driver, and no other', async t => {
  await using server = await startDaemon(redis())
  const send = `import { actor, getDefaultApp, greenroom } from 'greenroom'
    const app = greenroom({ broker: 'redis://127.0.0.1:${server.port}' })
    await app.actor(async () => {}, { name: 'resize' }).send()
    await app.close()`
  const files = names(await imported(send)).join('\n')
  t.match(files, /ioredis/)
  t.notMatch(files, /lmdb|msgpackr|amqplib/)
})
