/** `greenroom worker --log json`: every line is an object, of the process, its children, its threads and its parent. */
import { channel } from 'node:diagnostics_channel'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Io } from '../../cli/command.ts'
import { jsonIo } from '../../cli/json-io.ts'
import { report } from '../../cli/worker/report.ts'
import { turns } from '../helpers/turns.ts'
import { world } from './fake-children.ts'
import { cli, fakeIo } from './fake-io.ts'
import { folderOf } from './folder.ts'
import { greenroom } from './program.ts'

type Line = Record<string, unknown>
const read = (line: string) => JSON.parse(line) as Line
const factsOf = (line: Line) => Object.fromEntries(Object.entries(line).filter(([name]) => name !== 'time' && name !== 'msg'))
const SECRET = 'hunter2'

t.test('a problem has its facts, and no credentials', async t => {
  const io = fakeIo(),
    end = report(jsonIo(io), { verbose: false, problems: true })
  const message = { id: 'i-1', queue: 'q', actor: 'mail', args: [], options: {}, timestamp: 0 }
  const error = Object.assign(new Error(`no amqp://u:${SECRET}@host`), { code: 'E_DOWN' })
  const settled = (outcome: object, settled = 'ok') =>
    channel('greenroom:settled').publish({ message, outcome, attempt: 2, deliveries: 1, ms: 12, settled })
  settled({ kind: 'retry', afterMs: 15_000, error })
  settled({ kind: 'dead', reason: 'gave up', error })
  settled({ kind: 'done' }, 'lost')
  settled({ kind: 'done' })
  channel('greenroom:rejected').publish({ id: 'i-2', queue: 'q', reason: 'no message' })
  end()
  const facts = { actor: 'mail', id: 'i-1', queue: 'q', attempt: 2, deliveries: 1, ms: 12 }
  const shown = { type: 'Error', message: 'no amqp://***@host', code: 'E_DOWN' }
  t.strictSame(
    io.errors.map(line => factsOf(read(line))),
    [
      { level: 'warn', pid: 1, kind: 'retry', ...facts, againMs: 15_000, error: shown },
      { level: 'error', pid: 1, kind: 'dead', ...facts, reason: 'gave up', error: shown },
      { level: 'warn', pid: 1, kind: 'lost', ...facts },
      { level: 'error', pid: 1, kind: 'dead', id: 'i-2', queue: 'q', reason: 'no message' },
    ],
  )
  t.equal(read(io.errors[0]!)['msg'], 'retry mail i-1 12ms  run 3 failed: Error: no amqp://***@host; again in 15s')
  t.strictSame(io.printed, [])
})

t.test('with --verbose a line holds its stack, and what is done is told too', async t => {
  const io = fakeIo(),
    end = report(jsonIo(io), { verbose: true, problems: true })
  const message = { id: 'i-1', queue: 'q', actor: 'mail', args: [], options: {}, timestamp: 0 }
  const settled = (outcome: object) =>
    channel('greenroom:settled').publish({ message, outcome, attempt: 0, deliveries: 1, ms: 12, settled: 'ok' })
  settled({ kind: 'dead', reason: 'gave up', error: new Error('no') })
  settled({ kind: 'done' })
  end()
  t.equal(io.errors.length, 1)
  t.match(read(io.errors[0]!), { kind: 'dead', stack: /log\.test/ })
  t.match(io.printed.map(read), [{ level: 'info', kind: 'done', actor: 'mail' }])
})

t.test('a command line that is wrong is told in the form that it asks for', async t => {
  for (const [argv, env] of [
    [['--log', 'json'], {}],
    [['--log=pretty', '--log=json'], {}],
    [[], { GREENROOM_LOG: 'json' }],
    [['--bogus'], { GREENROOM_LOG: 'json' }],
  ] as const) {
    const { code, err } = await cli(['worker', 'nope.mjs', ...argv], { env: { ...env } })
    t.match(read(err), { level: 'error', exit: code, msg: /nope\.mjs|bogus/ }, err)
  }
  t.match((await cli(['worker', 'a.mjs', '--log', 'xml'])).err, 'greenroom: --log cannot be "xml". It is json or pretty')
  t.notMatch((await cli(['worker', 'nope.mjs', '--log', 'pretty'], { env: { GREENROOM_LOG: 'json' } })).err, /^\{/)
  t.notMatch((await cli(['worker', '--help'], { env: { GREENROOM_LOG: 'json' } })).out, /^\{/, 'what was asked for is for people')
  t.notMatch((await cli(['dead', 'bogus'], { env: { GREENROOM_LOG: 'json' } })).err, /^\{/, 'of workers alone')
})

t.test("a parent passes on a child's objects, and makes objects of its other lines", async t => {
  const { io, children, code } = world({ processes: '1' }, jsonIo)
  const { told } = children[0]!
  told.line('{"time":"now","level":"info","msg":"mine","more":[1]}', false)
  told.line('hello', false)
  told.line('{not so', true)
  told.line('["nor this"]', true)
  children[0]!.up()
  await turns()
  children[0]!.die('SIGKILL')
  await turns()
  io.stop('SIGTERM')
  t.equal(await code, 0)
  t.equal(io.printed[1], '{"time":"now","level":"info","msg":"mine","more":[1]}', 'as it is')
  t.match(io.printed.map(read), [
    { msg: 'greenroom 0.0.0 worker, 1 process, parent 1', pid: 1, version: '0.0.0', processes: 1 },
    { msg: 'mine' },
    { level: 'info', msg: 'hello', pid: 100, child: 1, stream: 'stdout' },
    { msg: /^up/ },
    { msg: 'stopped' },
  ])
  t.match(io.errors.map(read), [
    { level: 'warn', msg: '{not so', pid: 100, child: 1, stream: 'stderr' },
    { msg: '["nor this"]', stream: 'stderr' },
    { level: 'warn', msg: /process 100 was ended by SIGKILL; started again/, pid: 1, child: 1, childPid: 100, end: 'SIGKILL' },
    { level: 'info', msg: /^stopping/, cause: 'SIGTERM' },
  ])
})

t.test('a child says which one it is', async t => {
  const parent = { number: 3, ready() {}, spent() {}, report() {}, onAsk: () => () => {} } satisfies Io['parent']
  const io = fakeIo({ parent })
  jsonIo(io).print('  here  ')
  t.match(read(io.printed[0]!), { msg: 'here', pid: 1, child: 3 })
})

const JOBS = `
  import { existsSync } from 'node:fs'
  import { actor, current } from 'greenroom'
  export const fail = actor(async () => {
    console.log('plain of fail')
    throw new Error('no redis://u:${SECRET}@host')
  }, { name: 'fail', maxRetries: 0 })
  export const note = actor(async () => { current().log.warn({ url: 'redis://u:${SECRET}@host', n: 1 }, 'noted') }, { name: 'note' })
  export const apart = actor(async () => { current().log.warn({ n: 2 }, 'noted apart') }, { name: 'apart', isolate: 'thread' })
  export const block = actor(async () => { while (!existsSync('go')); }, { name: 'block' })
`

for (const [what, flags, env] of [
  ['a process', ['--log', 'json'], {}],
  ['a parent and its children', ['--processes', '2'], { GREENROOM_LOG: 'json' }],
] as const) {
  t.test(`${what}: each line parses, and none has credentials`, async t => {
    const folder = folderOf(t, { 'jobs.mjs': JOBS })
    const worker = greenroom(folder, ['worker', 'jobs.mjs', '--lease', '3s', ...flags], { env })
    await worker.until(/"state":"ready"/)
    for (const name of ['fail', 'note', 'apart']) await cli(['send', name], { cwd: folder })
    await worker.until(/"kind":"dead"/)
    await worker.until(/"msg":"noted"/)
    await worker.until(/"msg":"noted apart"/)
    await cli(['send', 'block'], { cwd: folder })
    await worker.until(/has been blocked/)
    writeFileSync(join(folder, 'go'), '')
    worker.child.kill('SIGTERM')
    t.equal(await worker.ended, 0)
    t.notMatch(worker.output, SECRET)
    const all = worker.output.trimEnd().split('\n')
    const plain = all.filter(line => line === 'plain of fail')
    const lines = all.filter(line => line !== 'plain of fail').map(read)
    for (const line of lines) t.match(line, { time: /^\d{4}-.*Z$/, level: /^(info|warn|error)$/, msg: String, pid: Number })
    const find = (msg: RegExp) => lines.find(line => msg.test(String(line['msg'])))
    t.match(find(/^works on/), {
      broker: String,
      namespace: 'greenroom',
      queues: /default/,
      actors: ['apart', 'block', 'fail', 'note'],
    })
    t.match(find(/^dead fail/), {
      level: 'error',
      actor: 'fail',
      id: String,
      queue: 'default',
      kind: 'dead',
      attempt: 0,
      ms: Number,
    })
    t.match(find(/^noted$/), { level: 'warn', actor: 'note', id: String, n: 1 })
    t.match(find(/^noted apart/), { level: 'warn', actor: 'apart', n: 2 })
    t.match(find(/has been blocked/), { level: 'warn', actors: ['block'], blockedMs: Number })
    t.match(find(/^stopped$/), { level: 'info' })
    const ofChild = find(/^plain of fail/)
    if (flags[0] === '--log') t.strictSame([plain.length, ofChild], [1, undefined], 'what a handler prints passes as it is')
    else t.match([plain, ofChild], [[], { child: /^[12]$/, stream: 'stdout', level: 'info' }])
  })
}
