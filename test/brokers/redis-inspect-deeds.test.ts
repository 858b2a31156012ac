/** What people do to messages through the inspector of Redis: remove, promote, reschedule, revive, drop, purge, pause. */
import t from 'tap'
import { LinkError } from '../../brokers/redis/link.ts'
import { inspected, inspectorOf, range } from './redis-inspected.ts'

const { redis, link, server, inspector, push, consumer, list, pages, where, wakes, bury } = await inspected(t)

t.test('suspects are kept apart, and stay suspects when they are moved', async t => {
  const queue = 'suspects'
  await push(queue, 's1', 's2', 's3')
  for (const name of ['one', 'two']) {
    await consumer(queue, name).trip(3)
    server.advance(60_001)
    await consumer(queue, name).giveBack(true)
  }
  t.strictSame(await where(queue), { ready: 0, delayed: 0, leased: 0, suspect: 3, dead: 0 })
  t.strictSame(await pages(queue, 'suspect', 2), ['s1', 's2', 's3'])
  t.match(await inspector.find('s2', queue), { place: 'suspect', deliveries: 3 })
  t.equal(await inspector.reschedule(queue, 's1', { due: { afterMs: 10 } }), 'changed')
  t.equal(await inspector.reschedule(queue, 's2', { priority: 0 }), 'changed')
  server.advance(10)
  t.strictSame(await list(queue, 'ready'), [])
  t.strictSame(await list(queue, 'suspect'), ['s3', 's2', 's1'])
  t.equal(await inspector.remove(queue, 's2'), 'removed')
  t.strictSame(await list(queue, 'suspect'), ['s3', 's1'])
})

t.test('of two with one id the second one is reached when the first is gone', async t => {
  const queue = 'doubles',
    one = consumer(queue, 'one')
  for (const ms of [1_000, 2_000]) {
    await push(queue, 'a')
    await one.trip(1)
    await one.trip(0, ['retry', 'a', ms])
  }
  t.strictSame(await list(queue, 'delayed'), ['a', 'a'])
  t.equal(await inspector.remove(queue, 'a'), 'removed')
  t.match(await inspector.find('a', queue), { place: 'delayed', dueAt: server.now() + 2_000 })
  t.equal(await inspector.reschedule(queue, 'a', { due: { afterMs: 500 }, priority: 0 }), 'changed')
  t.match(await inspector.find('a', queue), { dueAt: server.now() + 500, envelope: { priority: 0 } })
  t.equal(await inspector.promote(queue, 'a'), 'promoted')
  t.strictSame(await where(queue), { ready: 1, delayed: 0, leased: 0, suspect: 0, dead: 0 })
  await inspector.purge(queue)
  for (const _ of range(4)) await bury(queue, 'b')
  t.equal(await inspector.drop(queue, ['b', 'b']), 1, 'the first one')
  t.match(await inspector.find('b', queue), { place: 'dead', envelope: { id: 'b' } })
  t.equal(await inspector.remove(queue, 'b'), 'removed')
  t.equal(await inspector.revive(queue, ['b', 'none']), 2, 'those that are left')
  t.strictSame(await list(queue, 'ready'), ['b', 'b'])
})

t.test('what waits or lies dead is removed, what is held is left alone', async t => {
  const queue = 'remove',
    one = consumer(queue, 'one')
  await bury(queue, 'corpse')
  await push(queue, 'held')
  await one.trip(1)
  await push(queue, 'a', 'b', 'c', { id: 'later', due: { afterMs: 50 } })
  for (const [id, answer] of [
    ['b', 'removed'],
    ['b', 'missing'],
    ['later', 'removed'],
    ['held', 'leased'],
    ['corpse', 'removed'],
    ['no', 'missing'],
  ] as const)
    t.equal(await inspector.remove(queue, id), answer, id)
  t.strictSame(await where(queue), { ready: 2, delayed: 0, leased: 1, suspect: 0, dead: 0 })
  server.advance(50)
  t.strictSame(await one.trip(9), ['a', 'c'])
})

t.test('out of the middle of a long list a message is removed too: nobody sees it any more', async t => {
  const queue = 'holes',
    ids = range(6_000)
  await push(queue, ...ids)
  const gone = ['m5', 'm2500', 'm2501', 'm3000', 'm5990']
  for (const id of gone) t.equal(await inspector.remove(queue, id), 'removed', id)
  for (const id of gone) t.equal(await inspector.remove(queue, id), 'missing', id)
  t.equal(await inspector.reschedule(queue, 'm2999', { due: { afterMs: 100 } }), 'changed')
  t.strictSame(await where(queue), { ready: 5_994, delayed: 1, leased: 0, suspect: 0, dead: 0 })
  const left = ids.filter(id => !gone.includes(id) && id !== 'm2999')
  t.strictSame(await pages(queue, 'ready', 1_000), left)
  const one = consumer(queue, 'one'),
    taken: string[] = []
  for (let some = await one.trip(700); some.length > 0; some = await one.trip(700)) taken.push(...some)
  t.strictSame(taken, left)
  t.strictSame(await where(queue), { ready: 0, delayed: 1, leased: 5_994, suspect: 0, dead: 0 })
  t.strictSame(await redis.hgetall('{hand:holes}:meta'), { 'holes:r1': '0' })
  await push(queue, ...ids)
  await inspector.remove(queue, 'm3000')
  t.equal(await inspector.purge(queue), 6_000)
  t.strictSame(await where(queue), { ready: 0, delayed: 0, leased: 5_994, suspect: 0, dead: 0 })
})

t.test('a hole at the head of the suspects hides none behind it', async t => {
  const again = '{hand:again}:again'
  await push('again', 's')
  const [frame] = await redis.lrangeBuffer('{hand:again}:r1', 0, 0)
  await redis.del('{hand:again}:r1')
  await redis.rpush(again, '', frame!)
  const reply = await link.run('exchange', ['{hand:again}:r0'], ['one', 1, 60_000, 5, '1', 1e9, 1e6, 1e12, ''])
  t.match(String((reply as Buffer[])[3]), /^1/, 'there may be more')
  t.equal(await redis.llen(again), 1)
})

t.test('a delayed message is promoted, behind what was due before it', async t => {
  const queue = 'promote',
    one = consumer(queue, 'one')
  await push(queue, { id: 'due', due: { afterMs: 10 } }, { id: 'later', due: { afterMs: 10_000 } }, { id: 'ready', priority: 2 })
  server.advance(10)
  t.equal(await wakes(queue, async () => t.equal(await inspector.promote(queue, 'later'), 'promoted')), 2, 'for both')
  t.equal(await inspector.promote(queue, 'later'), 'not delayed')
  t.equal(await inspector.promote(queue, 'due'), 'not delayed')
  t.equal(await inspector.promote(queue, 'ready'), 'not delayed')
  t.equal(await inspector.promote(queue, 'no'), 'missing')
  await bury(queue, 'high')
  t.equal(await inspector.promote(queue, 'high'), 'not delayed', 'dead')
  t.strictSame(await one.trip(9), [])
})

t.test('more than one piece is due', async t => {
  const ids = range(700)
  await push('due', ...ids.map((id, n) => ({ id, due: { afterMs: 1 + (n >> 3) } })))
  server.advance(1_000)
  t.strictSame(await list('due', 'delayed'), [])
  t.strictSame(await where('due'), { ready: 700, delayed: 0, leased: 0, suspect: 0, dead: 0 })
  t.strictSame(await list('due', 'ready'), ids)
})

t.test('what waits is rescheduled: later, earlier, in another band', async t => {
  const queue = 'reschedule',
    one = consumer(queue, 'one')
  await bury(queue, 'corpse')
  await push(queue, 'held')
  await one.trip(1)
  await push(queue, 'a', 'b', 'c', { id: 'later', due: { afterMs: 50_000 } }, { id: 'soon', due: { afterMs: 100 } })
  for (const due of [{ afterMs: -1 }, { at: NaN }])
    await t.rejects(inspector.reschedule(queue, 'a', { due }), { code: 'OPTION_INVALID' })
  t.equal(await inspector.reschedule(queue, 'c', { priority: 0 }), 'changed')
  t.equal(await wakes(queue, () => inspector.reschedule(queue, 'a', { due: { afterMs: 1_999.5 } })), 1)
  t.equal(await wakes(queue, () => inspector.reschedule(queue, 'later', { due: { at: server.now() + 1_000 }, priority: 0 })), 1)
  t.equal(await inspector.reschedule(queue, 'soon', { due: { at: 0 }, priority: 2 }), 'changed')
  t.equal(await inspector.reschedule(queue, 'b', {}), 'changed', 'to the tail of its band')
  t.equal(await inspector.reschedule(queue, 'held', { priority: 0 }), 'leased')
  t.equal(await inspector.reschedule(queue, 'corpse', { priority: 0 }), 'missing')
  t.equal(await inspector.reschedule(queue, 'no', { priority: 0 }), 'missing')
  t.strictSame(await where(queue), { ready: 3, delayed: 2, leased: 1, suspect: 0, dead: 1 })
  t.strictSame(await one.trip(9), ['c', 'b', 'soon'])
  t.equal(await inspector.reschedule(queue, 'later', { priority: 2 }), 'changed', 'its time stays')
  server.advance(999)
  t.strictSame(await one.trip(9), [])
  server.advance(1)
  t.strictSame(await one.trip(9), ['later'])
  server.advance(999)
  t.strictSame(await one.trip(9), [])
  server.advance(1)
  t.strictSame(await one.trip(9), ['a'])
})

t.test('what was due before goes before what is rescheduled', async t => {
  await push('before', { id: 'a', due: { afterMs: 10 } }, { id: 'b', priority: 2 })
  server.advance(10)
  t.equal(await inspector.reschedule('before', 'b', { priority: 1 }), 'changed')
  t.strictSame(await consumer('before', 'one').trip(2), ['a', 'b'])
})

for (const oneSlot of [true, false])
  t.test(`dead letters are revived ${oneSlot ? 'on one node' : 'across nodes'}`, async t => {
    const [from, to] = [`from-${oneSlot}`, `to-${oneSlot}`],
      inspector = inspectorOf({ ...link, oneSlot })
    await bury(from, ...range(150), 'here')
    t.equal(await wakes(from, async () => t.equal(await inspector.revive(from, ['here', 'no', 'here']), 1)), 1)
    t.match(await inspector.find('here', from), { place: 'ready', deliveries: 1, at: server.now(), envelope: { attempt: 0 } })
    t.equal(await inspector.revive(from, range(150).concat('here'), { to }), 150, 'what is alive is not revived')
    t.strictSame(await where(from), { ready: 1, delayed: 0, leased: 0, suspect: 0, dead: 0 })
    t.strictSame((await list(to, 'ready')).sort(), range(150).sort())
    t.ok((await inspector.queues()).includes(to))
  })

t.test('a revival across nodes that was cut short is ended by the next one: none is lost, none comes twice', async t => {
  let failing = ''
  const cut = {
    ...link,
    oneSlot: false,
    run: async (...[script, ...rest]: Parameters<typeof link.run>) => {
      if (script === failing) throw new LinkError('away', 'maybe', 'cut short')
      return link.run(script, ...rest)
    },
  }
  const inspector = inspectorOf(cut)
  await bury('cut', 'a')
  for (failing of ['inspect-adopt', 'inspect-drop', 'inspect-drop'])
    await t.rejects(inspector.revive('cut', ['a'], { to: 'put' }), { code: 'BROKER_DOWN', retryable: true })
  t.strictSame([await list('cut', 'dead'), await list('put', 'ready')], [['a'], ['a']])
  failing = ''
  t.equal(await inspector.revive('cut', ['a'], { to: 'put' }), 1)
  t.strictSame([await list('cut', 'dead'), await list('put', 'ready')], [[], ['a']])
  server.advance(1)
  await bury('cut', 'a')
  t.equal(await inspector.revive('cut', ['a'], { to: 'put' }), 1, 'one that died again comes again')
  t.strictSame(await list('put', 'ready'), ['a', 'a'])
  await bury('cut', 'a')
  const score = await redis.zscore('{hand:cut}:dead', 'a')
  t.strictSame(
    await link.run('inspect-drop', ['{hand:cut}:r0'], [`${Number(score) + 1}`, 'a']),
    [1, Buffer.from('a')],
    'not the one that was looked at',
  )
})

t.test('dead letters are dropped in pieces, others stay', async t => {
  await bury('drop', ...range(250), 'stays')
  t.equal(await inspector.drop('drop', [...range(250), 'no', 'm0']), 250)
  t.strictSame(await list('drop', 'dead'), ['stays'])
})

t.test('large dead letters are revived in several pieces', async t => {
  const ids = range(7),
    one = consumer('heavy', 'one')
  await push('heavy', ...ids.map(id => ({ id, body: Buffer.alloc(1_500_000) })))
  await one.trip(9)
  await one.trip(0, ...ids.map(id => ['dead', id, 'so'] as const))
  let calls = 0
  const counting = { ...link, run: (...args: Parameters<typeof link.run>) => (calls++, link.run(...args)) }
  t.equal(await inspectorOf(counting).revive('heavy', ids), 7)
  t.equal(calls, 3)
  t.strictSame(await pages('heavy', 'ready', 9), ids)
  await inspector.purge('heavy')
})

t.test('a purge deletes what waits and leaves what is held and dead', async t => {
  const queue = 'purge',
    one = consumer(queue, 'one')
  await bury(queue, 'corpse')
  await push(queue, 'held')
  await one.trip(1)
  await push(queue, 'a', { id: 'high', priority: 0 }, { id: 'low', priority: 2 }, { id: 'later', due: { afterMs: 10 } })
  t.equal(await inspector.purge(queue), 4)
  t.strictSame(await where(queue), { ready: 0, delayed: 0, leased: 1, suspect: 0, dead: 1 })
  t.equal(await inspector.purge(queue), 0)
  await push(queue, { id: 'later', due: { afterMs: 10 } })
  t.strictSame(await where(queue), { ready: 0, delayed: 1, leased: 1, suspect: 0, dead: 1 })
})

t.test('nothing is taken from a paused queue; a resume wakes', async t => {
  const queue = 'paused',
    one = consumer(queue, 'one')
  await inspector.pause(queue)
  await inspector.pause(queue)
  await push(queue, 'a')
  t.match(await inspector.counts(queue), { paused: true, ready: 1 })
  t.strictSame(await one.trip(1), [])
  t.equal(await wakes(queue, () => inspector.resume(queue)), 1)
  t.match(await inspector.counts(queue), { paused: false })
  t.strictSame(await one.trip(1), ['a'])
  t.ok((await inspector.queues()).includes(queue))
})
