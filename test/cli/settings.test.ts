/** Settings from the command line, the environment and greenroom.config.*: which comes first, and what is said of wrong ones. */
import { chownSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Flags } from '../../cli/command.ts'
import { mayImport } from '../../cli/config-file.ts'
import { settle, valuesOf } from '../../cli/settings.ts'
import { fileUrl } from '../../lib/locate.ts'
import { cli } from './fake-io.ts'
import { greenroom, install } from './program.ts'

const FLAGS: Flags = {
  'health-port': { type: 'string', value: 'port', help: '' },
  grace: { type: 'string', value: 'duration', help: '' },
  queues: { type: 'string', value: 'list', help: '' },
  drain: { type: 'boolean', help: '' },
}
const file = (options: Record<string, unknown>) => ({ name: 'greenroom.config.ts', options })

t.test('the command line comes before the environment, and that before the file', async t => {
  const env = { GREENROOM_GRACE: '2s', GREENROOM_HEALTH_PORT: '2', GREENROOM_QUEUES: '' }
  t.strictSame(settle(FLAGS, { grace: '1s' }, env, file({ grace: '3s', healthPort: 3, queues: { a: 1, b: 2 }, drain: true })), {
    'health-port': { value: '2', from: 'GREENROOM_HEALTH_PORT' },
    grace: { value: '1s', from: '--grace' },
    queues: { value: 'a=1,b=2', from: 'greenroom.config.ts' },
    drain: { value: true, from: 'greenroom.config.ts' },
  })
})

t.test('what code writes as a number, a list or an object is what a person would type', async t => {
  t.strictSame(valuesOf(settle(FLAGS, {}, {}, file({ grace: 500, queues: ['a', 'b'], healthPort: 80 }))), {
    grace: '500ms',
    queues: 'a,b',
    'health-port': '80',
  })
  t.strictSame(valuesOf(settle(FLAGS, {}, { GREENROOM_DRAIN: '1' }, undefined)), { drain: true })
  t.strictSame(valuesOf(settle(FLAGS, {}, { GREENROOM_DRAIN: 'no' }, file({ drain: true }))), {}, 'off is as not given')
})

t.test('what no flag could be is refused with the place that it is from', async t => {
  const wrong =
    (options: Record<string, unknown>, env: Record<string, string> = {}) =>
    () =>
      settle(FLAGS, {}, env, file(options))
  t.throws(wrong({ grase: 1 }), {
    code: 'OPTION_UNKNOWN',
    message: /"grase" of worker in greenroom\.config\.ts.*Did you mean grace/,
  })
  t.throws(wrong({ drain: 'yes' }), { message: /drain in greenroom\.config\.ts cannot be "yes"\. It is true or false/ })
  t.throws(wrong({ grace: null }), { message: /grace in greenroom\.config\.ts cannot be null/ })
  t.throws(wrong({}, { GREENROOM_DRAIN: 'maybe' }), { message: /GREENROOM_DRAIN cannot be "maybe"\. It is 1 or 0/ })
})

/** A folder of its own with a settings file: a module is imported once a path. */
function config(t: Test, text?: string): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'greenroom-settings-')))
  t.teardown(() => rmSync(folder, { recursive: true }))
  mkdirSync(join(folder, 'inner'))
  writeFileSync(join(folder, 'jobs.mjs'), '')
  if (text !== undefined) writeFileSync(join(folder, 'greenroom.config.mjs'), text)
  return folder
}

t.test('--print-config shows each setting and where it is from, and starts nothing', async t => {
  const cwd = config(t, `export default { modules: ['jobs.mjs'], worker: { concurrency: 50, grace: '1m' } }`)
  const { code, out } = await cli(['worker', '--print-config', '--grace', '2s'], { cwd, env: { GREENROOM_QUEUES: 'a=1' } })
  t.equal(code, 0)
  t.match(out, /^file +greenroom\.config\.mjs$/m)
  t.match(out, /^modules +jobs\.mjs {2}\(greenroom\.config\.mjs\)$/m)
  t.match(out, /^concurrency +50 {2}\(greenroom\.config\.mjs\)$/m)
  t.match(out, /^queues +a=1 {2}\(GREENROOM_QUEUES\)$/m)
  t.match(out, /^grace +2s {2}\(--grace\)$/m)
  const broker = async (env: NodeJS.ProcessEnv) =>
    /^broker +(.*)$/m.exec((await cli(['worker', '--print-config', '--max-stuck=3'], { cwd, env })).out)?.[1]
  t.equal(await broker({}), `file:${join(cwd, '.greenroom')}  (default)`)
  t.equal(await broker({ GREENROOM_BROKER: 'redis://me:hunter2@host' }), 'redis://***@host  (GREENROOM_BROKER)')
  t.match(await broker({ NODE_ENV: 'production' }), /^none: No broker is set, and NODE_ENV is production\. .*GREENROOM_BROKER=/)
  t.match((await cli(['worker', '--print-config', '--max-stuck=3'], { cwd })).out, /^maxStuck +3 {2}\(--max-stuck\)$/m)
  const inner = await cli(['worker', 'other.mjs', '--print-config'], { cwd: join(cwd, 'inner') })
  t.match(inner.out, /^modules +other\.mjs {2}\(command line\)$/m)
  t.match(inner.out, /^file +\.\.[\\/]greenroom\.config\.mjs$/m)
})

t.test('a wrong setting says who gave it', async t => {
  const cwd = config(t, `export default { modules: ['jobs.mjs'], worker: { concurrency: 'many' } }`)
  t.match(await cli(['worker'], { cwd }), {
    code: 2,
    err: /--concurrency cannot be "many".*--concurrency comes from greenroom\.config\.mjs; --print-config shows all/,
  })
  t.match(await cli(['worker', 'jobs.mjs', '--concurrency', '0'], { cwd: config(t) }), {
    code: 2,
    err: /--concurrency cannot be "0"/,
  })
  t.match(await cli(['worker'], { cwd: config(t) }), { code: 2, err: /No module is named\. Write greenroom worker/ })
})

t.test('a settings file that is none says what to write; an empty one only marks its folder', async t => {
  const says = async (text: string, err: RegExp, code = 2) =>
    t.match(await cli(['worker', 'jobs.mjs', '--print-config'], { cwd: config(t, text) }), { code, err })
  await says(
    'export const a = 1',
    /greenroom\.config\.mjs: there is no settings object in its default export\. Write export default/,
  )
  await says('export default { workers: {} }', /"workers" of greenroom\.config\.mjs\. Did you mean worker\? \[OPTION_UNKNOWN\]/)
  await says('export default { modules: "jobs.mjs" }', /modules cannot be "jobs\.mjs"\. It is a list of paths/)
  await says('export default { worker: 4 }', /worker cannot be 4\. It is an object/)
  await says('export default { broker: 4 }', /broker cannot be 4\. It is a text/)
  await says('export default {', /greenroom\.config\.mjs could not be loaded/, 4)
  t.match(await cli(['worker', 'jobs.mjs', '--print-config'], { cwd: config(t, ' \n') }), { code: 0, out: /^file +none/ })
})

t.test('whose settings file is imported', async t => {
  const [root, ada, bob] = [0, 1_000, 1_001]
  for (const [owner, user, ofFolder, may] of [
    [ada, ada, ada, true],
    [root, ada, ada, true],
    [ada, root, ada, true], // root in the project of somebody, as in a container
    [ada, ada, bob, true],
    [bob, ada, ada, false],
    [bob, root, ada, false],
    [bob, undefined, ada, false], // a system without users has one owner for all
  ] as const)
    t.equal(mayImport(owner, user, ofFolder), may, `${owner} ${user} ${ofFolder}`)
})

// Only root can make a file somebody else's.
if (process.getuid?.() === 0)
  t.test('a settings file of another user is not imported', async t => {
    const cwd = config(t, 'throw new Error("imported")')
    chownSync(join(cwd, 'greenroom.config.mjs'), 12_345, 12_345)
    t.match(await cli(['queues'], { cwd: join(cwd, 'inner'), env: {} }), {
      code: 2,
      err: /\.\.[\\/]greenroom\.config\.mjs belongs to another user.*Delete it/,
    })
    chownSync(join(cwd, 'inner'), 12_345, 12_345)
    t.match(await cli(['queues'], { cwd: join(cwd, 'inner'), env: {} }), { code: 4, err: /imported/ })
  })

t.test('the broker of the other commands: the command line, the environment, the file, the default', async t => {
  const cwd = config(t, `export default { broker: 'file:/of-file', namespace: 'shop' }`)
  const where = async (argv: readonly string[] = [], env: NodeJS.ProcessEnv = {}) =>
    (await cli(['doctor', ...argv], { cwd, env })).out
  t.match(await where(), /broker file:\/of-file \(greenroom\.config\.mjs, environment development\)/)
  t.match(await where([], { GREENROOM_BROKER: 'file:/of-env' }), /broker file:\/of-env \(GREENROOM_BROKER,/)
  t.match(await where(['--broker', 'file:/of-flag'], { GREENROOM_BROKER: 'file:/of-env' }), /broker file:\/of-flag \(--broker,/)
  const bare = config(t)
  const { out } = await cli(['doctor'], { cwd: bare, env: {} })
  t.ok(out.includes(`broker ${fileUrl(join(bare, '.greenroom'))} (default, environment development): not made yet`), out)
  t.match(await cli(['doctor'], { cwd: bare, env: { NODE_ENV: 'production' } }), {
    code: 2,
    out: /^bad +No broker is set, and NODE_ENV is production.*\[BROKER_NOT_SET\]$/m,
  })
})

t.test('a worker runs what the file says, and its children too', async t => {
  const folder = install(
    t.testdir({
      'greenroom.config.mjs': `import { defineConfig } from 'greenroom'\nexport default defineConfig({ modules: ['jobs.mjs'], worker: { processes: 2, drain: true, concurrency: 3 } })`,
      'jobs.mjs': `import { actor } from 'greenroom'\nexport const hello = actor(async name => console.log('hello, ' + name), { name: 'hello' })`,
    }),
  )
  const sent = greenroom(folder, ['send', 'hello', 'Ada'])
  t.equal(await sent.ended, 0)
  const worker = greenroom(folder, ['worker'])
  await worker.until(/worker, 2 processes/)
  await worker.until(/default \(3 at once\)/)
  await worker.until(/hello, Ada/)
  t.equal(await worker.ended, 0)
})
