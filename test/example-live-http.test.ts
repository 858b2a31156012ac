/** The server of the live example without a browser: its answers, its streams, and how all of it stops. */
import { EventEmitter, once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer, get } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { isGone, program } from './cli/program.ts'
import { down } from './helpers/faulty.ts'
import { EXAMPLE, folder, live, post, statesOf } from './helpers/live.ts'
import { openFaulty } from './helpers/open.ts'

t.test('202 with an id, the stream, the state, the picture', async t => {
  const { url } = await live(t)
  const response = await post(url, { name: 'Ada' })
  const { id } = (await response.json()) as { id: string }
  t.equal(response.status, 202)
  t.equal(response.headers.get('location'), `/jobs/${id}`)

  const states = await statesOf(url, id)
  t.strictSame(
    [...new Set(states.map(({ state }) => state))].filter(state => state !== 'waiting'),
    ['running', 'done'],
  )
  t.ok(states.every(state => state['id'] === id))
  t.match(await statesOf(url, id), [{ state: 'done' }], 'what has ended is told once')

  const state = await fetch(`${url}/jobs/${id}`)
  t.match(await state.json(), { id, state: 'done' })
  const picture = await fetch(`${url}/jobs/${id}/picture`)
  t.equal(picture.headers.get('content-type'), 'image/png')
  t.equal((await picture.arrayBuffer()).byteLength, states.at(-1)!['bytes'])
  t.match((await fetch(url)).headers.get('content-security-policy'), "default-src 'self'")
})

t.test('bad requests are answered, and stop nothing', async t => {
  const { url, run } = await live(t)
  for (const [what, status, answer] of [
    ['no JSON', 400, await post(url, '{"name":')],
    ['null', 400, await post(url, 'null')],
    ['no name', 400, await post(url, {})],
    ['an empty name', 400, await post(url, { name: ' ' })],
    ['a name that is no text', 400, await post(url, { name: { toString: 'x' } })],
    ['a long name', 400, await post(url, { name: 'x'.repeat(81) })],
    ['a trouble that nobody knows', 400, await post(url, { name: 'x', trouble: 'constructor' })],
    ['a body that is too large', 413, await post(url, { name: 'x'.repeat(1_024) })],
    ['a form of another site', 415, await post(url, 'name=x', { 'content-type': 'application/x-www-form-urlencoded' })],
    ['an unknown id', 404, await fetch(`${url}/jobs/nobody`)],
    ['the events of an unknown id', 404, await fetch(`${url}/jobs/nobody/events`)],
    ['a path for an id', 404, await fetch(`${url}/jobs/..%2f..%2fetc%2fpasswd`)],
    ['a page that is not there', 404, await fetch(`${url}//constructor?x`)],
    ['a method that is not there', 405, await fetch(`${url}/jobs`)],
  ] as const) {
    t.equal(answer.status, status, what)
    t.match(await answer.json(), { error: String }, what)
  }
  t.equal((await post(url, { name: 'Ada', trouble: 'none' })).status, 202)
  t.notMatch(run.output, /Error/)
})

t.test('stopped on the way and started again: the job goes on, and nothing is forgotten', async t => {
  const there = folder(t)
  const first = await live(t, '--folder', there)
  const { id } = (await (await post(first.url, { name: 'Ada' })).json()) as { id: string }
  const { id: dead } = (await (await post(first.url, { name: 'Ada', trouble: 'always' })).json()) as { id: string }
  first.run.child.kill('SIGTERM')
  t.equal(await first.run.ended, 0, first.run.output)
  const second = await live(t, '--folder', there)
  t.match((await statesOf(second.url, id)).at(-1), { id, state: 'done' })
  t.match((await statesOf(second.url, dead)).at(-1), { id: dead, state: 'dead', why: 'out of blue paint' })
})

t.test('Ctrl-C, a killed starter, a port that is taken: no process is left, and no folder that was not asked for', async t => {
  const workers = (output: string) =>
    [...output.matchAll(/process (\d+) is ready|parent (\d+)/g)].map(([, a, b]) => Number(a ?? b))
  const { run, temporary, url } = await live(t)
  const [made] = [/file:(\S+)\/queue/.exec(run.output)![1]!]
  t.ok(made.startsWith(temporary) && existsSync(made))

  const taken = program([join(EXAMPLE, 'start.mjs'), '--port', new URL(url).port], { cwd: temporary })
  t.equal(await taken.ended, 1)
  t.match(taken.output, /EADDRINUSE.*Another port/)
  for (const pid of workers(taken.output)) await isGone(pid)

  run.child.kill('SIGINT')
  t.equal(await run.ended, 0, run.output)
  for (const pid of workers(run.output)) await isGone(pid)
  await t.rejects(fetch(url))
  t.notOk(existsSync(made))

  const other = await live(t, '--folder', join(temporary, 'kept'))
  other.run.child.kill('SIGKILL')
  await other.run.ended // all that held its output has ended, the server too
  for (const pid of workers(other.run.output)) await isGone(pid)
  t.ok(existsSync(join(temporary, 'kept/queue')))
})

t.test('the requests by themselves', async t => {
  process.env['LIVE_FOLDER'] = folder(t)
  const { jobs } = (await import(join(EXAMPLE, 'jobs.mjs'))) as { jobs(bell: EventEmitter): Jobs }
  const { routes } = (await import(join(EXAMPLE, 'routes.mjs'))) as { routes(parts: object): Routes }
  const { app, faults } = await openFaulty(t)
  const bell = new EventEmitter()
  const table = jobs(bell)
  const { answer, leave } = routes({ render: app.declare('render'), jobs: table })
  const server = createServer((request, response) => void answer(request, response)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  await t.test('a broker that is away is 503, with a time to come back', async t => {
    faults.before.push = down
    const response = await post(url, { name: 'Ada' })
    t.equal(response.status, 503)
    t.equal(response.headers.get('retry-after'), '5')
    delete faults.before.push
    t.equal((await post(url, { name: 'Ada' })).status, 202)
  })

  await t.test('a client that leaves is no longer listened for', async t => {
    await table.open('watched')
    const request = get(`${url}/jobs/watched/events`)
    const [response] = (await once(request, 'response')) as [NodeJS.ReadableStream]
    await once(response, 'data')
    t.equal(bell.listenerCount('watched'), 1)
    const left = new Promise<void>(resolve => {
      bell.on('removeListener', name => {
        if (name === 'watched') resolve()
      })
    })
    request.destroy()
    await left
    t.equal(bell.listenerCount('watched'), 0)
  })

  await t.test('a server that stops ends its streams', async t => {
    await table.open('open')
    const response = await fetch(`${url}/jobs/open/events`)
    const text = response.text()
    leave()
    t.match(await text, /data: \{"id":"open","state":"waiting"\}/)
  })

  await t.test('the end is the end, whatever comes late', async t => {
    await table.tell('early', { state: 'done' })
    await table.open('early')
    await table.tell('early', { state: 'running' })
    t.match(await table.get('early'), { id: 'early', state: 'done' })
    await t.rejects(table.tell('../../odd', { state: 'done' }), /no id of a job/)
  })
})

interface Jobs {
  open(id: string): Promise<void>
  tell(id: string, news: object): Promise<void>
  get(id: string): Promise<object | undefined>
}
interface Routes {
  answer(request: object, response: object): Promise<void>
  leave(): void
}
