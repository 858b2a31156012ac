/** Limits at which a process is replaced, and the file that names it. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { sizeOf } from '../../cli/args.ts'
import { watchLimits } from '../../cli/worker/limits.ts'
import { movingClock } from '../../lib/moving-clock.ts'
import { cli } from './fake-io.ts'
import { folderOf } from './folder.ts'
import { greenroom, isGone, program } from './program.ts'

const MB = 1024 ** 2

t.test('sizes have a unit', async t => {
  for (const [text, bytes] of [
    ['512mb', 512 * MB],
    ['1GB', 1024 * MB],
    ['1.5gb', 1536 * MB],
    ['64kb', 65_536],
  ] as const)
    t.equal(sizeOf(text, '--max-memory'), bytes, text)
  for (const text of ['512', '0mb', '512m', '-1mb', '1 gb', 'much', '1e9mb', '0.0001kb'])
    t.throws(() => sizeOf(text, '--max-memory'), { exit: 2, message: /^--max-memory / }, text)
  t.throws(() => sizeOf('512', '--max-memory'), { message: /has no unit\. Write --max-memory 512mb or --max-memory 512gb$/ })
})

t.test('a limit that is reached is told at the next look, and once a minute for as long as it lasts', async t => {
  const clock = movingClock(),
    told: string[] = []
  let bytes = 100 * MB,
    stuck = 0
  const off = watchLimits({ maxMemory: 128 * MB, maxStuck: 2 }, { clock, rssBytes: () => bytes, stuck: () => stuck }, why => {
    told.push(why)
  })
  clock.advance(10_000)
  stuck = 1
  bytes = 128 * MB
  clock.advance(10_000)
  t.strictSame(told, [], 'at the limit is not over it')
  bytes++
  clock.advance(1_000)
  t.strictSame(told, ['takes 129mb of memory, more than --max-memory 128mb'])
  clock.advance(59_000)
  t.equal(told.length, 1)
  clock.advance(1_000)
  t.equal(told.length, 2)
  bytes = 1
  stuck = 2
  clock.advance(60_000)
  t.equal(told.at(-1), 'has left 2 handlers behind, as many as --max-stuck bears')
  off()
  t.equal(clock.pending, 0)
})

const JOBS = `
  import { actor } from 'greenroom'
  const kept = []
  const pid = process.pid
  export const eat = actor(async () => { kept.push(Buffer.alloc(300 * 1024 ** 2, 1)); console.log('ate', pid) }, { name: 'eat' })
  export const hang = actor(() => { console.log('hangs', pid); return new Promise(() => {}) }, { name: 'hang', timeLimit: '10ms', maxRetries: 0 })
  export const name = actor(async name => { console.log('hello', name, pid) }, { name: 'name' })
`

t.test('a process over its limit is replaced before it ends, and it is no crash', async t => {
  await Promise.all(
    (
      [
        ['eat', '--max-memory=256mb', /takes \d+mb of memory, more than --max-memory 256mb/],
        ['hang', '--max-stuck=1', /has left 1 handler behind/],
      ] as const
    ).map(async ([actor, flag, why]) => {
      const where = folderOf(t, { 'jobs.mjs': JOBS })
      const parent = greenroom(where, ['worker', 'jobs.mjs', '--processes=1', flag])
      const [, first] = await parent.until(/process (\d+) is ready/)
      await cli(['send', actor], { cwd: where })
      await parent.until(new RegExp(`^\\[1\\] process ${first} ${why.source}.*: it is replaced$`, 'm'))
      await parent.until(/process (\d+) is ready/, 2)
      await isGone(Number(first))
      await cli(['send', 'name', 'Ada'], { cwd: where })
      const [, second] = await parent.until(/hello Ada (\d+)/)
      t.not(second, first)
      t.notMatch(parent.output, 'started again')
      t.match(parent.output, /is replaced[^]*middleware[^]*stopping/, 'it serves until the next one is up')
      parent.child.kill('SIGTERM')
      t.equal(await parent.ended, 0, parent.output)
    }),
  )
})

t.test('without a parent it drains, and its exit code asks to be started again', async t => {
  await Promise.all(
    (
      [
        [
          'eat',
          '--max-memory=256mb',
          /^process \d+ takes \d+mb of memory, more than --max-memory 256mb: stopping with exit code 6/m,
        ],
        [
          'hang',
          '--max-stuck=1',
          /^process \d+ has left 1 handler behind, as many as --max-stuck bears: stopping with exit code 6/m,
        ],
      ] as const
    ).map(async ([actor, flag, line]) => {
      const where = folderOf(t, { 'jobs.mjs': JOBS })
      const worker = greenroom(where, ['worker', 'jobs.mjs', flag])
      await worker.until(/^ready;/m)
      await cli(['send', actor], { cwd: where })
      t.equal(await worker.ended, 6, worker.output)
      t.match(worker.output, line)
    }),
  )
})

t.test('a handler that was left behind is named when the process stops', async t => {
  const where = folderOf(t, { 'jobs.mjs': JOBS })
  const worker = greenroom(where, ['worker', 'jobs.mjs', '--max-stuck=5', '--abort-grace=50ms'])
  await cli(['send', 'hang'], { cwd: where })
  await worker.until(/^dead +hang/m)
  worker.child.kill('SIGTERM')
  t.equal(await worker.ended, 0)
  t.match(worker.output, /^stopping: no handler is running, 1 left behind$/m)
})

t.test('a limit below what it takes to start is refused', async t => {
  const where = folderOf(t, { 'jobs.mjs': JOBS })
  for (const argv of [[], ['--processes=2']]) {
    const worker = greenroom(where, ['worker', 'jobs.mjs', '--max-memory=10mb', ...argv])
    t.equal(await worker.ended, 2)
    t.match(worker.output, /--max-memory 10mb is less than this process takes before it works \(\d+mb\)\. Raise it/)
  }
})

t.test('--pid-file names the process to signal, belongs to one worker, and is gone when that one is', async t => {
  const where = folderOf(t, { 'jobs.mjs': JOBS }),
    file = join(where, 'worker.pid')
  for (const [argv, signals] of [
    [[], 1],
    [['--processes=2'], 1],
    [['--processes=1'], 3],
  ] as const) {
    const worker = greenroom(where, ['worker', 'jobs.mjs', '--pid-file', 'worker.pid', ...argv])
    await worker.until(/ready/)
    t.equal(readFileSync(file, 'utf8'), `${worker.pid}\n`)
    const second = await greenroom(where, ['worker', 'jobs.mjs', '--pid-file', 'worker.pid'])
    t.equal(await second.ended, 2)
    t.equal(
      second.output,
      `greenroom: --pid-file worker.pid belongs to process ${worker.pid}, which runs. Stop it first (kill ${worker.pid}), or give this one a file of its own\n`,
    )
    if (signals > 1) {
      await cli(['send', 'hang', '--id', 'h'], { cwd: where })
      await worker.until(/hangs/)
    }
    for (let n = 0; n < signals; n++) {
      worker.child.kill('SIGTERM')
      if (n < signals - 1) await worker.until([/^stopping: /m, /^stopping now/m][n]!)
    }
    t.equal(await worker.ended, signals > 1 ? 1 : 0)
    t.strictSame(
      readdirSync(where).filter(name => name.includes('pid')),
      [],
      'nothing is left',
    )
  }
})

t.test('a stale --pid-file is replaced; what is not one is left alone; one that changed hands is not taken away', async t => {
  const where = folderOf(t, { 'jobs.mjs': JOBS }),
    file = join(where, 'worker.pid')
  const killed = greenroom(where, ['worker', 'jobs.mjs', '--pid-file=worker.pid'])
  await killed.until(/^ready;/m)
  killed.child.kill('SIGKILL')
  await killed.ended
  t.equal(readFileSync(file, 'utf8'), `${killed.pid}\n`)
  const other = program(['-e', 'console.log("up"); setInterval(() => {}, 1000)'], {})
  await other.until(/up/)
  for (const stale of [undefined, '', `${other.pid}\n`]) {
    if (stale !== undefined) writeFileSync(file, stale)
    const worker = greenroom(where, ['worker', 'jobs.mjs', '--pid-file=worker.pid', '--drain'])
    t.equal(await worker.ended, 0, worker.output)
    t.notOk(existsSync(file))
  }
  writeFileSync(file, 'a shopping list')
  const wrong = greenroom(where, ['worker', 'jobs.mjs', '--pid-file=worker.pid'])
  t.equal(await wrong.ended, 2)
  t.match(wrong.output, /^greenroom: --pid-file worker\.pid is a file that holds something else\. /)
  const nowhere = greenroom(where, ['worker', 'jobs.mjs', '--pid-file=no/such/worker.pid'])
  t.equal(await nowhere.ended, 2)
  t.match(
    nowhere.output,
    `greenroom: --pid-file no/such/worker.pid has no folder to be in. Make it first: mkdir -p ${join(where, 'no/such')}\n`,
  )
  writeFileSync(file, '')
  const worker = greenroom(where, ['worker', 'jobs.mjs', '--pid-file=worker.pid'])
  await worker.until(/^ready;/m)
  writeFileSync(file, `${other.pid}\n`)
  worker.child.kill('SIGTERM')
  t.equal(await worker.ended, 0)
  t.equal(readFileSync(file, 'utf8'), `${other.pid}\n`)
  other.child.kill('SIGKILL')
  await other.ended
})

t.test(
  'a --pid-file that the environment or greenroom.config.* names is guarded as well, and outlives a second worker',
  async t => {
    const where = folderOf(t, { 'jobs.mjs': JOBS }),
      file = join(where, 'worker.pid')
    const start = (from: 'flag' | 'environment' | 'file', ...argv: readonly string[]) =>
      from === 'flag'
        ? greenroom(where, ['worker', 'jobs.mjs', '--pid-file=worker.pid', ...argv])
        : greenroom(where, ['worker', 'jobs.mjs', ...argv], from === 'file' ? {} : { env: { GREENROOM_PID_FILE: 'worker.pid' } })
    for (const from of ['environment', 'file'] as const) {
      if (from === 'file')
        writeFileSync(join(where, 'greenroom.config.mjs'), `export default { worker: { pidFile: 'worker.pid' } }`)
      const worker = start(from)
      await worker.until(/^ready;/m)
      for (const other of ['flag', from] as const) {
        const second = start(other, '--drain')
        t.equal(await second.ended, 2, second.output)
        t.match(second.output, `belongs to process ${worker.pid}, which runs`)
      }
      const broken = greenroom(where, ['worker', 'missing.mjs'], { env: { GREENROOM_PID_FILE: 'worker.pid' } })
      t.not(await broken.ended, 0)
      t.equal(readFileSync(file, 'utf8'), `${worker.pid}\n`)
      worker.child.kill('SIGTERM')
      t.equal(await worker.ended, 0)
      t.notOk(existsSync(file))
    }
  },
)
