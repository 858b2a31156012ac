/** Commands that stop and empty queues and keep what died, on a broker in memory that this process has open too. */
import t, { type Test } from 'tap'
import { greenroom } from '../../index.ts'
import { systemClock } from '../../lib/clock.ts'
import { internalsOf } from '../../lib/internals.ts'
import { cli, fakeIo } from './fake-io.ts'
import { run } from '../../cli/run.ts'

let apps = 0
async function world(t: Test) {
  const namespace = `keeping-${++apps}`
  const app = greenroom({ broker: 'memory:', namespace })
  t.teardown(() => app.close())
  const { broker } = await internalsOf(app).open()
  const mail = app.declare<(to: string) => void>('mail', { queue: 'mail' })
  const target = ['--broker', 'memory:', '--namespace', namespace]
  const ask = (...argv: readonly string[]) => cli([...argv, ...target], { clock: systemClock })
  const take = async () => {
    const consumer = await broker.consume({ queues: ['mail'], credit: 100, leaseMs: 30_000, onLost() {} })
    return { consumer, taken: await consumer.take(100, { waitMs: 0, signal: new AbortController().signal }) }
  }
  return { app, broker, mail, ask, take, target }
}

t.test('a paused queue gives nothing, takes sends, and goes on when it is resumed', async t => {
  const { mail, ask, take } = await world(t)
  await mail.send('Ada')
  t.match(await ask('pause', 'mail', 'mail'), { code: 0, out: 'paused mail', err: '' })
  await mail.send('Bob')
  const first = await take()
  t.equal(first.taken.length, 0)
  t.match((await ask('queues')).out, /^mail +2 .* paused$/m)
  t.match(await ask('resume', 'mail'), { code: 0, out: 'resumed mail' })
  t.match(await ask('resume', 'mail'), { code: 0, out: 'mail was not paused' })
  const second = await take()
  t.equal(second.taken.length, 2)
  t.match(await ask('pause', 'mail'), { out: 'paused mail; 2 still running' })
  await first.consumer[Symbol.asyncDispose]()
  await second.consumer[Symbol.asyncDispose]()
})

t.test('a queue that was never used is a mistake, and then nothing is done to the others', async t => {
  const { mail, ask } = await world(t)
  await mail.send('Ada')
  for (const argv of [['pause'], ['resume'], ['purge', '--yes']])
    t.match(await ask(...argv, 'mail', 'mial'), { code: 2, out: '', err: /no queue mial .*Did you mean mail\?/ })
  t.match((await ask('queues', '--json')).out, /"ready":1.*"paused":false/)
})

t.test('purge deletes only with --yes, and neither what runs nor dead letters', async t => {
  const { mail, ask, take } = await world(t)
  await mail.sendMany([['dead'], ['runs']])
  const { consumer, taken } = await take()
  await consumer.settle([{ token: taken[0]!.token, kind: 'dead', reason: 'test' }])
  await mail.sendMany([['a'], ['b']])
  await mail.with({ delay: '1h' }).send('c')
  t.match(await ask('purge', 'mail'), { code: 2, out: '', err: /would delete 3 messages for ever\. Add --yes/ })
  t.match(await ask('purge', 'mail', '--yes'), { code: 0, out: 'deleted 3 messages of the queue mail' })
  t.match(JSON.parse((await ask('queues', '--json')).out), { ready: 0, delayed: 0, leased: 1, dead: 1 })
  await consumer[Symbol.asyncDispose]()
})

t.test('dead export prints every dead letter with its bytes, also one that nobody can read', async t => {
  const { broker, mail, ask, take } = await world(t)
  await mail.sendMany(Array.from({ length: 250 }, (_, n): [string] => [`${n}`]))
  await broker.push([{ id: 'bad', queue: 'mail', body: Buffer.from('\u0000?'), attempt: 0, priority: 1 }])
  for (let left = 251; left > 0;) {
    const { consumer, taken } = await take()
    await consumer.settle(taken.map(({ token }) => ({ token, kind: 'dead', reason: 'test' })))
    await consumer[Symbol.asyncDispose]()
    left -= taken.length
  }
  const { code, out, err } = await ask('dead', 'export', 'mail')
  t.equal(code, 0)
  t.equal(err, 'greenroom: 251 dead letters')
  const rows = out.split('\n').map(line => JSON.parse(line) as { id: string; args?: string[]; bodyBase64: string })
  t.strictSame(
    rows.slice(0, 250).map(({ args }) => args),
    Array.from({ length: 250 }, (_, n) => [`${n}`]),
  )
  t.match(JSON.parse(Buffer.from(rows[0]!.bodyBase64, 'base64').toString()), { actor_name: 'mail', args: ['0'] })
  t.match(rows[250], { id: 'bad', undecodable: /not JSON/, bodyBase64: Buffer.from('\u0000?').toString('base64') })
  t.match(await ask('dead', 'export'), { code: 0, err: /251/ })
  t.match(JSON.parse((await ask('queues', '--json')).out), { dead: 251 })
})

t.test('queues --watch shows again and again, also over a broker that is away, and ends at a signal', async t => {
  const { mail, broker, target } = await world(t)
  await mail.send('Ada')
  const io = fakeIo()
  const printed = (count: number) =>
    new Promise<void>(resolve => {
      const look = () => (io.printed.length >= count ? resolve() : setImmediate(look))
      look()
    })
  const ended = run(['queues', '--watch', '--every', '5s', ...target], io)
  await printed(1)
  t.match(io.printed[0], /^mail +1 /m)
  t.match(io.printed[0], new RegExp(`^${new Date(io.clock.now()).toISOString()}\n`), 'a log of tables has their times')
  await mail.send('Bob')
  t.equal(io.printed.length, 1, 'nothing is shown before its time')
  await io.clock.advance(5_000)
  await printed(2)
  t.match(io.printed[1], /^mail +2 /m)
  const { inspector } = broker as { inspector: { queues(): Promise<readonly string[]> } },
    { queues } = inspector
  inspector.queues = async () => {
    throw new Error('away')
  }
  await io.clock.advance(5_000)
  await printed(3)
  t.match(io.printed[2], /^\d{4}-\S+Z\ngreenroom: Error: away$/)
  inspector.queues = queues
  await io.clock.advance(5_000)
  await printed(4)
  t.match(io.printed[3], /^mail +2 /m)
  io.stop('SIGINT')
  t.equal(await ended, 0)
  t.match(await cli(['queues', '--every', '5s', ...target]), { code: 2, err: /Add --watch/ })
})
