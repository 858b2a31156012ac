/** New code under running processes: SIGHUP, and `--watch`. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { greenroom as app } from '../../index.ts'
import { cli } from './fake-io.ts'
import { folderOf } from './folder.ts'
import { greenroom, type Program } from './program.ts'

/** Writes which version of it ran what. */
const jobs = (version: string, top = '') => `
  import { appendFileSync } from 'node:fs'
  import { setTimeout } from 'node:timers/promises'
  import { actor } from 'greenroom'
  ${top}
  export const note = actor(async n => { await setTimeout(n % 4); appendFileSync('ran', '${version} ' + n + '\\n') }, { name: 'note' })
`
const ranIn = (where: string): string[] =>
  existsSync(join(where, 'ran')) ? readFileSync(join(where, 'ran'), 'utf8').trim().split('\n') : []

/** Sends while it is asked to; returns how many it sent. */
function sending(where: string): { stop(): Promise<number> } {
  const sender = app({ broker: `file:${join(where, '.greenroom')}` }),
    note = sender.declare<(n: number) => Promise<void>>('note')
  let sent = 0,
    isOver = false
  const all = (async () => {
    while (!isOver) {
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
  await worker.until(/^the new code does not start: the processes that serve go on$/m)
  t.match(worker.output, /^\[1\] greenroom: jobs\.mjs could not be loaded: Error: no DATABASE_URL/m)
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
