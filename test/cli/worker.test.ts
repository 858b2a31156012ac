/** `greenroom worker` as a process, on `file:`. */
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { cli } from './fake-io.ts'
import { greenroom, install } from './program.ts'

/** A folder outside of this repository, with what the user has installed and written. */
function folder(t: Test, files: Readonly<Record<string, string>>, ...packages: readonly string[]): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'greenroom-cli-')))
  t.teardown(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 }))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text)
  return install(path, ...packages)
}

/** `wait` runs until the file `go` is there or it is aborted. */
const JOBS = `
  import { existsSync } from 'node:fs'
  import { setTimeout } from 'node:timers/promises'
  import { actor, current } from 'greenroom'
  export const wait = actor(async name => {
    console.log('begun', name)
    while (!existsSync('go')) {
      if (current().signal.aborted) { console.log('aborted', name, current().signal.reason.code); throw current().signal.reason }
      await setTimeout(5)
    }
    console.log('finished', name)
  }, { name: 'wait' })
  export const fail = actor(async name => { throw new TypeError('no ' + name) }, { name: 'fail', queue: 'mail', maxRetries: 1, minBackoff: '1ms' })
`

/** Another command, in this process: quicker. */
const output = async (where: string, ...argv: readonly string[]): Promise<string> => (await cli(argv, { cwd: where })).out

t.test('it says what it serves, works, and drains at SIGTERM and SIGINT', async t => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const where = folder(t, { 'jobs.mjs': JOBS })
    await output(where, 'send', 'wait', 'Ada')
    const worker = greenroom(where, ['worker', 'jobs.mjs', '--concurrency', '3'])
    await worker.until(/begun Ada/)
    t.ok(
      worker.output.includes(`worker, process ${worker.pid}\n  broker      file:${where}/.greenroom (namespace greenroom)\n`),
      worker.output,
    )
    t.match(
      worker.output,
      /\n {2}queues +default, mail \(3 at once\)\n {2}actors +fail, wait\n {2}middleware +callbacks > .* > timeLimit\n/,
    )
    worker.child.kill(signal)
    await worker.until(/stopping: 1 handler running, up to 25s; again to stop now/)
    writeFileSync(join(where, 'go'), '')
    t.equal(await worker.ended, 0, signal)
    t.match(worker.output, /finished Ada[^]*stopped\n$/)
    t.match(JSON.parse((await output(where, 'queues', '--json')).split('\n')[0]!), { ready: 0, leased: 0, dead: 0 })
  }
})

t.test('a second signal aborts what runs; nothing is lost', async t => {
  const where = folder(t, { 'jobs.mjs': JOBS })
  await output(where, 'send', 'wait', 'Ada')
  const worker = greenroom(where, ['worker', 'jobs.mjs'])
  await worker.until(/begun Ada/)
  worker.child.kill('SIGTERM')
  await worker.until(/stopping: 1 handler/)
  worker.child.kill('SIGTERM')
  t.equal(await worker.ended, 1)
  t.match(worker.output, /stopping now: 1 handler told to end[^]*aborted Ada SHUTDOWN[^]*stopped at once\n$/)
  t.match(JSON.parse((await output(where, 'queues', '--json')).split('\n')[0]!), { ready: 1, leased: 0, dead: 0 })
})

t.test('a handler that needs longer than the grace gives its message back', async t => {
  const where = folder(t, { 'jobs.mjs': JOBS })
  await output(where, 'send', 'wait', 'Ada')
  const worker = greenroom(where, ['worker', 'jobs.mjs', '--grace', '100ms'])
  await worker.until(/begun Ada/)
  worker.child.kill('SIGTERM')
  t.equal(await worker.ended, 0)
  t.match(worker.output, /up to 100ms[^]*aborted Ada SHUTDOWN/)
  t.match(JSON.parse((await output(where, 'queues', '--json')).split('\n')[0]!), { ready: 1 })
})

t.test('a third signal ends the process, whatever runs', async t => {
  const where = folder(t, {
    'jobs.mjs': `import { actor } from 'greenroom'\nactor(() => { console.log('begun'); return new Promise(() => {}) }, { name: 'stay' })`,
  })
  await output(where, 'send', 'stay')
  const worker = greenroom(where, ['worker', 'jobs.mjs'])
  await worker.until(/begun/)
  for (const line of [/stopping: 1 handler/, /stopping now/]) {
    worker.child.kill('SIGTERM')
    await worker.until(line)
  }
  worker.child.kill('SIGTERM')
  t.equal(await worker.ended, 1)
})

t.test('a signal while the modules are imported ends it before it takes anything', async t => {
  const where = folder(t, {
    'jobs.mjs': `import * as fs from 'node:fs'\nconsole.log('importing')\nwhile (!fs.existsSync('go')) await new Promise(resolve => globalThis.setTimeout(resolve, 5))\n${JOBS}`,
  })
  const worker = greenroom(where, ['worker', 'jobs.mjs'])
  await worker.until(/importing/)
  worker.child.kill('SIGTERM')
  await worker.until(/stopping: nothing runs yet/)
  writeFileSync(join(where, 'go'), '')
  t.equal(await worker.ended, 0)
})

t.test('--drain stops when nothing is ready; problems are told, with --verbose everything', async t => {
  const where = folder(t, { 'jobs.mjs': JOBS, go: '' })
  for (const verbose of [[], ['--verbose']]) {
    await output(where, 'send', 'wait', 'Ada', '--id', 'one')
    await output(where, 'send', 'fail', 'name', '--queue', 'mail', '--id', 'two')
    const first = greenroom(where, ['worker', 'jobs.mjs', '--drain', ...verbose])
    t.equal(await first.ended, 0)
    t.match(first.output, /retry {3}fail two \d+ms {2}run 1 failed: TypeError: no name; again in \d+ms/)
    t.notMatch(first.output, /greenroom (warning|error)/, 'each problem is told once')
    t[verbose.length > 0 ? 'match' : 'notMatch'](first.output, /done {4}wait one \d+ms/)
    t[verbose.length > 0 ? 'match' : 'notMatch'](first.output, /at .*jobs\.mjs:\d+/)
    await output(where, 'promote', 'two')
    const second = greenroom(where, ['worker', 'jobs.mjs', '--drain'])
    t.equal(await second.ended, 0)
    t.match(first.output + second.output, /dead {4}fail two \d+ms {2}retries exhausted after 1 retry: no name/)
    await output(where, 'dead', 'drop', '--all')
  }
})

t.test('what waits on queues that it does not serve is told once, when it starts', async t => {
  const where = folder(t, { 'jobs.mjs': JOBS, go: '' })
  await output(where, 'send', 'img', '5', '--queue', 'image')
  await output(where, 'send', 'img', '6', '--queue', 'image')
  await output(where, 'send', 'later', '--queue', 'delayed', '--delay', '1h')
  await output(where, 'send', 'wait', 'Ada')
  const one = greenroom(where, ['worker', 'jobs.mjs'])
  await one.until(/ready/)
  t.match(one.output, /\n {2}waiting elsewhere: image 2 \(this worker does not serve it\)\nready/)
  one.child.kill('SIGTERM')
  t.equal(await one.ended, 0)
  await output(where, 'send', 'more', '--queue', 'more')
  const worker = greenroom(where, ['worker', 'jobs.mjs', '--queues', 'image,default', '--processes', '2'])
  await worker.until(/process \d+ is ready/, 2)
  t.match(worker.output, /waiting elsewhere: more 1 \(this worker does not serve it\)/)
  t.equal(worker.output.split('elsewhere').length, 2, 'not by each process')
  worker.child.kill('SIGTERM')
  t.equal(await worker.ended, 0)
  const served = greenroom(where, ['worker', 'jobs.mjs', '--queues', 'image,more'])
  await served.until(/ready/)
  t.notMatch(served.output, 'elsewhere')
  served.child.kill('SIGTERM')
  await served.ended
})

t.test('a promise that nobody awaits ends the worker as Node does, with the message named before; it runs again', async t => {
  const where = folder(t, {
    'jobs.mjs': `
      import { actor, current } from 'greenroom'
      const again = () => current().deliveries > 1 && (console.log('again', current().id, current().deliveries), true)
      const rest = () => new Promise(() => {})
      actor(async () => { if (!again()) { void (async () => { await null; throw new TypeError('lost') })(); await rest() } }, { name: 'lone' })
      actor(async () => { if (!again()) { setTimeout(() => { throw new TypeError('late') }, 1); await rest() } }, { name: 'timer', queue: 'timer' })
      actor(async () => { void (async () => { await null; throw new TypeError('heard') })() }, { name: 'heard', queue: 'heard' })
      if (process.env.HEARS) process.on('uncaughtException', error => console.log('the user hears of', error.message))`,
  })
  for (const [actor, queue, what, thrown] of [
    ['lone', 'default', 'left a promise alone that was rejected', 'lost'],
    ['timer', 'timer', 'threw outside of what it awaits', 'late'],
  ] as const) {
    await output(where, 'send', actor, '--id', `the-${actor}`, '--queue', queue)
    const worker = greenroom(where, ['worker', 'jobs.mjs', '--queues', queue])
    t.equal(await worker.ended, 1, actor)
    const line = `greenroom: ${actor} (message the-${actor}) ${what}, which ends this process: TypeError: ${thrown}. Await it; its message runs again, with one delivery more, and so does what else this process held\n`
    t.ok(worker.output.includes(line), worker.output)
    t.match(worker.output, new RegExp(`\\nTypeError: ${thrown}\\n +at .*jobs\\.mjs`), "and Node's own words after it")
    const next = greenroom(where, ['worker', 'jobs.mjs', '--queues', queue])
    await next.until(new RegExp(`again the-${actor} 2`))
    next.child.kill('SIGTERM')
    t.equal(await next.ended, 0)
  }
  await output(where, 'send', 'heard', '--queue', 'heard')
  const worker = greenroom(where, ['worker', 'jobs.mjs', '--queues', 'heard'], { env: { HEARS: '1' } })
  await worker.until(/the user hears of heard/)
  worker.child.kill('SIGTERM')
  t.equal(await worker.ended, 0)
  t.notMatch(worker.output, 'which ends this process')
})

t.test('what a module leaves open does not keep the process', async t => {
  const where = folder(t, { 'jobs.mjs': `${JOBS}\nsetInterval(() => {}, 1_000)` })
  const worker = greenroom(where, ['worker', 'jobs.mjs', '--drain'])
  t.equal(await worker.ended, 0)
})

t.test('a broker that cannot be reached is exit code 3', async t => {
  const where = folder(t, { 'jobs.mjs': JOBS, '.greenroom': 'a file is in the way' })
  const worker = greenroom(where, ['worker', 'jobs.mjs'])
  t.equal(await worker.ended, 3)
  t.match(worker.output, /^greenroom: .*\[FOLDER_INVALID\]\n$/m)
})

t.test("ES module syntax in a package of CommonJS is one line: Node's own warning is kept back, and no other", async t => {
  const where = folder(t, {
    'package.json': '{"type":"commonjs"}',
    'jobs.js': `import { actor } from 'greenroom'`,
    'first.cjs': `process.emitWarning('of the user')`,
  })
  const worker = greenroom(where, ['worker', 'first.cjs', 'jobs.js'])
  t.equal(await worker.ended, 4)
  t.match(worker.output, /^greenroom: jobs\.js could not be loaded: .* name it jobs\.mjs, or write "type": "module" in \S+$/m)
  t.match(worker.output, /Warning: of the user/)
  t.notMatch(worker.output, /Warning: (To|Failed to) load/)
})

t.test('modules of every kind', async t => {
  const handler = `async name => { console.log('hello', name) }, { name: 'hello' }`
  const isNative = Boolean((process.features as { typescript?: unknown }).typescript)
  const typed = handler.replace('name =>', '(name: string): Promise<void> =>')
  const esm = `import { actor } from 'greenroom'\nimport { greeting } from './greeting.ts'\nexport const hello = actor(${typed})\nconst all: string[] = [greeting]`
  const greeting = `export const greeting: string = 'hello'`
  for (const [what, files, module, packages, code] of [
    ['an ES module', { 'jobs.mjs': `import { actor } from 'greenroom'\nactor(${handler})` }, 'jobs.mjs', [], 0],
    ['CommonJS', { 'jobs.cjs': `const { actor } = require('greenroom')\nactor(${handler})` }, 'jobs.cjs', [], 0],
    [
      'TypeScript in a package of ES modules',
      { 'package.json': '{"type":"module"}', 'jobs.ts': esm, 'greeting.ts': greeting },
      'jobs.ts',
      ['tsx'],
      0,
    ],
    [
      'TypeScript in a package of CommonJS',
      { 'package.json': '{"type":"commonjs"}', 'jobs.ts': esm, 'greeting.ts': greeting },
      './jobs.ts',
      ['tsx'],
      isNative ? 4 : 0,
    ],
    [
      'TypeScript that awaits at its top, in a package of CommonJS',
      { 'package.json': '{"type":"commonjs"}', 'jobs.ts': `${esm}\nawait 0`, 'greeting.ts': greeting },
      'jobs.ts',
      ['tsx'],
      4,
    ],
    [
      'TypeScript without tsx',
      { 'package.json': '{"type":"module"}', 'jobs.ts': esm, 'greeting.ts': greeting },
      'jobs.ts',
      [],
      isNative ? 0 : 4,
    ],
    [
      'TypeScript that says it is an ES module, without tsx',
      { 'jobs.mts': esm, 'greeting.ts': greeting, 'package.json': '{"type":"module"}' },
      'jobs.mts',
      [],
      isNative ? 0 : 4,
    ],
    [
      'JavaScript that imports TypeScript without tsx',
      { 'jobs.mjs': `import './jobs.ts'`, 'package.json': '{"type":"module"}', 'jobs.ts': esm, 'greeting.ts': greeting },
      'jobs.mjs',
      [],
      isNative ? 0 : 4,
    ],
  ] as const) {
    const where = folder(t, files, ...packages)
    await output(where, 'send', 'hello', 'Ada')
    const worker = greenroom(where, ['worker', module, '--drain'])
    t.equal(await worker.ended, code, `${what}\n${worker.output}`)
    if (code === 0) t.match(worker.output, /^hello Ada$/m, what)
    else
      t.match(
        worker.output,
        /^greenroom: jobs\.m?[tj]s could not be loaded: .*( Node \S+ does not read TypeScript: run npm install --save-dev tsx.*, or take Node 22\.18 or later|name it jobs\.mts, or write "type": "module" in \S+package\.json(, or run npm install --save-dev tsx .*)?)\n$/m,
        what,
      )
  }
})
