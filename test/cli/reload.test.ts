/** New code under running processes: SIGHUP, and `--watch`. */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { greenroom as app } from '../../index.ts'
import { cli } from './fake-io.ts'
import { folderOf, linesIn } from './folder.ts'
import { greenroom, isGone, MAIN, type Program } from './program.ts'
import { root } from '../root.ts'

/** Writes which version of it ran what. */
const jobs = (version: string, top = '') => `
  import { appendFileSync } from 'node:fs'
  import { setTimeout } from 'node:timers/promises'
  import { actor } from 'greenroom'
  ${top}
  export const note = actor(async n => { await setTimeout(n % 4); appendFileSync('ran', '${version} ' + n + '\\n') }, { name: 'note' })
`
const ranIn = (where: string): string[] => linesIn(where, 'ran')

/** Sends while it is asked to; returns how many it sent. */
function sending(where: string): { stop(): Promise<number> } {
  const sender = app({ broker: `file:${join(where, '.greenroom')}` }),
    note = sender.declare<(n: number) => Promise<void>>('note')
  let sent = 0,
    isOver = false
  const all = (async () => {
    while (!isOver) {
      while (ranIn(where).length < sent - 200) await new Promise(resolve => setImmediate(resolve)) // a load, and no flood
      await note.sendMany(Array.from({ length: 10 }, () => [sent++] as const))
      await new Promise(resolve => setImmediate(resolve))
    }
    await sender.close()
    return sent
  })()
  return {
    stop() {
      isOver = true
      return all
    },
  }
}

async function drained(where: string): Promise<void> {
  while (JSON.parse((await cli(['queues', '--json'], { cwd: where })).out.split('\n')[0]!).ready > 0);
}

/** The next count-th process that is ready. */
const ready = async (worker: Program, count: number) => Number((await worker.until(/process (\d+) is ready/, count))[1])

t.test('SIGHUP under load: the new code runs, and each message ran once', async t => {
  const where = folderOf(t, { 'jobs.mjs': jobs('v1') })
  const worker = greenroom(where, ['worker', 'jobs.mjs', '--processes=2', '--concurrency=4'])
  await ready(worker, 2)
  const sender = sending(where)
  for (const [n, version] of ['v2', 'v3'].entries()) {
    writeFileSync(join(where, 'jobs.mjs'), jobs(version))
    worker.child.kill('SIGHUP')
    await ready(worker, 2 * (n + 2))
    while (!ranIn(where).some(line => line.startsWith(version))) await new Promise(resolve => setImmediate(resolve))
  }
  const sent = await sender.stop()
  await drained(where)
  worker.child.kill('SIGTERM')
  t.equal(await worker.ended, 0, worker.output)
  const ran = ranIn(where)
  t.strictSame(
    ran.map(line => Number(line.split(' ')[1])).toSorted((a, b) => a - b),
    Array.from({ length: sent }, (_, n) => n),
  )
  t.ok(['v1', 'v2', 'v3'].every(version => ran.some(line => line.startsWith(version))))
  t.notMatch(worker.output, 'started again')
})

t.test('SIGHUP with code that does not load: the processes go on, and the reason is told', async t => {
  const where = folderOf(t, { 'jobs.mjs': jobs('v1') })
  const worker = greenroom(where, ['worker', 'jobs.mjs', '--processes=2'])
  await ready(worker, 2)
  writeFileSync(join(where, 'jobs.mjs'), jobs('v2', 'throw new Error("no DATABASE_URL")'))
  worker.child.kill('SIGHUP')
  await worker.until(/^\[1\] process \d+ ended with exit code 4 before it was ready/m)
  await worker.until(/^the new code does not start: the processes that serve go on$/m)
  t.match(worker.output, /^\[1\] greenroom: jobs\.mjs could not be loaded: Error: no DATABASE_URL/m)
  t.notMatch(worker.output, /parent process|stopping/, 'nobody asked the one that failed to stop')
  await cli(['send', 'note', '1'], { cwd: where })
  while (ranIn(where).length === 0) await new Promise(resolve => setImmediate(resolve))
  t.strictSame(ranIn(where), ['v1 1'])
  writeFileSync(join(where, 'jobs.mjs'), jobs('v3'))
  worker.child.kill('SIGHUP')
  await ready(worker, 4)
  await cli(['send', 'note', '2'], { cwd: where })
  while (ranIn(where).length === 1) await new Promise(resolve => setImmediate(resolve))
  t.strictSame(ranIn(where)[1], 'v3 2')
  worker.child.kill('SIGTERM')
  t.equal(await worker.ended, 0)
})

t.test('SIGHUP to a process without a parent: it drains, and its exit code asks to be started again', async t => {
  const where = folderOf(t, { 'jobs.mjs': jobs('v1') })
  const worker = greenroom(where, ['worker', 'jobs.mjs'])
  await worker.until(/^ready;/m)
  const sender = sending(where)
  while (ranIn(where).length === 0) await new Promise(resolve => setImmediate(resolve))
  worker.child.kill('SIGHUP')
  t.equal(await worker.ended, 6)
  t.match(worker.output, /^SIGHUP: stopping with exit code 6, to be started again$/m)
  const sent = await sender.stop()
  const next = greenroom(where, ['worker', 'jobs.mjs', '--drain'])
  t.equal(await next.ended, 0)
  t.equal(new Set(ranIn(where)).size, sent)
  t.equal(ranIn(where).length, sent)
})

t.test(
  '--watch: a change of a module, or of what it imports, replaces the process; a broken one waits for the next change',
  async t => {
    const imports = (version: string) => jobs(version, `import { word } from './word.mjs'\nconsole.log('word', word)`)
    const where = folderOf(t, { 'jobs.mjs': imports('v1'), 'word.mjs': `export const word = 'one'` })
    const worker = greenroom(where, ['worker', 'jobs.mjs', '--watch'])
    const first = await ready(worker, 1)
    writeFileSync(join(where, 'notes.txt'), 'no module')
    writeFileSync(join(where, 'word.mjs'), `export const word = 'two'`)
    await worker.until(/^word\.mjs has changed: the process is replaced$/m)
    await worker.until(/word two/)
    const second = await ready(worker, 2)
    await isGone(first)
    const at = (line: string) => worker.output.indexOf(`\n[1] process ${line}`)
    t.ok(at(`${second} is ready`) > 0)
    t.ok(at(`${second} is ready`) < at(`${first} stopping: `), worker.output)
    await worker.until(new RegExp(`^\\[1\\] process ${first} stopped$`, 'm'))

    writeFileSync(join(where, 'jobs.mjs'), 'export const broken = ')
    await worker.until(/^jobs\.mjs has changed/m)
    await worker.until(/^\[1\] greenroom: jobs\.mjs could not be loaded: SyntaxError/m)
    await worker.until(/^the new code does not start: the processes that serve go on$/m)
    await cli(['send', 'note', '1'], { cwd: where })
    while (ranIn(where).length === 0) await new Promise(resolve => setImmediate(resolve))
    t.strictSame(ranIn(where), ['v1 1'], 'the old one works meanwhile')

    writeFileSync(join(where, 'jobs.mjs'), imports('v2'))
    await ready(worker, 3)
    await cli(['send', 'note', '2'], { cwd: where })
    while (ranIn(where).length === 1) await new Promise(resolve => setImmediate(resolve))
    t.strictSame(ranIn(where)[1], 'v2 2')
    t.notMatch(worker.output, 'notes.txt')
    worker.child.kill('SIGINT')
    t.equal(await worker.ended, 0, worker.output)
  },
)

t.test('--watch begins with broken code, and with TypeScript as the worker reads it', async t => {
  const typed = `import { actor } from 'greenroom'\nimport { word } from './lib/word.ts'\nconsole.log('word', word)\nexport const hello = actor(async (name: string): Promise<void> => console.log('hello', name), { name: 'hello' })\n`
  const where = folderOf(t, { 'package.json': '{"type":"module"}', 'jobs.ts': `${typed}throw new Error('not yet')` })
  mkdirSync(join(where, 'lib'))
  writeFileSync(join(where, 'lib/word.ts'), `export const word: string = 'one'`)
  symlinkSync(join(root, 'node_modules/tsx'), join(where, 'node_modules/tsx'))
  const worker = greenroom(where, ['worker', 'jobs.ts', '--watch'])
  await worker.until(/not yet/)
  await worker.until(/^\[1\] process \d+ ended with exit code 4; started again at the next change$/m)
  writeFileSync(join(where, 'jobs.ts'), typed)
  await ready(worker, 1)
  await cli(['send', 'hello', 'Ada'], { cwd: where })
  await worker.until(/hello Ada/)
  writeFileSync(join(where, 'lib/word.ts'), `export const word: string = 'two'`)
  await worker.until(/^lib\/word\.ts has changed: the process is replaced$/m)
  await worker.until(/word two/)
  await ready(worker, 2)
  worker.child.kill('SIGTERM')
  t.equal(await worker.ended, 0, worker.output)
})

t.test('--watch and --drain contradict each other', async t => {
  t.match(await cli(['worker', 'jobs.mjs', '--watch', '--drain']), { code: 2, err: /--watch goes on, and --drain ends/ })
})

t.test('a terminal that closes is a stop, and no reload', async t => {
  for (const argv of ['', '--processes=1']) {
    const where = folderOf(t, { 'jobs.mjs': jobs('v1') }),
      file = join(where, 'worker.pid')
    // script(1) of util-linux gives it a terminal, which closes when script is killed.
    const command = `${process.execPath} ${MAIN} worker jobs.mjs --pid-file worker.pid ${argv}`
    const terminal = spawn('script', ['-qec', command, '/dev/null'], { cwd: where, stdio: ['ignore', 'pipe', 'inherit'] })
    t.teardown(() => terminal.kill('SIGKILL'))
    let output = ''
    for await (const text of terminal.stdout!.setEncoding('utf8')) {
      output += String(text)
      if (/^ready;|is ready/m.test(output)) break
    }
    const pid = Number(readFileSync(file, 'utf8'))
    terminal.kill('SIGKILL')
    await isGone(pid)
    t.notOk(existsSync(file), 'it ended in good order')
  }
})
