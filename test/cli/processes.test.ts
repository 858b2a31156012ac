/** `greenroom worker --processes`: a parent and its children, killed in every order. */
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { cli } from './fake-io.ts'
import { greenroom, install, isGone, type Program } from './program.ts'

const JOBS = `
  import { existsSync } from 'node:fs'
  import { setTimeout } from 'node:timers/promises'
  import { actor, current } from 'greenroom'
  console.log('loaded by', process.pid, process.env.GREENROOM_CHILD)
  export const wait = actor(async name => {
    console.log('begun', name, process.pid, current().deliveries)
    while (!existsSync('go')) await setTimeout(5, undefined, { signal: current().signal })
    console.log('finished', name)
  }, { name: 'wait' })
`

function folder(t: Test, jobs = JOBS): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'greenroom-cli-')))
  t.teardown(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 }))
  writeFileSync(join(path, 'jobs.mjs'), jobs)
  return install(path)
}

/** A parent with two children that are ready, and their ids. */
async function start(
  where: string,
  flags: readonly string[] = [],
  detached = false,
): Promise<{ readonly parent: Program; readonly pids: readonly number[] }> {
  const parent = greenroom(where, ['worker', 'jobs.mjs', '--processes', '2', '--concurrency=1', ...flags], { detached })
  const pids = [await parent.until(/process (\d+) is ready/, 1), await parent.until(/process (\d+) is ready/, 2)]
  return { parent, pids: pids.map(([, pid]) => Number(pid)) }
}

const send = (where: string, name: string) => cli(['send', 'wait', name], { cwd: where })

t.test('two processes share the work, and stop together', async t => {
  const where = folder(t)
  const { parent, pids } = await start(where)
  t.match(parent.output, new RegExp(`^greenroom \\S+ worker, 2 processes, parent ${parent.pid}\n`))
  t.equal(parent.output.match(/ {2}broker /g)?.length, 1, 'what is the same for all is said once')
  t.match(parent.output, /loaded by \d+ undefined/, 'what a handler starts is no child')
  await send(where, 'Ada')
  await send(where, 'Bob')
  const ran = [await parent.until(/begun \w+ (\d+)/, 1), await parent.until(/begun \w+ (\d+)/, 2)].map(([, pid]) => Number(pid))
  t.strictSame(ran.toSorted(), [...pids].toSorted())
  t.match(parent.output, /^\[[12]\] begun Ada/m)
  parent.child.kill('SIGTERM')
  await parent.until(/\[\d\] process \d+ stopping: 1 handler running, up to 25s\n/, 2)
  writeFileSync(join(where, 'go'), '')
  t.equal(await parent.ended, 0)
  t.match(parent.output, /stopping: 2 processes, up to 25s; again to stop now/)
  t.match(parent.output, /finished Ada/)
  t.match(parent.output, /finished Bob/)
  for (const pid of pids) await isGone(pid)
})

t.test('a child that is killed is started again, and its message runs again', async t => {
  const where = folder(t)
  const { parent, pids } = await start(where)
  await send(where, 'Ada')
  const [, pid] = await parent.until(/begun Ada (\d+) 1/)
  process.kill(Number(pid), 'SIGKILL')
  await parent.until(new RegExp(`process ${pid} was ended by SIGKILL; started again in \\d+ms`))
  await parent.until(/begun Ada \d+ 2/)
  await parent.until(/is ready/, 3)
  writeFileSync(join(where, 'go'), '')
  await parent.until(/finished Ada/)
  parent.child.kill('SIGTERM')
  t.equal(await parent.ended, 0)
  for (const pid of pids) await isGone(pid)
})

t.test('children that lose their parent drain', async t => {
  const where = folder(t)
  const { parent, pids } = await start(where)
  await send(where, 'Ada')
  await parent.until(/begun Ada/)
  parent.child.kill('SIGKILL')
  writeFileSync(join(where, 'go'), '')
  for (const pid of pids) await isGone(pid)
  const { output, ended } = parent
  t.equal(await ended, 'SIGKILL')
  t.match(output, /begun Ada/)
  const queues = await cli(['queues', '--json'], { cwd: where })
  t.match(JSON.parse(queues.out), { ready: 0, leased: 0, dead: 0 }, 'what ran was finished')
})

t.test('a signal to the whole group, as from a terminal, is one request', async t => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const where = folder(t)
    const { parent, pids } = await start(where, [], true)
    await send(where, 'Ada')
    await parent.until(/begun Ada/)
    process.kill(-parent.pid, signal)
    await parent.until(/\[\d\] process \d+ stopping: 1 handler running/)
    writeFileSync(join(where, 'go'), '')
    t.equal(await parent.ended, 0, signal)
    t.match(parent.output, /finished Ada/)
    t.notMatch(parent.output, /stopping now/)
    for (const pid of pids) await isGone(pid)
  }
})

t.test('a second signal aborts in all of them', async t => {
  const where = folder(t)
  const { parent, pids } = await start(where)
  await send(where, 'Ada')
  await parent.until(/begun Ada/)
  parent.child.kill('SIGTERM')
  await parent.until(/\[\d\] process \d+ stopping: 1 handler/)
  parent.child.kill('SIGTERM')
  t.equal(await parent.ended, 1)
  t.match(parent.output, /\[\d\] process \d+ stopping now: 1 handler/)
  for (const pid of pids) await isGone(pid)
})

t.test('a module that cannot be loaded is told once', async t => {
  const parent = greenroom(folder(t, `throw new Error('no DATABASE_URL')`), ['worker', 'jobs.mjs', '--processes', '3'])
  t.equal(await parent.ended, 4)
  t.equal(parent.output.match(/no DATABASE_URL/g)?.length, 1)
})

t.test('--drain ends when all have', async t => {
  const where = folder(t)
  writeFileSync(join(where, 'go'), '')
  for (const name of ['Ada', 'Bob', 'Eve']) await send(where, name)
  const parent = greenroom(where, ['worker', 'jobs.mjs', '--processes=2', '--drain'])
  t.equal(await parent.ended, 0)
  for (const name of ['Ada', 'Bob', 'Eve']) t.match(parent.output, `finished ${name}`)
})

t.test(
  'an endless loop ends with its process each time, and its message is a dead letter after maxDeliveries; its neighbours run',
  async t => {
    const where = folder(
      t,
      `
    import { actor } from 'greenroom'
    export const wait = actor(name => {
      console.log('begun', name, process.pid)
      if (name === 'poison') for (;;);
    }, { name: 'wait', timeLimit: '1s' })
  `,
    )
    const { parent } = await start(where, ['--grace=0s'])
    const names = ['Ada', 'poison', 'Bob', 'Cyd']
    for (const name of names) await send(where, name)
    await parent.until(/dead +wait .*crash loop: 5 workers died or froze with it/)
    const begun = [...parent.output.matchAll(/begun (\w+) (\d+)/g)].map(([, name, pid]) => [name, pid] as const)
    t.equal(new Set(begun.filter(([name]) => name === 'poison').map(([, pid]) => pid)).size, 5, 'in five processes')
    t.strictSame(
      begun
        .map(([name]) => name)
        .filter(name => name !== 'poison')
        .toSorted(),
      ['Ada', 'Bob', 'Cyd'],
    )
    t.equal(parent.output.match(/blocked for .* by the actor wait, at .*jobs\.mjs:.*kills itself \(maxBlock\)/g)?.length, 5)
    t.match(parent.output, /was ended by SIGKILL; started again/)
    parent.child.kill('SIGTERM')
    t.equal(await parent.ended, 0)
  },
)
