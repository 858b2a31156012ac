/** What the inspector of Redis shows, on a real server, of queues that are filled and worked by the broker's own scripts. */
import t from 'tap'
import { inspected, inspectorOf, range } from './redis-inspected.ts'

const { redis, link, server, inspector, push, consumer, list, pages, where, bury } = await inspected(t)

t.test('a queue that nobody used is empty, and looking makes none', async t => {
  const none = { ready: 0, delayed: 0, leased: 0, suspect: 0, dead: 0, oldestMs: 0, paused: false }
  t.strictSame(await inspector.counts('nobody'), none)
  for (const place of ['ready', 'delayed', 'leased', 'suspect', 'dead'] as const)
    t.strictSame(await inspector.list('nobody', place), { entries: [] })
  t.equal(await inspector.find('a', 'nobody'), undefined)
  t.equal(await inspector.remove('nobody', 'a'), 'missing')
  t.equal(await inspector.promote('nobody', 'a'), 'missing')
  t.equal(await inspector.reschedule('nobody', 'a', { priority: 0 }), 'missing')
  t.strictSame(
    [await inspector.purge('nobody'), await inspector.revive('nobody', ['a']), await inspector.drop('nobody', ['a'])],
    [0, 0, 0],
  )
  t.strictSame(await inspector.queues(), [])
  t.strictSame(await redis.keys('*nobody*'), [])
})

t.test('each place is counted and listed in its order, those of one millisecond as they came', async t => {
  const queue = 'places',
    one = consumer(queue, 'one')
  const later = range(25, 'd').map((id, n) => ({ id, due: { afterMs: 1_000 + (n >> 2) } }))
  await push(queue, ...range(12, 'x'), ...later, { id: 'low', priority: 2 }, { id: 'high', priority: 0 }, 'n')
  t.strictSame(await one.trip(13), ['high', ...range(12, 'x')])
  await one.trip(0, ...range(11, 'x').map(id => ['dead', id, 'so', ''] as const))
  t.strictSame(await where(queue), { ready: 2, delayed: 25, leased: 2, suspect: 0, dead: 11 })
  t.strictSame(await list(queue, 'ready'), ['n', 'low'])
  t.strictSame(await list(queue, 'leased'), ['high', 'x11'])
  t.strictSame(await list(queue, 'dead'), range(11, 'x'))
  t.strictSame(await list(queue, 'delayed'), range(25, 'd'))
  t.strictSame(await pages(queue, 'delayed', 3), range(25, 'd'))
  t.strictSame(await pages(queue, 'dead', 5), range(11, 'x'))
  t.strictSame(await pages(queue, 'leased', 1), ['high', 'x11'])
  const { entries } = await inspector.list(queue, 'delayed', { limit: 1 })
  t.match(entries[0], { place: 'delayed', at: server.now(), dueAt: server.now() + 1_000, deliveries: 1 })
})

t.test('a letter shows its reason, its error and when it died; a body is shown byte for byte', async t => {
  const queue = 'letters'
  await bury(queue, 'a')
  await push(queue, { id: 'b', body: Uint8Array.of(0, 255, 10), attempt: 3, priority: 2 })
  const {
    entries: [a],
  } = await inspector.list(queue, 'dead')
  t.match(a, { place: 'dead', reason: 'a “reason”', at: server.now(), envelope: { id: 'a', queue, attempt: 4 } })
  t.equal(Buffer.from(a!.error!).toString(), 'error of a')
  t.strictSame(await inspector.find('b', queue), {
    envelope: { id: 'b', queue, body: Uint8Array.of(0, 255, 10), attempt: 3, priority: 2 },
    place: 'ready',
    deliveries: 1,
    at: server.now(),
  })
})

t.test('the oldest is found behind what was put back, and a delayed one waits since it was due', async t => {
  const queue = 'oldest',
    [one, two] = [consumer(queue, 'one'), consumer(queue, 'two')]
  await push(queue, { id: 'a', due: { afterMs: 1_000 } })
  server.advance(5_000)
  t.match(await inspector.counts(queue), { ready: 1, delayed: 0, oldestMs: 4_000 })
  await push(queue, 'b')
  t.strictSame(await one.trip(1), ['a'], 'who looked made it ready')
  t.strictSame(await two.trip(1), ['b'])
  await one.trip(0, ['release', 'a', 0])
  await two.trip(0, ['release', 'b', 0])
  t.equal((await inspector.counts(queue)).oldestMs, 4_000)
  t.strictSame(await list(queue, 'ready'), ['b', 'a'])
})

t.test('pages of what is ready go on while messages are taken, put back, removed and pushed', async t => {
  const all = range(60)
  const fill = async (queue: string) => {
    await push(queue, ...all.map((id, n) => ({ id, priority: n < 25 ? (0 as const) : (1 as const) })))
    return consumer(queue, 'one')
  }
  const one = await fill('taken')
  let came = 0
  t.strictSame(
    await pages('taken', 'ready', 7, async () => {
      await one.trip(3)
      await push('taken', { id: `new${came++}`, priority: 2 })
    }),
    [...all, ...range(came, 'new')],
    'others are taken from the head',
  )
  const two = await fill('overtaken')
  t.strictSame(
    await pages('overtaken', 'ready', 5, async page => page === 2 && two.trip(20)),
    [...all.slice(0, 10), ...all.slice(20)],
    'more are taken than were listed',
  )
  const three = await fill('back')
  t.strictSame(await three.trip(10), all.slice(0, 10))
  t.strictSame(
    await pages('back', 'ready', 5, async page => page === 1 && three.giveBack(false)),
    all.slice(10),
    'some are put back before them',
  )
  await fill('removed')
  const gone = new Set<string>()
  t.strictSame(
    await pages('removed', 'ready', 5, async (page, found) => {
      const at = all.indexOf(found.at(-1)!)
      for (const id of page % 2 === 0 ? all.slice(at - 1, at + 1) : all.slice(at + 1, at + 2)) {
        t.equal(await inspector.remove('removed', id), 'removed')
        if (!found.includes(id)) gone.add(id)
      }
    }),
    all.filter(id => !gone.has(id)),
    'the last one of a page is removed, or the first of the next',
  )
  t.ok(gone.size > 3)
  await fill('purged')
  t.strictSame(await pages('purged', 'ready', 5, () => inspector.purge('purged')), all.slice(0, 5))
  await fill('all taken')
  const four = consumer('all taken', 'four')
  t.strictSame(await pages('all taken', 'ready', 40, () => four.trip(60)), all.slice(0, 40))
})

t.test('pages of what is delayed, held or dead go on where they ended, though that one is gone', async t => {
  await push('later', ...range(30).map(id => ({ id, due: { afterMs: 5_000 } })))
  t.strictSame(await pages('later', 'delayed', 4, async page => inspector.remove('later', `m${4 * page - 1}`)), range(30))
  // All of one score, as when more than a thousand are due in one millisecond: then by name.
  for (const id of range(1_500)) void redis.zadd('{hand:same}:delayed', server.now() + 1_000, id)
  await push('same', { id: 'x', due: { afterMs: 2_000 } })
  for (const id of range(1_500)) void redis.hset('{hand:same}:delayed:b', id, 'no frame')
  t.strictSame(await pages('same', 'delayed', 400, (_, found) => inspector.remove('same', found.at(-1)!)), [
    ...range(1_500).sort(),
    'x',
  ])
  const [one, two] = [consumer('held', 'one'), consumer('held', 'two')]
  await push('held', ...range(12))
  await two.trip(5)
  await one.trip(4)
  await one.trip(3)
  const order = [...range(12).slice(5), ...range(5)]
  t.strictSame(await pages('held', 'leased', 3, async page => page === 1 && one.trip(0, ['done', 'm7'])), order)
  await bury('dead', ...range(12))
  t.strictSame(await pages('dead', 'dead', 5, async page => inspector.drop('dead', [`m${page - 1}`])), range(12))
})

t.test('a page ends early where messages are large, and goes on', async t => {
  const body = Buffer.alloc(1_500_000)
  const ids = range(8)
  await push('large', { id: 'small' }, ...ids.map(id => ({ id, body })))
  const { entries } = await inspector.list('large', 'ready', { limit: 1_000 })
  t.ok(entries.length > 1 && entries.length < 6, `${entries.length} of 1.5 MB in a page`)
  t.strictSame(await pages('large', 'ready', 1_000), ['small', ...ids])
  t.equal((await inspector.find('m0', 'large'))?.envelope.body.length, body.length)
  await push('large', ...ids.map(id => ({ id: `d${id}`, body, due: { afterMs: 1 } })))
  t.strictSame(
    await pages('large', 'delayed', 1_000),
    ids.map(id => `d${id}`),
  )
  await consumer('large', 'one').trip(9)
  t.strictSame(await pages('large', 'leased', 1_000), ['small', ...ids])
  t.match(await inspector.find('m7', 'large'), { place: 'leased' })
  t.equal(await inspector.purge('large'), 8)
  await redis.del('{hand:large}:leased:one')
})

t.test('a message is found wherever it is, in one queue or in all', async t => {
  const one = consumer('find', 'one')
  await redis.sadd('{hand:}:queues', 'find', 'nobody')
  await bury('find', 'corpse')
  await push('find', 'held')
  await one.trip(1)
  await push('find', { id: 'low', priority: 2 }, { id: 'later', due: { afterMs: 50 } }, ...range(2_500))
  for (const queue of ['find', undefined])
    for (const [id, place] of [
      ['corpse', 'dead'],
      ['held', 'leased'],
      ['low', 'ready'],
      ['later', 'delayed'],
      ['m0', 'ready'],
      ['m2499', 'ready'],
    ] as const)
      t.match(await inspector.find(id, queue), { place, envelope: { id, queue: 'find' } }, id)
  t.equal(await inspector.find('m2500'), undefined)
  server.advance(50)
  t.match(await inspector.find('later', 'find'), { place: 'ready', at: server.now() }, 'due is ready')
})

t.test('what somebody else wrote is shown, and can be taken away', async t => {
  const tag = '{hand:hostile}:',
    junk = [
      'x',
      'no frame at all, but long enough to hold one',
      Buffer.alloc(40, 255),
      Buffer.from([0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0]),
    ]
  await push('hostile', 'a')
  await redis.rpush(`${tag}r1`, ...junk, '')
  await push('hostile', 'b')
  await redis.rpush(`${tag}again`, 'x')
  for (const place of ['delayed', 'dead']) {
    await redis.zadd(
      `${tag}${place}`,
      server.now() + 9_000,
      'no body',
      server.now() + 9_001,
      'short',
      server.now() + 9_002,
      Buffer.of(255, 254),
    )
    await redis.hset(`${tag}${place}:b`, 'short', 'x', Buffer.of(255, 254), Buffer.alloc(6, 255))
  }
  await redis.zadd(`${tag}leases`, server.now(), 'one', server.now(), 'two')
  await redis.hset(`${tag}leased:one`, '#', '1', '1.0', 'x', 'y', 'z')
  const ready = await list('hostile', 'ready')
  t.equal(ready.length, 6)
  t.strictSame([ready[0], ready[5]], ['a', 'b'])
  t.ok(ready.slice(1, 5).every(id => id.startsWith('raw-')))
  t.strictSame(await pages('hostile', 'ready', 1), ready)
  t.equal((await list('hostile', 'suspect')).length, 1)
  t.equal((await list('hostile', 'leased')).length, 1)
  for (const place of ['delayed', 'dead'] as const) {
    t.strictSame(
      (await pages('hostile', place, 1)).map(id => id.slice(0, 4)),
      ['shor', 'raw-'],
    )
    t.strictSame((await list('hostile', place)).slice(0, 1), ['short'])
  }
  t.equal(await inspector.revive('hostile', ['short']), 0, 'what is no letter is not revived')
  t.equal(await inspectorOf({ ...link, oneSlot: false }).revive('hostile', ['short'], { to: 'elsewhere' }), 0)
  t.equal(await inspector.drop('hostile', ['short']), 1)
  t.equal(await inspector.reschedule('hostile', 'short', { due: { afterMs: 5 }, priority: 0 }), 'changed')
  t.equal(await inspector.reschedule('hostile', ready[2]!, { priority: 0 }), 'changed')
  t.equal(await inspector.remove('hostile', ready[1]!), 'leased', 'one with the same bytes is held')
  t.equal(await inspector.remove('hostile', ready[3]!), 'removed')
  t.equal((await inspector.counts('hostile')).oldestMs, 0)
})

t.test('a cursor that is none is refused, and a server that refuses is said to', async t => {
  const { cursor } = await inspector.list('purge', 'dead', { limit: 1 })
  t.equal(cursor, undefined)
  for (const place of ['ready', 'delayed', 'leased'] as const)
    for (const wrong of ['', 'x', 'd.1', 'r.1.2.:a', 'l.:a', 'd.:eHg.:eHg', 'd.:MXg.:eHg', 'l.:eHg.:eHg', 's.1.2.:a.:b'])
      await t.rejects(inspector.list('purge', place, { cursor: wrong }), { code: 'OPTION_INVALID' }, `${place} ${wrong}`)
  await redis.set('{hand:wrong}:r1', 'a string')
  await t.rejects(inspector.counts('wrong'), { code: 'BROKER_INVALID', retryable: false, message: /redis:\/\/127.*WRONGTYPE/ })
})

t.test('it waits until the link is up', async t => {
  let ups = 0
  const down = { ...link, isUp: false, up: async () => void ups++ }
  await inspectorOf(down).queues()
  t.equal(ups, 1)
})
