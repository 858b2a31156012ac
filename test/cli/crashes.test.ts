/** Handlers that end their process in every way that Node has: a crash is counted, its message is buried in time, and its neighbours run. */
import t from 'tap'
import { cli } from './fake-io.ts'
import { folderOf } from './folder.ts'
import { greenroom } from './program.ts'

const JOBS = `
  import { actor, current } from 'greenroom'
  const deep = n => deep(n + 1) + 1
  export const deadly = actor(async how => {
    console.log('delivery', current().deliveries)
    if (how === 'exit') process.exit(7)
    if (how === 'abort') process.abort()
    if (how === 'segfault') process.kill(process.pid, 'SIGSEGV')
    if (how === 'heap') for (const all = []; ; ) all.push(new Array(10_000).fill(all.length))
    await new Promise(() => {})
  }, { name: 'deadly' })
  export const overflow = actor(async () => deep(0), { name: 'overflow', maxRetries: 0 })
  export const neighbour = actor(async n => { console.log('neighbour', n) }, { name: 'neighbour' })
`

t.test('a message whose handler ends the process is dead after five deliveries, and its neighbours run', async t => {
  await Promise.all(
    (
      [
        ['exit', 7],
        ['abort', 'SIGABRT'],
        ['segfault', 'SIGSEGV'],
        ['heap', 'SIGABRT'],
      ] as const
    ).map(async ([how, end]) => {
      const where = folderOf(t, { 'jobs.mjs': JOBS })
      await cli(['send', 'deadly', how, '--id', 'deadly'], { cwd: where })
      for (const n of ['1', '2', '3']) await cli(['send', 'neighbour', n], { cwd: where })
      let output = ''
      for (let delivery = 1; delivery <= 5; delivery++) {
        const worker = greenroom(where, ['worker', 'jobs.mjs'], { env: { NODE_OPTIONS: '--max-old-space-size=48' } })
        t.equal(await worker.ended, end, `${how}: delivery ${delivery}`)
        t.match(worker.output, `delivery ${delivery}`)
        if (how === 'exit')
          t.match(worker.output, /^greenroom: deadly \(message deadly\) called process\.exit\(\), exit code 7\. /m)
        output += worker.output
      }
      const last = greenroom(where, ['worker', 'jobs.mjs'])
      await last.until(/^dead +deadly deadly  crash loop: 5 workers died or froze with it$/m)
      t.match((await cli(['dead', 'show', 'deadly'], { cwd: where })).out, /^retries +0, delivery 6, which did not run$/m)
      for (const n of ['1', '2', '3']) if (!output.includes(`neighbour ${n}`)) await last.until(new RegExp(`neighbour ${n}`))
      last.child.kill('SIGTERM')
      t.equal(await last.ended, 0, how)
      t.notMatch(last.output, 'delivery')
      const { out } = await cli(['dead', 'list', '--json'], { cwd: where })
      t.match(
        out
          .trim()
          .split('\n')
          .map(line => JSON.parse(line) as unknown),
        [{ id: 'deadly', reason: 'crash loop: 5 workers died or froze with it' }],
      )
    }),
  )
})

t.test('a stack that overflows is an error of the handler, and ends nothing', async t => {
  const where = folderOf(t, { 'jobs.mjs': JOBS })
  await cli(['send', 'overflow', '--id', 'deep'], { cwd: where })
  await cli(['send', 'neighbour', '1'], { cwd: where })
  const worker = greenroom(where, ['worker', 'jobs.mjs', '--drain', '--concurrency=1'])
  t.equal(await worker.ended, 0)
  t.match(worker.output, 'neighbour 1')
  t.match(worker.output, /dead +overflow deep .*Maximum call stack size exceeded/)
})

t.test('a handler that calls process.exit(0) under a parent is a crash like any other', async t => {
  const where = folderOf(t, { 'jobs.mjs': JOBS.replace('process.exit(7)', 'process.exit(0)') })
  await cli(['send', 'deadly', 'exit', '--id', 'd-1'], { cwd: where })
  const parent = greenroom(where, ['worker', 'jobs.mjs', '--processes=1'])
  await parent.until(/ended with exit code 0; started again in/)
  t.match(parent.output, /^\[1\] greenroom: deadly \(message d-1\) called process\.exit\(\), exit code 0\. /m)
  await parent.until(/delivery 2/)
  parent.child.kill('SIGTERM')
  t.equal(await parent.ended, 0)
})

t.test('a process that something else ends names what it runs; one that was told to quit does not', async t => {
  const where = folderOf(t, {
    'jobs.mjs': `
      import { actor } from 'greenroom'
      process.on('SIGUSR2', () => process.exit(3))
      export const wait = actor(async () => { console.log('waits'); await new Promise(() => {}) }, { name: 'wait' })
    `,
  })
  for (let n = 1; n <= 5; n++) await cli(['send', 'wait', '--id', `w-${n}`], { cwd: where })
  const worker = greenroom(where, ['worker', 'jobs.mjs'])
  await worker.until(/waits/, 5)
  worker.child.kill('SIGUSR2')
  t.equal(await worker.ended, 3)
  t.match(
    worker.output,
    /^greenroom: this process ends with exit code 3 while it runs (wait \(message w-\d\)(, )?){3} and 2 more: what it held runs again/m,
  )
  const next = greenroom(where, ['worker', 'jobs.mjs'])
  await next.until(/waits/, 5)
  for (const line of [/stopping: 5/, /stopping now/]) {
    next.child.kill('SIGTERM')
    await next.until(line)
  }
  next.child.kill('SIGTERM')
  t.equal(await next.ended, 1)
  t.notMatch(next.output, 'exit code')
})
