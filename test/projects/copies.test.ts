/** Two copies of the library in one process, of two installs or of two builds, are one: runs, errors, apps, the default app, engines. */
import { join } from 'node:path'
import t from 'tap'
import { commandLine, install, project, run } from '../helpers/installed.ts'

/** What a module of the second copy has, written so that both builds can. */
const second = (ask: string) => `
  ${ask}
  exports.library = library
  exports.plain = library.actor(async () => console.log('plain', library.current().message.actor), { name: 'plain' })
  exports.own = library.greenroom({ broker: 'memory:', namespace: 'second' }).actor(async () => {}, { name: 'own' })
`
const MAIN = `
  import * as first from 'greenroom'
  import { createRequire } from 'node:module'
  const { library: second, plain, own } = createRequire(import.meta.url)('./second.cjs')
  console.log('copies', first.greenroom !== second.greenroom)
  console.log('default app', first.getDefaultApp() === second.getDefaultApp())

  const hello = first.actor(async () => console.log('hello', second.current().message.actor, first.current.maybe()?.id === second.current().id), { name: 'hello' })
  for (const [one, other] of [[first, second], [second, first]])
    try { one.current() } catch (error) { console.log('error', error instanceof other.GreenroomError, error.code) }
  const paid = first.actor(async () => {}, { name: 'paid', onSuccess: plain })

  await Promise.all([hello.send(), plain.send(), paid.send()])
  const worker = await second.getDefaultApp().work({ until: 'idle' })
  await worker.stopped
  const { report } = process
  console.log('threads', report.getReport().workers.length)
  await first.getDefaultApp().close()
`
const PRINTED = [
  'copies true',
  'default app true',
  'error true NO_CONTEXT',
  'error true NO_CONTEXT',
  'hello hello true',
  'plain plain',
  'plain plain',
  'threads 1',
]
const BUILD = `const { dirname, join } = require('node:path')
  const library = require(join(dirname(require.resolve('greenroom/package.json')), 'dist/cjs/index.js'))`

async function twoInstalls(files: Record<string, string>): Promise<string> {
  const folder = await project(files)
  await install(join(folder, 'nested')) // its own node_modules, its own lmdb
  return folder
}

t.test('the ES modules and the CommonJS build', async t => {
  const folder = await project({ 'main.mjs': MAIN, 'second.cjs': second(BUILD) })
  const { stdout } = await run(folder, process.execPath, ['main.mjs'])
  t.strictSame(stdout.trim().split('\n').toSorted(), PRINTED)
})

t.test('two installs', async t => {
  const folder = await twoInstalls({ 'main.mjs': MAIN, 'second.cjs': `module.exports = require('./nested/second.cjs')` })
  const nested = `const library = require('greenroom')`
  const { writeFileSync } = await import('node:fs')
  writeFileSync(join(folder, 'nested/second.cjs'), second(nested))
  const { stdout } = await run(folder, process.execPath, ['--no-warnings', 'main.mjs'])
  t.strictSame(stdout.trim().split('\n').toSorted(), PRINTED)
})

t.test('brokers of two copies on one folder have one engine, whatever their namespaces', async t => {
  const folder = await project({
    'second.cjs': second(BUILD),
    'main.mjs': `
      import { greenroom } from 'greenroom'
      import { createRequire } from 'node:module'
      const { library } = createRequire(import.meta.url)('./second.cjs')
      const apps = [greenroom, library.greenroom].map((make, i) => make({ namespace: 'n' + i }))
      const ran = []
      const actors = apps.map((app, i) => app.actor(async () => void ran.push(i), { name: 'a' + i }))
      for (const actor of actors) await actor.send()
      for (const app of apps) await (await app.work({ until: 'idle' })).stopped
      console.log(ran.join(), process.report.getReport().workers.length)
      await apps[0].close()
      await actors[1].send()
      await (await apps[1].work({ until: 'idle' })).stopped
      console.log(ran.join(), process.report.getReport().workers.length)
      await apps[1].close()`,
  })
  t.equal((await run(folder, process.execPath, ['main.mjs'])).stdout, '0,1 1\n0,1,1 1\n')
})

t.test('the command line runs the apps of all copies, and finds a name that two of them define', async t => {
  const folder = await project({
    'second.cjs': second(BUILD),
    'main.mjs': `import { actor, greenroom } from 'greenroom'
      import './second.cjs'
      actor(async () => {}, { name: 'hello' })
      greenroom({ broker: 'memory:', namespace: 'first' }).actor(async () => {}, { name: 'mine' })`,
    'twice.mjs': `import { actor } from 'greenroom'\nactor(async () => {}, { name: 'plain' })`,
  })
  const { stdout } = await run(folder, process.execPath, [commandLine(), 'worker', 'main.mjs', '--drain'])
  t.match(stdout, /actors +hello, plain\n/, 'one default app')
  t.match(stdout, /\(second\)[^]*actors +own\n/)
  t.match(stdout, /\(first\)[^]*actors +mine\n/)
  const twice = run(folder, process.execPath, [commandLine(), 'worker', 'main.mjs', 'twice.mjs', '--drain'])
  await t.rejects(twice, { code: 4, stderr: /Two actors are called plain: in \S+second\.cjs:\d+:\d+, \S+twice\.mjs:2:1/ })
})
