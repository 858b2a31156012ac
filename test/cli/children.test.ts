/** What a parent of `--processes` answers to probes from what its children report, and when they have done their share. */
import t from 'tap'
import { turns } from '../helpers/turns.ts'
import { world } from './fake-children.ts'

const well = { state: 'working', running: 1, held: 0, stuck: 0, brokerMs: 3_000, lagMs: 0 } as const

t.test('a child that reports no more is named by /live, and what it said of its broker grows old', async t => {
  const { io, children, code, probes } = world({ processes: '2' })
  t.match(probes.ready(), { ok: false, body: { reason: '2 of 2 processes starting' } })
  t.match(probes.live(), { ok: true })
  for (let n = 0; n < 2; n++) {
    children[n]!.told.report({ facts: { ...well, state: 'starting' } })
    children[n]!.told.report({ facts: well })
    children[n]!.up()
    await turns()
  }
  t.strictSame(probes.ready(), { ok: true, body: { ready: true, processes: 2, running: 2, held: 0, stuck: 0 } })
  io.clock.advance(2_500)
  t.match(probes.ready(), { body: { running: 2, silent: undefined } })
  io.clock.advance(1)
  children[0]!.told.report({ facts: { ...well, running: 3 } })
  t.strictSame(
    probes.ready(),
    { ok: true, body: { ready: true, processes: 2, silent: 1, running: 3, held: 0, stuck: 0 } },
    'what the silent one runs is not known',
  )
  io.clock.advance(2_499)
  children[0]!.told.report({ facts: well })
  t.match(probes.live(), { ok: true })
  io.clock.advance(1)
  t.strictSame(probes.live(), {
    ok: false,
    body: { live: false, reason: 'process 2 (pid 101) has not turned its event loop for 5s' },
  })
  t.match(probes.ready(), { ok: true })
  io.clock.advance(2_000)
  t.match(probes.ready(), {
    ok: false,
    body: { reason: 'process 2 (pid 101): the broker has not answered for 10s', processes: 1 },
  })
  children[1]!.told.report({ facts: { ...well, brokerMs: 10_001 } })
  t.match(probes.live(), { ok: true })
  t.match(probes.ready(), { ok: false })
  io.stop('SIGTERM')
  io.clock.advance(6_000)
  t.match(probes.ready(), { ok: false, body: { reason: 'draining' } })
  t.match(probes.live(), { ok: true }, 'those that were told to end are killed if they do not')
  for (const child of children) child.die(0)
  t.equal(await code, 0)
})

t.test('/queues asks the child that was heard last, once a second at most', async t => {
  const { io, children, code, probes } = world({ processes: '2' })
  t.match(await probes.queues(), { ok: false, body: { error: /cannot be counted/ } })
  for (let n = 0; n < 2; n++) {
    children[n]!.told.report({ facts: well })
    children[n]!.up()
    await turns()
  }
  io.clock.advance(1_000)
  children[1]!.told.report({ facts: well })
  const asked = [probes.queues(), probes.queues()]
  await turns()
  t.strictSame([children[0]!.orders, children[1]!.orders], [[], ['count']])
  const queues = { ok: true, body: { total: { ready: 7 } } }
  children[1]!.told.report({ queues })
  t.strictSame(await Promise.all(asked), [queues, queues])
  t.equal(await probes.queues(), queues)
  io.clock.advance(1_000)
  const late = probes.queues()
  await turns()
  io.clock.advance(2_000)
  t.match(await late, { ok: false })
  t.strictSame(children[1]!.orders, ['count', 'count'])
  io.stop('SIGTERM')
  for (const child of children) child.die(0)
  t.equal(await code, 0)
})

t.test('--max-time stops all, and is no failure', async t => {
  const { io, children, code } = world({ processes: '2', 'max-time': '10m' })
  children[0]!.up()
  await turns()
  io.clock.advance(600_000)
  t.match(io.errors.at(-1), '--max-time is over: stopping: 2 processes, up to 25s; again to stop now')
  for (const child of children) child.die(0)
  t.equal(await code, 0)
  t.equal(io.clock.pending, 0, 'no timer is left')
})

t.test('--max-messages: one that has done its share is not started again', async t => {
  const { children, code } = world({ processes: '1', 'max-messages': '5' })
  children[0]!.up()
  children[0]!.die(0)
  t.equal(await code, 0)
  t.equal(children.length, 1)
})
