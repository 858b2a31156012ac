/**
 * The page that shows work live, as a user starts it: the server and its workers in processes of their own, the page in a real
 * browser. What is waited for is what the page, the stream or the output says.
 */
import { EventEmitter, once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, get } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { isGone, program } from './cli/program.ts'
import { down } from './helpers/faulty.ts'
import { openFaulty } from './helpers/open.ts'
import { root } from './root.ts'

const EXAMPLE = join(root, 'examples/live')
const JSON_TYPE = { 'content-type': 'application/json' }

const { needChromium, CHROMIUM_ARGS } = (await import(join(root, 'scripts/need-chromium.mjs'))) as {
  needChromium(): { readonly path?: string; readonly help?: string }
  CHROMIUM_ARGS: string[]
}
const { path: executablePath, help } = needChromium()
const skip = help ?? false // in CI a skip is a failure

let browser: Browser | undefined
t.before(async () => {
  if (executablePath) browser = await chromium.launch({ executablePath, args: CHROMIUM_ARGS })
})
t.teardown(() => browser?.close())

function folder(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'greenroom-test-live-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 }))
  return path
}

/** Starts the example, and waits until all of it is ready. */
async function live(t: Test, ...argv: readonly string[]) {
  const temporary = folder(t)
  const run = program([join(EXAMPLE, 'start.mjs'), '--port', '0', ...argv], { cwd: temporary, env: { TMPDIR: temporary } })
  t.teardown(async () => {
    run.child.kill('SIGTERM')
    await run.ended
  })
  const [, url = ''] = await run.until(/open (http:\S+)/)
  await run.until(/process \d+ is ready/, 2)
  return { run, url, temporary }
}

/** The page, with all that went wrong in it. */
async function opened(t: Test, url: string) {
  const page = await browser!.newPage()
  t.teardown(() => page.close())
  const wrong: string[] = []
  page.on('console', message => {
    if (['error', 'warning'].includes(message.type())) wrong.push(message.text())
  })
  page.on('pageerror', error => wrong.push(error.message))
  page.on('dialog', dialog => wrong.push(dialog.message()))
  page.on('response', response => {
    if (response.status() >= 400) wrong.push(`${response.status()} ${response.url()}`)
  })
  await page.goto(url)
  return { page, wrong }
}

async function order(page: Page, name: string, trouble = 'none') {
  await page.getByLabel('Name').fill(name)
  await page.getByLabel('Trouble').selectOption(trouble)
  await page.getByRole('button', { name: 'Paint' }).click()
  const job = page
    .getByRole('list', { name: 'Jobs' })
    .locator('> li')
    .filter({ has: page.getByRole('heading', { name, exact: true }) })
  return {
    job,
    status: job.getByRole('status'),
    happened: () => job.getByRole('list', { name: 'What happened' }).getByRole('listitem').allTextContents(),
  }
}

const post = (url: string, body: unknown, headers: Record<string, string> = JSON_TYPE) =>
  fetch(`${url}/jobs`, { method: 'POST', headers, body: typeof body === 'string' ? body : JSON.stringify(body) })

/** All states of a stream that ends by itself. */
async function statesOf(url: string, id: string): Promise<Record<string, unknown>[]> {
  const response = await fetch(`${url}/jobs/${id}/events`)
  const text = await response.text()
  return text
    .split('\n\n')
    .filter(event => event.startsWith('data: '))
    .map(event => JSON.parse(event.slice('data: '.length)) as Record<string, unknown>)
}

t.test('the page shows a job live, to the end, without a reload', { skip }, async t => {
  const { run, url } = await live(t)
  const { page, wrong } = await opened(t, url)
  await page.evaluate(`
    seen = []
    new MutationObserver(() => seen.push(document.querySelector('progress').value))
      .observe(document.querySelector('ol'), { subtree: true, attributes: true, attributeFilter: ['value'] })`)
  const { job, status, happened } = await order(page, '<img src=x onerror=alert(1)> & "co"')
  await status.getByText(/^done$/).waitFor()

  const [first, running, last, ...more] = await happened()
  t.strictSame([first, last, more], ['waiting', 'done', []])
  const [, pid] = /^running in process (\d+)$/.exec(running!) ?? []
  const workers = [...run.output.matchAll(/\[\d\] process (\d+) is ready/g)].map(([, pid]) => pid)
  t.ok(workers.includes(pid), `${pid} is one of ${workers.join(', ')}`)

  const seen = (await page.evaluate('seen')) as number[] // would not be there after a reload
  t.ok(new Set(seen).size > 5, `it moved: ${seen.join(' ')}`)
  t.strictSame(
    seen,
    seen.toSorted((a, b) => a - b),
  )

  const picture = job.getByRole('img', { name: 'The picture of <img src=x onerror=alert(1)> & "co"' })
  await picture.waitFor()
  t.equal(await page.evaluate(`const img = document.querySelector('img'); img.decode().then(() => img.naturalWidth)`), 320)
  t.equal(await page.locator('img').count(), 1, 'a name is text, never markup')
  t.strictSame(wrong, [])
})

t.test('a try that fails is shown, and so is the end of all tries', { skip }, async t => {
  const { url } = await live(t)
  const { page, wrong } = await opened(t, url)
  const once = await order(page, 'once', 'once')
  const always = await order(page, 'always', 'always')
  await once.status.getByText(/^done$/).waitFor()
  await always.status.getByText('given up: out of blue paint').waitFor()
  const shape = (lines: string[]) => lines.map(line => line.replace(/process \d+/, 'process'))
  const failure = 'failed: out of blue paint; tries again soon'
  t.strictSame(shape(await once.happened()), ['waiting', 'running in process', failure, 'running in process, run 2', 'done'])
  t.strictSame(shape(await always.happened()), [
    'waiting',
    'running in process',
    failure,
    'running in process, run 2',
    failure,
    'running in process, run 3',
    'given up: out of blue paint',
  ])
  t.strictSame(wrong, [])
})

t.test('a worker that is killed on the way: the job ends all the same, and the worker is started again', { skip }, async t => {
  const { run, url } = await live(t)
  const { page, wrong } = await opened(t, url)
  const { status, happened } = await order(page, 'Grace')
  await status.getByText(/^running in process/).waitFor()
  const pid = Number(/\d+/.exec((await status.textContent())!)![0])
  process.kill(pid, 'SIGKILL')
  await run.until(new RegExp(`process ${pid} was ended by SIGKILL; started again`))
  await status.getByText(/^done$/).waitFor()
  await run.until(/process \d+ is ready/, 3)
  const [, before, after, end] = await happened()
  t.equal(before, `running in process ${pid}`)
  t.match(after, /^running in process \d+, run 2$/)
  t.notMatch(after, ` ${pid},`)
  t.equal(end, 'done')
  t.strictSame(wrong, [])
})

t.test('more jobs than a browser has connections for', { skip }, async t => {
  const { url } = await live(t)
  const { page, wrong } = await opened(t, url)
  const jobs = []
  for (let i = 1; i <= 8; i++) jobs.push(await order(page, `job ${i}`))
  for (const { status } of jobs) await status.getByText(/^done$/).waitFor()
  t.strictSame(wrong, [])
})

t.test('the page says what was wrong with an order, and when the server is away', { skip }, async t => {
  const { run, url } = await live(t)
  const { page } = await opened(t, url)
  await order(page, '   ')
  await page.getByRole('alert').getByText('name is a text of 1 to 80 characters').waitFor()
  const { status } = await order(page, 'Ada')
  await status.getByText(/^running/).waitFor()
  run.child.kill('SIGTERM')
  await status.getByText('no connection to the server').waitFor()
  t.equal(await run.ended, 0, run.output)
})

t.test('without a browser: 202 with an id, the stream, the state, the picture', async t => {
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
