/**
 * The programs that users write on day one (test/programs): each runs from the version that brings its feature. All of them
 * are compiled by `npm run check`. They import `greenroom` as a user does, so this needs the built package.
 */
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { root } from './root.ts'

const run = promisify(execFile)
const programs = join(root, 'test/programs')

/** Runs TypeScript as a user of Node 20 does, with tsx, in an environment with a folder of its own. */
async function node(code: string, env: Record<string, string> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'greenroom-programs-'))
  try {
    return await run(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], {
      cwd: root,
      env: { ...process.env, NODE_ENV: 'test', GREENROOM_BROKER: `file:${join(folder, 'queue')}`, ...env },
      timeout: 60_000,
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
/** The program without the lines that must not compile, where `greenroom` means this package. */
function program(name: string, adapt = (source: string) => source): string {
  const source = readFileSync(join(programs, name), 'utf8').replace(/^.*@ts-expect-error.*\n.*\n/gm, '')
  const path = join(root, '.build/programs', name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, adapt(source))
  return JSON.stringify(path)
}

t.test('01 one file: called directly it greets; sent, a worker in this process greets', async t => {
  const { stdout } = await node(`
    const { hello } = await import(${program('01-one-file.ts')})
    process.argv[2] = 'send'
    await hello.send('Grace')
    const { getDefaultApp } = await import('greenroom')
    await (await getDefaultApp().work({ until: 'idle' })).stopped
    await getDefaultApp().close()`)
  t.strictSame(stdout.trim().split('\n'), ['hello, Ada', 'hello, Grace'])
})

t.test('08 retry: obeys Retry-After, gives up on 410, does not retry what it throws', async t => {
  const { stdout } = await node(
    `
    const answers = { late: 429, gone: 410, missing: 404, ok: 200 }
    globalThis.fetch = async () => ({ status: answers.next, headers: new Headers({ 'retry-after': '90' }) })
    const { charge } = await import(${program('08-retry.ts')})
    const { testing } = await import('greenroom/testing')
    const [app] = [...globalThis[Symbol.for('greenroom/1')].apps].map(ref => ref.deref())
    const t = await testing(app)
    answers.next = 429
    await charge.send('late', 1)
    await t.advance(0)
    answers.next = 200
    await t.advance('89s')
    const before = await charge.sent(t.sent(charge)[0].id).state()
    await t.advance('2s')
    console.log(before, await charge.sent(t.sent(charge)[0].id).state())
    for (const status of [410, 404]) { answers.next = status; await charge.send('x', 1); await t.join() }
    console.log(t.dead.map(({ reason }) => reason).join('\\n'))
    await t[Symbol.asyncDispose]()`,
  )
  const [states, gone, missing] = stdout.trim().split('\n')
  t.equal(states, 'delayed unknown')
  t.match(gone, /^gave up: gone/)
  t.match(missing, /^threw NotFound, which is not tried again/)
})

t.test('10 middleware: a skipped message says by whom, and a message without a tenant is refused', async t => {
  const { stdout } = await node(`
    const { testing } = await import('greenroom/testing')
    const { greenroom, standard } = await import('greenroom')
    const { tenancy, breaker, redact } = await import(${program('10-middleware.ts')})
    const tenants = tenancy()
    const app = greenroom({ middleware: [tenants, breaker(2), redact(), ...standard({ maxRetries: 0 })] })
    const pay = app.actor(async card => { console.log('ran for', tenants.tenant()); if (card === 'bad') throw new Error('declined') }, { name: 'pay', redact: () => ['****'] })
    const t = await testing(app)
    console.log(JSON.stringify(await pay.with({ tenant: 'acme', region: 'us' }).send('4111')))
    console.log(await pay.send('4111').catch(error => [error.message, error.cause?.message].join(' ')))
    await pay.with({ tenant: 'acme' }).send('4111')
    await t.join()
    for (let i = 0; i < 3; i++) { await pay.with({ tenant: 'acme' }).send('bad'); await t.advance(0) }
    console.log(t.dead.length, 'dead;', await pay.sent(t.sent(pay).at(-1).id).state())
    await t[Symbol.asyncDispose]()`)
  t.match(stdout, /"stored":false,"by":"tenancy"/)
  t.match(stdout, /pay needs a tenant/)
  t.match(stdout, /pay \[ '\*\*\*\*' \]/)
  t.match(stdout, /ran for acme/)
  t.match(stdout, /2 dead; delayed/, 'the third is released: the circuit is open')
})

t.test('12 brokers by environment: a test runs in memory, production without its variable names the rows', async t => {
  const { stdout } = await node(`
    const { app, a } = await import(${program('12-env.ts')})
    await a.send(2)
    await (await app.work({ until: 'idle' })).stopped
    console.log(await a.sent('x').state())
    await app.close()`)
  t.equal(stdout.trim(), 'unknown')
  const { stdout: production } = await node(
    `await import(${program('12-env.ts')}).catch(error => console.log(error.code, error.message))`,
    { NODE_ENV: 'production' },
  )
  t.match(production, /^BROKER_NOT_SET .*development, test, staging, production/s)
})

t.test('16 k8s: SIGTERM drains, and the process ends by itself', async t => {
  // results() comes later; what this one shows does not need it.
  const contract = program('14-mono/contract/jobs.ts', source => source.replace('results(), ', '').replace(', results', ''))
  // thumb.ts is a program too, which works until it is stopped.
  program('14-mono/worker/thumb.ts', source => source.replace(/^(const worker =|await worker\.stopped).*\n?/gm, ''))
  const folder = mkdtempSync(join(tmpdir(), 'greenroom-programs-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const { stdout } = await node(
    `
    const running = import(${program('16-k8s.ts')})
    const { app, thumb } = await import(${contract})
    const { id } = await thumb.send('https://a', 3)
    while (await thumb.sent(id).state() !== 'unknown') await new Promise(setImmediate)
    process.kill(process.pid, 'SIGTERM')
    await running
    console.log('ended', process.exitCode ?? 0)`,
    { REDIS_URL: `file:${join(folder, 'queue')}` },
  )
  t.equal(stdout.trim(), 'ended 0')
})

t.test('17 recursion: a crawler that sends to itself ends', async t => {
  const { stdout } = await node(`
    const { crawl } = await import(${program('17-recursion.ts')})
    const { testing } = await import('greenroom/testing')
    const [app] = [...globalThis[Symbol.for('greenroom/1')].apps].map(ref => ref.deref())
    const t = await testing(app)
    await crawl.send('https://a', 3)
    await t.join()
    console.log(t.sent(crawl).map(({ args }) => args.join(' ')).join('\\n'))
    await t[Symbol.asyncDispose]()`)
  t.strictSame(stdout.trim().split('\n'), ['https://a 3', 'https://a/x 2', 'https://a/x/x 1', 'https://a/x/x/x 0'])
})

t.test("19 own middleware: a chain of the user's own retries and age limit", async t => {
  const { stdout } = await node(`
    globalThis.backoffMs = attempt => 1000 * (attempt + 1)
    const { retries, ageLimit } = await import(${program('19-own-middleware.ts')})
    const { greenroom } = await import('greenroom')
    const { testing } = await import('greenroom/testing')
    const app = greenroom({ middleware: [ageLimit(), retries({ maxRetries: 2 })] })
    let runs = 0
    const fail = app.actor(async () => { runs++; throw new Error('no') }, { name: 'fail' })
    const t = await testing(app)
    await fail.send()
    await t.join()
    console.log(app.chain.join(), runs, t.dead[0].reason)
    await t[Symbol.asyncDispose]()`)
  t.equal(stdout.trim(), 'retries,ageLimit 3 retries exhausted')
})
