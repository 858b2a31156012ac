/** Processes of `greenroom worker` ended in every way, alone and under a parent: what they held is there, and how they end is told. */
import { join } from 'node:path'
import t from 'tap'
import { greenroom as app } from '../../index.ts'
import { serve } from '../../cli/worker/serve.ts'
import { workerSettings } from '../../cli/worker/options.ts'
import { cli, fakeIo } from './fake-io.ts'
import { folderOf, linesIn } from './folder.ts'
import { greenroom, isGone } from './program.ts'

/** Writes what it runs into a file, a line at the beginning and one at the end, which survive whatever happens to it. */
const LEDGER = `
  import { appendFileSync } from 'node:fs'
  import { setTimeout } from 'node:timers/promises'
  import { actor, current } from 'greenroom'
  console.log('ready to kill', process.pid)
  export const note = actor(async n => {
    appendFileSync('ledger', 'S ' + n + '\\n')
    await setTimeout(n % 3)
    appendFileSync('ledger', 'E ' + n + '\\n')
  }, { name: 'note' })
  export const heeds = actor(async () => {
    console.log('begun')
    await setTimeout(60_000, undefined, { signal: current().signal }).catch(() => console.log('told', current().signal.reason.code))
    current().signal.throwIfAborted()
  }, { name: 'heeds' })
  export const ignores = actor(async () => {
    console.log('begun')
    current().signal.addEventListener('abort', () => console.log('told', current().signal.reason.code))
    await setTimeout(60_000)
  }, { name: 'ignores' })
`
const ledgerOf = (where: string) => linesIn(where, 'ledger')

/** Messages 0 to n - 1, one after the other. */
async function sendNotes(where: string, count: number): Promise<void> {
  const sender = app({ broker: `file:${join(where, '.greenroom')}` })
  const note = sender.declare<(n: number) => Promise<void>>('note')
  await note.sendMany(Array.from({ length: count }, (_, n) => [n] as const))
  await sender.close()
}

async function counts(where: string): Promise<Record<string, number>> {
  return JSON.parse((await cli(['queues', '--json'], { cwd: where })).out.split('\n')[0]!) as Record<string, number>
}

t.test('SIGTERM under load, again and again: each message runs once, in order, and every exit code is 0', async t => {
  const COUNT = 120
  for (const argv of [[], ['--processes=1']]) {
    const where = folderOf(t, { 'jobs.mjs': LEDGER })
    await sendNotes(where, COUNT)
    for (let cycle = 0; ledgerOf(where).length < 2 * COUNT && cycle < COUNT; cycle++) {
      const worker = greenroom(where, ['worker', 'jobs.mjs', '--concurrency=1', ...argv])
      await worker.until(argv.length > 0 ? /is ready/ : /^ready;/m)
      const seen = ledgerOf(where).length
      while (ledgerOf(where).length < Math.min(2 * COUNT, seen + 40)) await new Promise(resolve => setImmediate(resolve))
      worker.child.kill('SIGTERM')
      t.equal(await worker.ended, 0, worker.output)
    }
    t.strictSame(ledgerOf(where), Array.from({ length: COUNT }, (_, n) => [`S ${n}`, `E ${n}`]).flat())
    t.match(await counts(where), { ready: 0, leased: 0, delayed: 0, dead: 0 })
  }
})

t.test('a handler that outlives the grace is told, and its message goes back at no cost, with exit code 0', async t => {
  for (const [actor, argv] of [
    ['heeds', []],
    ['heeds', ['--processes=2']],
    ['ignores', ['--processes=2']],
  ] as const) {
    const where = folderOf(t, { 'jobs.mjs': LEDGER })
    await cli(['send', actor, '--id', 'one'], { cwd: where })
    const before = JSON.parse((await cli(['show', 'one', '--json'], { cwd: where })).out) as Record<string, unknown>
    const worker = greenroom(where, ['worker', 'jobs.mjs', '--grace=50ms', ...argv])
    await worker.until(/begun/)
    worker.child.kill('SIGTERM')
    t.equal(await worker.ended, 0, worker.output)
    t.match(worker.output, /told SHUTDOWN/)
    if (actor === 'ignores')
      t.match(worker.output, /went on for 5s after its signal was aborted; its message is settled without it/)
    const { out } = await cli(['show', 'one', '--json'], { cwd: where })
    const { at: _, ...rest } = before
    t.match(JSON.parse(out), rest, 'as if it had never run')
  }
})

t.test('two signals within 50 ms: what runs is aborted at once and runs again', async t => {
  for (const [first, second] of [
    ['SIGTERM', 'SIGTERM'],
    ['SIGINT', 'SIGTERM'],
  ] as const) {
    const where = folderOf(t, { 'jobs.mjs': LEDGER })
    await cli(['send', 'heeds', '--id', 'one'], { cwd: where })
    const worker = greenroom(where, ['worker', 'jobs.mjs', '--processes=2'])
    await worker.until(/begun/)
    worker.child.kill(first)
    await worker.until(/^stopping: /m)
    worker.child.kill(second)
    t.equal(await worker.ended, 1)
    t.match(worker.output, /told SHUTDOWN/)
    t.match(await counts(where), { ready: 1, leased: 0 })
  }
})

t.test('children whose parent is killed: no process is left, and nothing is lost', async t => {
  const where = folderOf(t, { 'jobs.mjs': LEDGER })
  const COUNT = 500
  await sendNotes(where, COUNT)
  const parent = greenroom(where, ['worker', 'jobs.mjs', '--processes=2', '--concurrency=2'])
  const pids = [await parent.until(/process (\d+) is ready/, 1), await parent.until(/process (\d+) is ready/, 2)]
  parent.child.kill('SIGKILL')
  await parent.ended
  for (const [, pid] of pids) await isGone(Number(pid))
  const after = await counts(where),
    ends = ledgerOf(where).filter(line => line.startsWith('E'))
  t.match(after, { leased: 0, dead: 0, delayed: 0 })
  t.equal(after['ready']! + ends.length, COUNT, 'what ran was settled, and the rest waits')
  t.equal(new Set(ends).size, ends.length, 'nothing ran twice')
})

t.test('an orphan whose import never ends, ends', async t => {
  const where = folderOf(t, { 'jobs.mjs': 'globalThis.importBegins(); await new Promise(() => {})' })
  const begun = new Promise<void>(resolve => Object.assign(globalThis, { importBegins: resolve }))
  const quits: number[] = []
  const io = fakeIo({
    cwd: where,
    parent: { number: 1, ready() {}, spent() {}, report() {}, onAsk: () => () => {} },
    quit: code => {
      quits.push(code)
    },
  })
  void serve(['jobs.mjs'], workerSettings({ grace: '1s' }), false, io)
  await begun
  io.stop('parent is gone')
  io.clock.advance(10_999)
  t.strictSame(quits, [])
  io.clock.advance(1)
  t.strictSame(quits, [1], 'after the grace, the abort and a margin')
})

t.test('a module that ends the process while it is imported: longer waits, and exit code 5', async t => {
  const where = folderOf(t, { 'jobs.mjs': 'process.exit(9)' })
  const parent = greenroom(where, ['worker', 'jobs.mjs', '--processes=2'])
  t.equal(await parent.ended, 5)
  t.strictSame(
    [...parent.output.matchAll(/^\[1\] process \d+ ended with exit code 9(?:; started again in (\S+))?$/gm)].map(([, ms]) => ms),
    ['200ms', '400ms', '800ms', '1.6s', undefined],
  )
  t.match(parent.output, /^greenroom: the processes keep dying \(5 times in a row\)/m)
  t.notMatch(parent.output, /^\[2\]/m, 'what is wrong with all of them is said once')
})

t.test('a child is replaced although a process that it started holds its output open', async t => {
  const where = folderOf(t, {
    'jobs.mjs': `
      import { spawn } from 'node:child_process'
      import { actor, current } from 'greenroom'
      export const leave = actor(() => {
        if (current().deliveries > 1) return
        const { pid } = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit', detached: true })
        process.stdout.write('started ' + pid + '\\nhalf a line', () => process.kill(process.pid, 'SIGKILL'))
        return new Promise(() => {})
      }, { name: 'leave', maxRetries: 0 })`,
  })
  await cli(['send', 'leave'], { cwd: where })
  const parent = greenroom(where, ['worker', 'jobs.mjs', '--processes=1'])
  const [, pid] = await parent.until(/started (\d+)/)
  t.teardown(() => process.kill(Number(pid), 'SIGKILL'))
  await parent.until(/was ended by SIGKILL; started again/)
  t.match(parent.output, /^\[1\] half a line$/m)
  parent.child.kill('SIGTERM')
  t.equal(await parent.ended, 0)
})

t.test("two processes' lines stay whole, and each stream is its own", async t => {
  const where = folderOf(t, {
    'jobs.mjs': `
      import { actor } from 'greenroom'
      const tick = () => new Promise(resolve => setImmediate(resolve))
      export const talk = actor(async who => {
        for (let n = 0; n < 200; n++) for (const part of ['<' + who, who.repeat(2000), '>\\n']) { process.stdout.write(part); await tick() }
        console.error('error of ' + who)
      }, { name: 'talk' })`,
  })
  const parent = greenroom(where, ['worker', 'jobs.mjs', '--processes=2', '--concurrency=1'])
  let out = ''
  parent.child.stdout!.on('data', (text: string) => (out += text))
  await parent.until(/is ready/, 2)
  for (const who of ['a', 'b']) await cli(['send', 'talk', who], { cwd: where })
  await parent.until(/error of/, 2)
  parent.child.kill('SIGTERM')
  t.equal(await parent.ended, 0)
  const said = out.split('\n').filter(line => /<[ab]|[ab]>/.test(line))
  t.equal(said.length, 400)
  for (const line of said) if (!/^\[[12]\] <(a|b)\1{2000}>$/.test(line)) t.fail(line.slice(0, 80))
  t.notMatch(out, 'error of')
  t.match(parent.output, /^\[[12]\] error of a$/m)
})
