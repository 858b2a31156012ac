/** The main job as `npm start` runs it: folders of many kinds, a terminal's Ctrl-C, two at a time. */
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { isGone, program } from './cli/program.ts'
import { startDaemon } from './rig/daemon.ts'
import { redis } from './rig/redis.ts'
import { root } from './root.ts'

const EXAMPLE = join(root, 'examples/count-files.mjs')

function folder(t: Test, name = 'folder'): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), `greenroom-test-${name}-`)))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** Runs it with a temporary folder of its own, so that what it leaves behind can be seen. */
function example(t: Test, ...argv: readonly string[]) {
  const temporary = folder(t, 'temporary')
  const run = program([EXAMPLE, ...argv], { cwd: root, env: { TMPDIR: temporary } })
  return { run, left: () => readdirSync(temporary) }
}

t.test('three files', async t => {
  const where = folder(t)
  writeFileSync(join(where, 'one'), 'a b\nc\n')
  writeFileSync(join(where, 'two'), '')
  writeFileSync(join(where, 'three'), 'no newline')
  const { run, left } = example(t, where)
  t.equal(await run.ended, 0, run.output)
  t.match(run.output, /worker \d+ killed with SIGKILL while it holds work/)
  t.match(run.output, /\nfiles +3\nlines +2\nwords +5\nbytes +16\nunreadable +0\nmissing +0\nran twice +[123] \(at most \d+\)\n/)
  t.match(run.output, 'nothing is missing, nothing differs')
  t.match(run.output, /Redis: only the URL changes/)
  t.strictSame(left(), [])
})

t.test('on Redis it is the same', async t => {
  await using server = await startDaemon(redis())
  const where = folder(t)
  for (let i = 0; i < 30; i++) writeFileSync(join(where, `${i}`), 'a b\nc\n')
  const { run, left } = example(t, '--broker', `redis://127.0.0.1:${server.port}/0`, where)
  t.equal(await run.ended, 0, run.output)
  t.match(run.output, /worker \d+ killed with SIGKILL while it holds work/)
  t.match(run.output, /\nfiles +30\nlines +60\nwords +90\n[^]*\nmissing +0\nran twice +\d+ \(at most \d+\)\n/)
  t.match(run.output, 'nothing is missing, nothing differs')
  t.strictSame(left(), [])
})

t.test('two thousand files, and three others at the same time', async t => {
  const [many, few] = [folder(t), folder(t)]
  for (let i = 0; i < 2_000; i++) writeFileSync(join(many, `${i}`), `file ${i}\n`.repeat(i % 30))
  for (let i = 0; i < 3; i++) writeFileSync(join(few, `${i}`), 'a\n')
  const [big, small] = [example(t, many), example(t, few)]
  t.equal(await small.run.ended, 0, small.run.output)
  t.equal(await big.run.ended, 0, big.run.output)
  t.match(big.run.output, /\nfiles +2,000\n[^]*\nmissing +0\nran twice +\d+ \(at most 544\)\n/)
  t.match(small.run.output, /\nfiles +3\nlines +3\n/)
  t.strictSame([...big.left(), ...small.left()], [])
})

t.test('odd names, links, pipes, binary files, and files that cannot be read', async t => {
  const where = folder(t)
  for (const name of ['two\nlines 1 2 3', ' ', '-n', '*', '\\', '"', 'é', '\u202e']) writeFileSync(join(where, name), `${name}\n`)
  writeFileSync(Buffer.concat([Buffer.from(`${where}/`), Buffer.from([0xff, 0xfe])]), 'not UTF-8')
  writeFileSync(join(where, 'binary'), Buffer.from(Array.from({ length: 70_000 }, (_, i) => (i * i) % 256)))
  mkdirSync(join(where, 'node_modules'))
  writeFileSync(join(where, 'node_modules/left-out'), '')
  symlinkSync('binary', join(where, 'link'))
  symlinkSync(where, join(where, 'circle'))
  writeFileSync(join(where, 'secret'), 'x')
  chmodSync(join(where, 'secret'), 0)
  const { run } = example(t, where)
  t.equal(await run.ended, 0, run.output)
  t.match(run.output, new RegExp(`\nfiles +11\n[^]*\nunreadable +${process.getuid?.() === 0 ? 0 : 1}\nmissing +0\n`))
})

t.test('no file', async t => {
  const { run } = example(t, folder(t))
  t.equal(await run.ended, 0)
  t.match(run.output, /\nfiles +0\n/)
})

t.test('after Ctrl-C nothing is left: no process, no file', async t => {
  const where = folder(t)
  for (let i = 0; i < 2_000; i++) writeFileSync(join(where, `${i}`), `file ${i}\n`)
  const { run, left } = example(t, where)
  const [, killed] = await run.until(/worker (\d+) killed/)
  t.not(left().length, 0)
  run.child.kill('SIGINT')
  t.equal(await run.ended, 130)
  await isGone(Number(killed))
  t.strictSame(left(), [])
})

t.test('mistakes', async t => {
  const where = folder(t)
  writeFileSync(join(where, 'one'), '')
  for (const [argv, line] of [
    [['/nowhere/at/all'], /ENOENT/],
    [['--frobnicate'], /frobnicate/],
    [['--broker', 'memory:'], /lives inside one process/],
    [['--broker', 'amqp://user:s3cret@localhost'], /It starts with one of memory:, file:/],
  ] as const) {
    const { run, left } = example(t, ...argv, ...(argv[0] === '--broker' ? [where] : []))
    t.equal(await run.ended, 1, argv.join(' '))
    t.match(run.output, line)
    t.notMatch(run.output, 's3cret')
    t.strictSame(left(), [])
  }
  const { run } = example(t, '--help')
  t.equal(await run.ended, 0)
  t.match(run.output, /--broker/)
})
