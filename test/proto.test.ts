/** The built package, on each broker it has, in a process that has hardened its prototypes: sending and working go on. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { runNode } from './helpers/run-node.ts'

const program = `
  if (process.argv.includes('freeze')) {
    const bytes = Object.getPrototypeOf(Uint8Array)
    for (const made of [Object, Array, Function, Map, Set, WeakMap, Promise, Error, TypeError, RegExp, Date, String, Number, ArrayBuffer, Uint8Array, bytes, Buffer])
      Object.freeze(made.prototype)
  }
  const { current, greenroom, standard } = LOAD
  const app = greenroom({ broker: process.argv[1], middleware: standard({ minBackoff: 0 }) })
  const ran = []
  const notify = app.actor((result, message) => { ran.push(['notify', result, message.args.length]) }, { name: 'notify', queue: 'told' })
  const work = app.actor(async data => {
    if (current().attempt === 0) throw new TypeError('not yet')
    ran.push(['work', Object.keys(data).join()])
    return { __proto__: null, ok: true }
  }, { name: 'work', onSuccess: notify })
  const fails = app.actor(() => { throw { __proto__: null, message: 'no' } }, { name: 'fails', maxRetries: 1 })
  async function main() {
    await work.send(JSON.parse('{"__proto__":{"isAdmin":true},"constructor":1}'))
    await work.with({ priority: 'high', maxAge: '1h' }).sendMany([[{}]])
    await fails.with({ id: 'dead' }).send()
    await (await app.work({ until: 'idle' })).stopped
    const state = await app.sent('dead').state()
    await app.close()
    return { ran: ran.map(item => JSON.stringify(item)).sort(), state, polluted: ({}).isAdmin ?? null }
  }
  main().then(result => console.log(JSON.stringify(result)))
`

const LOADS = { import: "await import('greenroom')", require: "require('greenroom')" }

for (const [what, load, nodeArgs, args] of [
  ['whose __proto__ throws', 'import', ['--disable-proto=throw'], []],
  ['without __proto__', 'import', ['--disable-proto=delete'], []],
  ['with frozen prototypes', 'import', [], ['freeze']],
  ['with all of it, as CommonJS', 'require', ['--disable-proto=throw'], ['freeze']],
] as const)
  t.test(`messages are sent and run in a process ${what}`, async t => {
    const folder = mkdtempSync(join(tmpdir(), 'greenroom-'))
    t.teardown(() => rmSync(folder, { recursive: true, force: true }))
    for (const broker of ['memory:', pathToFileURL(join(folder, 'folder')).href]) {
      const type = load === 'import' ? ['--input-type=module'] : ['--input-type=commonjs']
      const { stdout, stderr, code } = await runNode([
        ...nodeArgs,
        ...type,
        '-e',
        program.replace('LOAD', LOADS[load]),
        broker,
        ...args,
      ])
      t.equal(code, 0, stderr)
      const lines = stderr.split('\n').filter(line => !/^greenroom (?:warning: retry|error: dead) (?:work|fails) /.test(line))
      t.strictSame(lines, [''], 'nothing but what the program makes fail')
      t.strictSame(
        JSON.parse(stdout || '{}'),
        {
          ran: ['["notify",{"ok":true},1]', '["notify",{"ok":true},1]', '["work",""]', '["work","__proto__,constructor"]'],
          state: 'dead',
          polluted: null,
        },
        broker,
      )
    }
  })
