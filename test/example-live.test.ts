/**
 * The page that shows work live, in a real browser; the server and its workers are processes of their own. What is waited for is
 * what the page or the output says.
 */
import { join } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { live } from './helpers/live.ts'
import { root } from './root.ts'

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
