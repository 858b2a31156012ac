/** Handlers that ignore their signal: left behind, counted, and bounded. */
import t from 'tap'
import { openMoving } from '../helpers/open.ts'
import { gate, pass, turns } from '../helpers/turns.ts'

t.test('a worker with maxStuck handlers left behind takes nothing more until one of them ends, and says so once', async t => {
  const { app, clock, memory, all, lines } = await openMoving(t)
  const ends = Array.from({ length: 4 }, () => gate())
  let runs = 0
  const slow = app.actor(() => ends[runs++]!.opened, { name: 'slow', timeLimit: '30s', maxRetries: 0 })
  const quick = app.actor(async () => {}, { name: 'quick' })
  await slow.sendMany([[], []])
  const worker = await app.work({ abortGrace: '2s', concurrency: 4, maxStuck: 2 })
  await turns()
  t.equal(worker.stuck, 0)
  await pass(clock, 32_000)
  t.equal(worker.stuck, 2)
  t.match(all('trouble'), [{ error: { code: 'HANDLERS_STUCK' } }])
  t.equal(lines.filter(({ text }) => text.includes('too many handlers are stuck')).length, 1)
  t.match(await memory.inspector.counts('default'), { dead: 2, leased: 0 }, 'their messages are settled')

  await quick.sendMany([[], [], []])
  await pass(clock, 60_000)
  t.match(await memory.inspector.counts('default'), { ready: 3, leased: 0 }, 'others may take them')
  t.equal(all('settled').length, 2)
  t.equal(all('trouble').length, 1)

  ends[0]!.open()
  await turns()
  t.equal(worker.stuck, 1)
  t.match(await memory.inspector.counts('default'), { ready: 0, leased: 0 }, 'it takes again')
  t.equal(all('settled').length, 5)
  t.match(lines.at(-1), { text: /has ended: the worker takes messages again/ })
  ends[1]!.open()
  await turns()
  t.equal(worker.stuck, 0)
})

t.test('a full worker leaves what waits to others, also when it stops', async t => {
  const { app, clock, memory } = await openMoving(t)
  const end = gate()
  const order: string[] = []
  const slow = app.actor(() => end.opened, { name: 'slow', timeLimit: '1s', maxRetries: 0 })
  const after = app.actor(async (n: string) => void order.push(n), { name: 'after' })
  await slow.send()
  const worker = await app.work({ abortGrace: 0, concurrency: 1, maxStuck: 1 })
  await turns()
  await after.sendMany([['a'], ['b']])
  await pass(clock, 5_000)
  t.equal(worker.stuck, 1)
  t.match(await memory.inspector.counts('default'), { ready: 2, leased: 0 })
  await worker.close()
  t.strictSame(order, [])
  end.open()
})
