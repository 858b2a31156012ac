/** The port of `--health-port`: what it answers in each state of a worker, with real processes; and what it makes of callers. */
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { sleep, systemClock } from '../../lib/clock.ts'
import { serveHealth } from '../../cli/worker/health-server.ts'
import { countQueues, factsOf, NOT_YET, probesOf } from '../../cli/worker/health.ts'
import { down, hangs } from '../helpers/faulty.ts'
import { play } from '../brokers/embedded-target.ts'
import { openFaulty } from '../helpers/open.ts'
import { gate, pass } from '../helpers/turns.ts'
import { cli } from './fake-io.ts'
import { folderOf } from './folder.ts'
import { greenroom, isGone, type Program } from './program.ts'

const JOBS = `
  import { existsSync } from 'node:fs'
  import { setTimeout } from 'node:timers/promises'
  import { actor, current } from 'greenroom'
  export const wait = actor(async name => {
    console.log('begun', name, process.pid)
    while (!existsSync('go')) await setTimeout(5, undefined, { signal: current().signal })
    console.log('finished', name)
  }, { name: 'wait', queue: 'images' })
  export const block = actor(() => {
    console.log('blocks', process.pid)
    while (!existsSync('go'));
  }, { name: 'block', queue: 'blocked' })
`

interface Answered {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly text: string
  readonly body: any
}
async function ask(url: string, path: string, method = 'GET'): Promise<Answered> {
  const asked = request(`${url}${path}`, { method }).end()
  const [response] = await once(asked, 'response')
  let text = ''
  for await (const part of response.setEncoding('utf8')) text += part
  return { status: response.statusCode, headers: response.headers, text, body: text && JSON.parse(text) }
}
/** Asks until it is as wanted. */
async function until(url: string, path: string, wanted: (answer: Answered) => boolean): Promise<Answered> {
  for (;;) {
    const answer = await ask(url, path)
    if (wanted(answer)) return answer
    await sleep(systemClock, 50)
  }
}

async function start(
  t: Test,
  ...flags: readonly string[]
): Promise<{ readonly where: string; readonly worker: Program; readonly url: string }> {
  const where = folderOf(t, { 'jobs.mjs': JOBS })
  const worker = greenroom(where, ['worker', 'jobs.mjs', '--health-port', '0', ...flags])
  t.teardown(async () => {
    writeFileSync(join(where, 'go'), '')
    worker.child.kill('SIGKILL')
    await worker.ended
  })
  const [, url = ''] = await worker.until(/^health at (http:\S+): \/live, \/ready, \/queues$/m)
  return { where, worker, url }
}
const send = (where: string, actor: string, queue: string) => cli(['send', actor, '"Ada"', '--queue', queue], { cwd: where })

t.test('a worker: starting, ready, draining, gone', async t => {
  const { where, worker, url } = await start(t)
  t.match(url, /^http:\/\/127\.0\.0\.1:\d+$/, 'loopback unless told')
  await worker.until(/ready; Ctrl-C stops/)
  t.match(await ask(url, '/live'), {
    status: 200,
    text: '{"live":true}\n',
    headers: { 'content-type': 'application/json', connection: 'close' },
  })
  t.match(await ask(url, '/ready'), { status: 200, body: { ready: true, state: 'working', running: 0, held: 0, stuck: 0 } })
  await send(where, 'wait', 'images')
  await worker.until(/begun Ada/)
  t.match(await ask(url, '/ready'), { status: 200, body: { ready: true, running: 1 } })
  worker.child.kill('SIGTERM')
  await worker.until(/stopping: 1 handler running/)
  t.match(await ask(url, '/ready'), { status: 503, body: { ready: false, reason: 'draining', running: 1 } })
  t.equal((await ask(url, '/live')).status, 200, 'a worker that drains is not to be killed')
  writeFileSync(join(where, 'go'), '')
  t.equal(await worker.ended, 0)
  await t.rejects(ask(url, '/live'), { code: 'ECONNREFUSED' })
})

t.test('while modules are loaded it lives and is not ready', async t => {
  const where = folderOf(t, {
    'jobs.mjs': `import { existsSync } from 'node:fs'\nimport { setTimeout } from 'node:timers/promises'\nwhile (!existsSync('go')) await setTimeout(5)\n${JOBS.replace(/^ *import \{ (existsSync|setTimeout).*$/gm, '')}`,
  })
  const worker = greenroom(where, ['worker', 'jobs.mjs', '--health-port', '0'])
  const [, url = ''] = await worker.until(/^health at (http:\S+):/m)
  t.equal((await ask(url, '/live')).status, 200)
  t.match(await ask(url, '/ready'), { status: 503, body: { ready: false, reason: 'starting' } })
  t.match(await ask(url, '/queues'), { status: 503, body: { error: /starting/ } })
  writeFileSync(join(where, 'go'), '')
  t.ok(await until(url, '/ready', ({ status }) => status === 200))
  worker.child.kill('SIGTERM')
  t.equal(await worker.ended, 0)
})

t.test('/queues counts what is served, for autoscalers', async t => {
  const { where, worker, url } = await start(t, '--queues', 'images=1')
  await worker.until(/ready/)
  for (let i = 0; i < 3; i++) await send(where, 'wait', 'images')
  await send(where, 'block', 'blocked')
  await worker.until(/begun Ada/)
  const { status, body, text } = await until(url, '/queues', ({ body }) => body.total?.ready === 2)
  t.equal(status, 200)
  t.strictSame(Object.keys(body.queues), ['images'], 'not what others serve')
  t.match(body.queues.images, { ready: 2, delayed: 0, leased: 1, suspect: 0, dead: 0, paused: false })
  t.match(body.total, { ready: 2, leased: 1 })
  t.ok(body.total.oldestMs >= 0)
  t.notMatch(text, where, 'nothing tells where the broker is')
  writeFileSync(join(where, 'go'), '')
  await until(url, '/queues', ({ body }) => body.total.ready === 0 && body.total.leased === 0)
  worker.child.kill('SIGTERM')
  t.equal(await worker.ended, 0)
})

t.test('--processes: the parent answers for its children, and names the one whose loop is blocked', async t => {
  const { where, worker, url } = await start(t, '--processes', '2', '--concurrency=1')
  await until(url, '/ready', ({ status }) => status === 200)
  t.match(await ask(url, '/live'), { status: 200, body: { live: true } })
  t.match(await ask(url, '/ready'), { body: { ready: true, processes: 2, running: 0 } })
  t.match(await ask(url, '/queues'), {
    status: 200,
    body: { queues: { images: { ready: 0 }, blocked: { ready: 0 } }, total: { ready: 0 } },
  })
  await send(where, 'block', 'blocked')
  const [, pid] = await worker.until(/\[\d\] blocks (\d+)/)
  const { body } = await until(url, '/live', ({ status }) => status === 503)
  t.match(body, { live: false, reason: new RegExp(`^process [12] \\(pid ${pid}\\) has not turned its event loop for \\S+$`) })
  t.equal((await until(url, '/queues', ({ status }) => status === 200)).body.queues.blocked.leased, 1, 'the other one counts')
  writeFileSync(join(where, 'go'), '')
  await until(url, '/live', ({ status }) => status === 200)
  await until(url, '/ready', ({ status }) => status === 200)
  worker.child.kill('SIGTERM')
  t.equal(await worker.ended, 0)
})

t.test('--processes: a child that died is missing until it is back; a drain lives and is not ready', async t => {
  const { where, worker, url } = await start(t, '--processes', '2', '--concurrency=1')
  await until(url, '/ready', ({ status }) => status === 200)
  await send(where, 'wait', 'images')
  const [, pid] = await worker.until(/begun Ada (\d+)/)
  process.kill(Number(pid), 'SIGKILL')
  await worker.until(/was ended by SIGKILL/)
  t.match(await ask(url, '/ready'), { status: 503, body: { reason: '1 of 2 processes starting', processes: 1 } })
  t.equal((await ask(url, '/live')).status, 200)
  await until(url, '/ready', ({ status }) => status === 200)
  await worker.until(/begun Ada/, 2)
  worker.child.kill('SIGTERM')
  await worker.until(/\[\d\] process \d+ stopping: 1 handler/)
  t.match(await ask(url, '/ready'), { status: 503, body: { ready: false, reason: 'draining' } })
  t.equal((await ask(url, '/live')).status, 200)
  writeFileSync(join(where, 'go'), '')
  t.equal(await worker.ended, 0)
  await isGone(Number(pid))
})

t.test('a port that is taken is one line and exit code 2, before anything is loaded', async t => {
  const { worker, url } = await start(t)
  await worker.until(/ready/)
  const { port } = new URL(url)
  const where = folderOf(t, { 'jobs.mjs': `console.log('loaded')\n${JOBS}` })
  for (const more of [[], ['--processes', '2']]) {
    const second = greenroom(where, ['worker', 'jobs.mjs', '--health-port', port, ...more])
    t.equal(await second.ended, 2)
    t.equal(
      second.output,
      `greenroom: Port ${port} of 127.0.0.1 is taken by another process. Give --health-port another one; 0 takes one that is free\n`,
    )
  }
  t.equal((await ask(url, '/ready')).status, 200, 'the first one goes on')
})

t.test('the flags of the port are checked', async t => {
  for (const [flags, says] of [
    [['--health-port', 'http'], '--health-port cannot be "http". Give a port from 1 to 65535'],
    [['--health-port', '70000'], '--health-port cannot be "70000"'],
    [['--health-host', '::1'], '--health-host opens no port by itself. Add --health-port'],
    [['--health-port', '0', '--health-host', '203.0.113.9'], '--health-host cannot be "203.0.113.9" (EADDRNOTAVAIL)'],
  ] as const) {
    const { code, err } = await cli(['worker', 'jobs.mjs', ...flags])
    t.equal(code, 2)
    t.ok(err.includes(says), err)
  }
})

t.test('an address of IPv6', async t => {
  const { url, close } = await serveHealth({ port: 0, host: '::1' }, () => NOT_YET)
  t.match(url, /^http:\/\/\[::1\]:\d+$/)
  t.equal((await ask(url, '/live')).status, 200)
  await close()
})

t.test('other paths and methods are refused as JSON; HEAD has no body; a query is ignored', async t => {
  const { url, close } = await serveHealth({ port: 0, host: '127.0.0.1' }, () => NOT_YET)
  for (const path of ['/', '/live/', '/metrics', '/..%2flive', '/LIVE'])
    t.match(await ask(url, path), { status: 404, body: { paths: ['/live', '/ready', '/queues'] } }, path)
  for (const method of ['POST', 'DELETE', 'OPTIONS', 'PUT'])
    t.match(
      await ask(url, '/live', method),
      { status: 405, headers: { allow: 'GET, HEAD' }, body: { error: /GET and HEAD/ } },
      method,
    )
  t.match(await ask(url, '/live', 'HEAD'), { status: 200, text: '', headers: { 'content-length': '14' } })
  t.match(await ask(url, '/ready', 'HEAD'), { status: 503, text: '' })
  t.equal((await ask(url, '/live?verbose')).status, 200)
  await close()
})

t.test('a probe that throws is a 503 that tells nothing', async t => {
  const fails = () => {
    throw new Error('redis://user:secret@host')
  }
  const probes = { live: fails, ready: fails, queues: async () => fails() }
  const { url, close } = await serveHealth({ port: 0, host: '127.0.0.1' }, () => probes)
  for (const path of ['/live', '/ready', '/queues'])
    t.match(await ask(url, path), { status: 503, text: '{"error":"The worker could not answer"}\n' })
  await close()
})

t.test('a caller that sends nothing, or headers without end, holds nothing up', async t => {
  const { url, close } = await serveHealth({ port: 0, host: '127.0.0.1' }, () => NOT_YET)
  const port = Number(new URL(url).port)
  const silent = connect(port, '127.0.0.1'),
    endless = connect(port, '127.0.0.1')
  await Promise.all([once(silent, 'connect'), once(endless, 'connect')])
  endless.write(`GET /live HTTP/1.1\r\nx: ${'y'.repeat(20_000)}`)
  const [answer] = await once(endless.setEncoding('utf8'), 'data')
  t.match(answer, /^HTTP\/1\.1 431 /)
  const ended = Promise.all([silent, endless].map(socket => (socket.closed ? undefined : once(socket.resume(), 'close'))))
  await close()
  await ended
})

t.test('a broker that is away makes /ready say so, and the queues unknown; both come back', async t => {
  const { app, memory, faults, clock, broker } = await openFaulty(t)
  app.actor(() => {}, { name: 'none' })
  const worker = await app.work()
  const probes = probesOf(
    { facts: () => factsOf([worker], 'working'), queues: () => countQueues(new Map([[broker, new Set(['default'])]])) },
    clock,
  )
  await pass(clock, 20_000)
  t.match(probes.ready(), { ok: true, body: { ready: true, state: 'working' } })
  t.match(await probes.queues(), { ok: true, body: { queues: { default: { ready: 0 } } } })
  t.ok(memory.inspector)
  for (const fault of [down, hangs]) {
    const back = gate<void>()
    faults.before.take = faults.before.counts = fault === hangs ? () => back.opened : fault
    await pass(clock, 20_000)
    t.match(probes.ready(), { ok: false, body: { ready: false, reason: /^the broker has not answered for \d+(\.\d+)?s$/ } })
    const asked = probes.queues()
    await pass(clock, 2_000)
    t.match(await asked, { ok: false, body: { error: /^The queues cannot be counted: / } })
    faults.before.take = faults.before.counts = () => {}
    back.open()
    await pass(clock, 11_000)
    t.match(probes.ready(), { ok: true })
    t.match(await probes.queues(), { ok: true })
  }
})

t.test('a folder whose lock somebody holds: the worker lives, is not ready, and is again', async t => {
  const { where, worker, url } = await start(t)
  await worker.until(/ready; Ctrl-C stops/)
  {
    using holder = play(t, 'lock', { path: join(where, '.greenroom'), blockMs: 60_000 })
    await holder.says('locked')
    const { body } = await until(url, '/ready', ({ status }) => status === 503)
    t.match(body, { ready: false, reason: /^the broker has not answered for 1\d(\.\d+)?s$/ })
    t.equal((await ask(url, '/live')).status, 200, 'a new process would wait for the lock, too')
  }
  await until(url, '/ready', ({ status }) => status === 200)
  worker.child.kill('SIGTERM')
  t.equal(await worker.ended, 0)
})

t.test('a flood of /queues asks the broker once a second', async t => {
  const { faults, clock, broker } = await openFaulty(t)
  let asked = 0
  faults.before.counts = () => {
    asked++
  }
  const names = new Set(Array.from({ length: 150 }, (_, n) => `q${n}`))
  const probes = probesOf({ facts: () => factsOf([], 'working'), queues: () => countQueues(new Map([[broker, names]])) }, clock)
  const answers = await Promise.all(Array.from({ length: 1_000 }, () => probes.queues()))
  t.equal(asked, 100, 'no more than a hundred queues')
  t.match(answers[0], { ok: true, body: { leftOut: 50 } })
  clock.advance(999)
  await probes.queues()
  t.equal(asked, 100)
  clock.advance(1)
  await probes.queues()
  t.equal(asked, 200)
})
