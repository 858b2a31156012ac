/** What a hot reload does: a module is evaluated again and again in one process. That leaks no thread and no file, and the newest code runs. */
import { join } from 'node:path'
import esbuild from 'esbuild'
import t from 'tap'
import { project, run } from '../helpers/installed.ts'

const TIMES = 100
const MOST = 3

/** `load(i)` evaluates the app once more. Each evaluation sends; the last one runs them all. */
const reloads = (load: string, broker: string) => `
  import { readdirSync, readlinkSync } from 'node:fs'
  import { createRequire } from 'node:module'
  const require = createRequire(import.meta.url)
  globalThis.ran = []
  let last
  for (let i = 1; i <= ${TIMES}; i++) {
    globalThis.evaluation = i
    last = await ${load}
    await last.hello.send(i)
  }
  const worker = await last.app.work({ until: 'idle' })
  await worker.stopped
  const { ran } = globalThis
  const open = readdirSync('/proc/self/fd').filter(fd => {
    try { return readlinkSync('/proc/self/fd/' + fd).endsWith('/data.mdb') } catch { return false }
  })
  console.log(ran.length, new Set(ran.map(({ n }) => n)).size, new Set(ran.map(({ by }) => by)).size, ran[0].by)
  console.log(JSON.stringify({ threads: process.report.getReport().workers.length, files: open.length, broker: '${broker}' }))
`
const handler = `async n => void globalThis.ran.push({ n, by })`
const APP = (make: string) => `
  import { actor, getDefaultApp, greenroom } from 'greenroom'
  import { embeddedBroker } from 'greenroom/embedded'
  const by = globalThis.evaluation
  export const app = ${make}
  export const hello = app.actor(${handler}, { name: 'hello' })
`
/** As \`APP\` for require, whose cache is emptied. */
const COMMONJS = `
  const { greenroom } = require('greenroom')
  const by = globalThis.evaluation
  exports.app = greenroom()
  exports.hello = exports.app.actor(${handler}, { name: 'hello' })
`
const AGAIN = `(delete require.cache[require.resolve('./app.cjs')], require('./app.cjs'))`

for (const [what, load, app] of [
  ['an app on file:', "import('./app.mjs?' + i)", APP('greenroom()')],
  ['an app on memory:', "import('./app.mjs?' + i)", APP("greenroom({ broker: 'memory:' })")],
  [
    'an app on a broker that it makes',
    "import('./app.mjs?' + i)",
    APP('greenroom({ broker: embeddedBroker({ path: process.cwd() + "/queue", sync: "none" }) })'),
  ],
  ['the default app', "import('./app.mjs?' + i)", APP('getDefaultApp()')],
  ['CommonJS', AGAIN, COMMONJS],
  ['a bundle with the library in it', "import('./bundle.mjs?' + i)", APP('greenroom()')],
] as const)
  t.test(`${what}, evaluated ${TIMES} times, has at most ${MOST} engines, sends and runs`, async t => {
    const folder = await project({ [app === COMMONJS ? 'app.cjs' : 'app.mjs']: app, 'main.mjs': reloads(load, what) })
    if (load.includes('bundle'))
      await esbuild.build({
        absWorkingDir: folder,
        entryPoints: ['app.mjs'],
        outfile: join(folder, 'bundle.mjs'),
        bundle: true,
        format: 'esm',
        platform: 'node',
      })
    const env = { GREENROOM_BROKER: `file:${folder}/queue?sync=none` } // nothing here is about power cuts
    const { stdout } = await run(folder, process.execPath, ['main.mjs'], env)
    const [ran, resources] = stdout.trim().split('\n')
    t.equal(ran, `${TIMES} ${TIMES} 1 ${TIMES}`, 'each once, by the newest handler')
    const { threads, files } = JSON.parse(resources!) as { threads: number; files: number }
    const isFile = !app.includes("'memory:'")
    t.ok(threads <= MOST && threads >= (isFile ? 1 : 0), `${threads} threads`)
    if (process.platform === 'linux') t.ok(files <= MOST && files >= (isFile ? 1 : 0), `${files} open files`)
  })
