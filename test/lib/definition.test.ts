/** Where an actor is defined, and when two definitions of a name are two actors and not one that was evaluated again. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { greenroom } from '../../index.ts'
import { internalsOf } from '../../lib/internals.ts'
import { isElsewhere, type Place } from '../../lib/definition.ts'
import { open } from '../helpers/open.ts'

const folder = mkdtempSync(join(tmpdir(), 'greenroom-'))
t.teardown(() => rmSync(folder, { recursive: true }))

const MAIL = "app.actor(() => {}, { name: 'mail' })"
/** Writes a module, or the next version of it, and evaluates it under the URL with this query. */
async function evaluate(app: unknown, file: string, code: string, query = ''): Promise<void> {
  const path = join(folder, file)
  writeFileSync(path, `export function define(app) {\n${code}\n}`)
  const module = (await import(pathToFileURL(path).href + query)) as { define(app: unknown): void }
  module.define(app)
}

t.test('two places are two actors unless one is a reload of the other', async t => {
  const place = (file: string, query: string, at: string): Place => ({ file, query, at })
  const first = place('a.mjs', '', ':1:1')
  for (const [other, elsewhere] of [
    [place('a.mjs', '', ':1:1'), false],
    [place('a.mjs', '', ':2:1'), true],
    [place('a.mjs', '', ':1:9'), true],
    [place('a.mjs', '?t=1', ':1:1'), false],
    [place('a.mjs', '?t=1', ':2:1'), false],
    [place('b.mjs', '', ':1:1'), true],
    [place('b.mjs', '?t=1', ':1:1'), true],
  ] as const) {
    t.equal(isElsewhere(first, other), elsewhere, JSON.stringify(other))
    t.equal(isElsewhere(other, first), elsewhere, 'either way round')
  }
})

t.test('code that Next.js compiled is no evidence: a file of the user has one name a layer and chunk', async t => {
  const place = (file: string, at = ':1:1'): Place => ({ file, query: '', at })
  const chunk = '/shop/.next/dev/server/chunks/[root-of-the-server]__1w.js'
  for (const [one, other] of [
    [place('webpack-internal:///(rsc)/./jobs.js'), place('webpack-internal:///(rsc)/./jobs.js', ':9:1')],
    [place('webpack-internal:///(rsc)/./jobs.js'), place('webpack-internal:///(instrument)/./jobs.js')],
    [place(chunk), place(chunk, ':9:1')],
    [place(chunk), place(`file://${chunk}?id=[project]/lib/jobs.js [app-route]`, ':9:1')],
    [place('C:\\shop\\.next\\server\\a.js'), place('C:\\shop\\.next\\server\\b.js')],
  ] as const)
    t.notOk(isElsewhere(one, other), other.file)
  t.ok(isElsewhere(place('/shop/next/a.js'), place('/shop/next/b.js')))
})

for (const [what, evaluations, duplicate] of [
  ['one', [['one.mjs', MAIL]], undefined],
  ['the same place again, in a loop', [['loop.mjs', `for (let i = 0; i < 3; i++) ${MAIL}`]], undefined],
  ['two lines of a file', [['lines.mjs', `${MAIL}\n${MAIL}`]], /lines\.mjs:2:\d+, .*lines\.mjs:3:\d+/],
  ['two columns of a line', [['columns.mjs', `${MAIL}; ${MAIL}`]], /columns\.mjs:2:5, .*columns\.mjs:2:44/],
  [
    'two files',
    [
      ['left.mjs', MAIL],
      ['right.mjs', MAIL],
    ],
    /left\.mjs:2:5, .*right\.mjs:2:5/,
  ],
  [
    'three files',
    [
      ['x.mjs', MAIL],
      ['y.mjs', MAIL],
      ['z.mjs', MAIL],
    ],
    /x\.mjs.*y\.mjs.*z\.mjs/,
  ],
  [
    'a reload',
    [
      ['hot.mjs', MAIL],
      ['hot.mjs', MAIL, '?t=1'],
      ['hot.mjs', MAIL, '?t=2'],
    ],
    undefined,
  ],
  [
    'a reload with other lines',
    [
      ['moved.mjs', MAIL],
      ['moved.mjs', `\n\n${MAIL}`, '?t=1'],
      ['moved.mjs', MAIL, '?t=2'],
    ],
    undefined,
  ],
  [
    'a reload in which it is written twice',
    [
      ['twice.mjs', MAIL],
      ['twice.mjs', `${MAIL}\n${MAIL}`, '?t=1'],
    ],
    /twice\.mjs:2:5, .*twice\.mjs:3:5/,
  ],
  [
    'a reload of one of two files',
    [
      ['m.mjs', MAIL],
      ['m.mjs', MAIL, '?t=1'],
      ['n.mjs', MAIL, '?t=2'],
    ],
    /m\.mjs:2:5, .*n\.mjs:2:5/,
  ],
  [
    'a file that is declared elsewhere',
    [
      ['d.mjs', "app.declare('mail')"],
      ['e.mjs', MAIL],
      ['f.mjs', "app.declare('mail')"],
    ],
    undefined,
  ],
  [
    'two implementations',
    [
      ['i.mjs', "app.declare('mail').implement(() => {})"],
      ['j.mjs', "app.declare('mail').implement(() => {})"],
    ],
    /i\.mjs:2:\d+, .*j\.mjs:2:\d+/,
  ],
  ['two names', [['names.mjs', `${MAIL}\n${MAIL.replace('mail', 'post')}`]], undefined],
] as readonly [string, readonly [file: string, code: string, query?: string][], RegExp | undefined][])
  t.test(`${what}: ${duplicate ? 'two actors' : 'no duplicate'}`, async t => {
    const { app } = open(t)
    for (const evaluation of evaluations) await evaluate(app, ...evaluation)
    if (duplicate) await t.rejects(app.work(), { code: 'ACTOR_DUPLICATE', message: duplicate })
    else await t.resolves(app.work({ queues: ['default'] }))
  })

t.test('a CommonJS module has a place too', async t => {
  const { app } = open(t)
  for (const file of ['one (a b).cjs', 'two.cjs']) {
    writeFileSync(join(folder, file), `module.exports = app => {\n${MAIL}\n}`)
    ;(createRequire(import.meta.url)(join(folder, file)) as (app: unknown) => void)(app)
  }
  await t.rejects(app.work(), { code: 'ACTOR_DUPLICATE', message: /one \(a b\)\.cjs:2:5, .*two\.cjs:2:5/ })
})

t.test('stacks that others cut or change are no reason to refuse', async t => {
  const { stackTraceLimit, prepareStackTrace } = Error
  t.teardown(() => Object.assign(Error, { stackTraceLimit, prepareStackTrace }))
  for (const change of [
    { stackTraceLimit: 0 },
    { stackTraceLimit: 1 },
    { prepareStackTrace: () => 5 },
    { prepareStackTrace: () => [] },
  ]) {
    const { app } = open(t)
    Object.assign(Error, change)
    app.actor(() => {}, { name: 'mail' })
    app.actor(() => {}, { name: 'mail' })
    Object.assign(Error, { stackTraceLimit, prepareStackTrace })
    await t.resolves(app.work(), JSON.stringify(change))
  }
})

t.test('isolate is checked, and an isolated actor knows where a thread finds it', async t => {
  const app = greenroom({ broker: 'memory:' })
  t.throws(() => app.actor(() => {}, { name: 'wrong', isolate: 'process' as never }), {
    code: 'OPTION_INVALID',
    message: /^isolate cannot be "process"\. It is 'thread'/,
  })
  app.actor(() => {}, { name: 'apart', isolate: 'thread' })
  app.actor(() => {}, { name: 'here' })
  const { definitions } = internalsOf(app)
  t.strictSame(definitions.get('apart')!.homes, [import.meta.url], 'the file that runs, and not the one that a source map names')
  t.equal(definitions.get('here')!.homes, undefined)
})
