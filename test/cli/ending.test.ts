/** Workers that end by themselves: `--drain`, `--max-time` and `--max-messages`, alone, together, and in several processes. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { cli } from './fake-io.ts'
import { folderOf } from './folder.ts'
import { greenroom } from './program.ts'

const JOBS = `
  import { existsSync } from 'node:fs'
  import { setTimeout } from 'node:timers/promises'
  import { actor, current } from 'greenroom'
  export const wait = actor(async name => {
    console.log('begun', name)
    while (!existsSync('go')) await setTimeout(5, undefined, { signal: current().signal })
    console.log('finished', name)
  }, { name: 'wait' })
  export const note = actor(name => { console.log('noted', name) }, { name: 'note' })
`

async function start(t: Test, flags: readonly string[], sent: readonly (readonly [actor: string, name: string])[]) {
  const where = folderOf(t, { 'jobs.mjs': JOBS })
  for (const [actor, name] of sent) await cli(['send', actor, name], { cwd: where })
  return { where, worker: greenroom(where, ['worker', 'jobs.mjs', ...flags]) }
}
const notes = (count: number) => Array.from({ length: count }, (_, i) => ['note', `n${i}`] as const)
const left = async (where: string) => JSON.parse((await cli(['queues', '--json'], { cwd: where })).out) as Record<string, number>

t.test('--max-messages: exactly so many, then exit code 0, and the rest waits', async t => {
  for (const flags of [[], ['--drain'], ['--concurrency', '1']]) {
    const { where, worker } = await start(t, ['--max-messages', '5', ...flags], notes(12))
    t.equal(await worker.ended, 0)
    t.equal(worker.output.match(/^noted/gm)?.length, 5, flags.join(' '))
    t.match(worker.output, /^ready; stops (when nothing is ready any more, or )?after 5 messages$/m)
    t.match(worker.output, /^stopped after 5 messages; 7 waiting$/m)
    t.match(await left(where), { ready: 7, leased: 0, dead: 0 })
  }
})

t.test('--drain --max-messages ends when nothing is ready, however few there were', async t => {
  const { where, worker } = await start(t, ['--drain', '--max-messages', '500'], notes(3))
  t.equal(await worker.ended, 0)
  t.equal(worker.output.match(/^noted/gm)?.length, 3)
  t.match(worker.output, /^stopped after 3 messages; nothing is left$/m)
  t.match(await left(where), { ready: 0, leased: 0 })
})

t.test('--drain right after a crash runs what the dead worker held', async t => {
  const { where, worker } = await start(
    t,
    ['--concurrency', '2'],
    [
      ['wait', 'Ada'],
      ['wait', 'Bob'],
    ],
  )
  await worker.until(/begun \w+/, 2)
  worker.child.kill('SIGKILL')
  await worker.ended
  writeFileSync(join(where, 'go'), '')
  const next = greenroom(where, ['worker', 'jobs.mjs', '--drain'])
  t.equal(await next.ended, 0)
  t.match(await left(where), { ready: 0, leased: 0, suspect: 0 })
  for (const name of ['Ada', 'Bob']) t.match(next.output, `finished ${name}`)
})

t.test('--max-messages with --processes: at most so many of each, and none is started again', async t => {
  const { where, worker } = await start(t, ['--max-messages=4', '--processes=2'], notes(20))
  t.equal(await worker.ended, 0)
  t.equal(worker.output.match(/^\[\d\] noted/gm)?.length, 8)
  t.match(await left(where), { ready: 12, leased: 0 })
})

t.test('--max-messages with two apps that would both work is refused', async t => {
  const two = `import { greenroom } from 'greenroom'\nfor (const name of ['a', 'b']) greenroom({ namespace: name }).actor(() => {}, { name, queue: name })`
  const where = folderOf(t, { 'jobs.mjs': two })
  const refused = greenroom(where, ['worker', 'jobs.mjs', '--max-messages', '1'])
  t.equal(await refused.ended, 2)
  t.match(refused.output, /--max-messages counts for one app\. jobs\.mjs makes 2: start a worker for each/)
  const one = greenroom(where, ['worker', 'jobs.mjs', '--max-messages', '1', '--queues', 'a', '--drain'])
  t.equal(await one.ended, 0)
})

t.test('--max-time drains as a signal does, with exit code 0; the parent of --processes keeps it', async t => {
  for (const flags of [[], ['--processes', '2']]) {
    const { where, worker } = await start(t, ['--max-time', '600ms', ...flags], [['wait', 'Ada']])
    await worker.until(/--max-time is over: stopping: /)
    writeFileSync(join(where, 'go'), '')
    t.equal(await worker.ended, 0)
    t.match(worker.output, flags.length > 0 ? /^stopped$/m : /^stopped after [01] messages?(; .*)?$/m)
    t.notMatch(worker.output, /started again/)
    t.match(await left(where), { leased: 0, dead: 0 })
  }
})

t.test('--drain --max-time ends when nothing is ready, long before the time is over', async t => {
  const { where, worker } = await start(t, ['--drain', '--max-time', '1h'], notes(3))
  t.equal(await worker.ended, 0)
  t.match(worker.output, /^ready; stops when nothing is ready any more, or after 1h$/m)
  t.match(await left(where), { ready: 0, leased: 0 })
})

t.test('the flags are checked', async t => {
  for (const [flags, says] of [
    [['--max-time', '10'], /--max-time 10 has no unit/],
    [['--max-messages', '0'], /--max-messages cannot be "0"/],
    [['--max-messages', '1.5'], /whole number/],
  ] as const) {
    const { code, err } = await cli(['worker', 'jobs.mjs', ...flags])
    t.equal(code, 2)
    t.match(err, says)
  }
})
