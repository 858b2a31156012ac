/** The inspector of Redis beside a long queue: whatever it is asked, the server serves others between its calls. */
import t from 'tap'
import { readFrame } from '../../brokers/redis/frame.ts'
import { startDaemon } from '../rig/daemon.ts'
import { redis } from '../rig/redis.ts'
import { openHand, recordsOf } from './redis-hand.ts'
import { inspectorOf } from './redis-inspected.ts'

const COUNT = 1_000_000,
  PIECE = 1_000
/** Of the processor, and not of a clock: what the machine gives to others meanwhile is not counted. LREM in the middle takes more. */
const MOST_SECONDS = 0.02

t.test('a million messages: no call keeps the server busy for long', async t => {
  await using server = await startDaemon(redis({ appendonly: 'no' }))
  await using hand = await openHand(server.port)
  const queue = 'million',
    idOf = (n: number) => `${n}`.padStart(7, '0')
  // One piece, and the ids written over: a frame is 290 bytes, its id stands behind its first fifteen.
  const piece = recordsOf(
      queue,
      Array.from({ length: PIECE }, () => ({ id: idOf(0), body: Buffer.alloc(268, 'b') })),
    ),
    length = piece.length / PIECE
  for (let from = 0; from < COUNT; from += PIECE) {
    for (let n = 0; n < PIECE; n++) piece.write(idOf(from + n), n * length + 5 + 15, 'latin1')
    await hand.pushed(queue, piece)
  }
  await hand.push(queue, { id: 'last' })

  /** What the server's only thread that runs commands has used. */
  const used = async () => {
    const info = await hand.redis.info('cpu')
    return ['user', 'sys'].reduce((sum, kind) => sum + Number(new RegExp(`used_cpu_${kind}_main_thread:(.*)`).exec(info)![1]), 0)
  }
  const slow: string[] = []
  let calls = 0
  const inspector = inspectorOf({
    ...hand.link,
    async run(script, keys, args) {
      calls++
      // The server has other work as well, some milliseconds now and then: what changes nothing is asked again, and the least counts.
      for (let tries = 1; ; tries++) {
        const before = await used(),
          reply = (await hand.link.run(script, keys, args)) as readonly unknown[] | number,
          seconds = (await used()) - before
        const acted = typeof reply === 'number' || (args.includes('remove') && reply.length > 2) || args.includes('move')
        if (seconds > MOST_SECONDS && tries < 3 && !acted) continue
        if (seconds > MOST_SECONDS) slow.push(`${script} ${args.slice(0, 2).join(' ')}: ${seconds} s`)
        return reply
      }
    },
  })

  t.match(await inspector.counts(queue), { ready: COUNT + 1, delayed: 0, leased: 0 })
  const page = await inspector.list(queue, 'ready', { limit: 1_000 })
  t.equal(page.entries.length, 1_000)
  const [frame] = await hand.redis.lrangeBuffer(`{hand:${queue}}:r1`, COUNT / 2, COUNT / 2),
    { id } = readFrame(frame!)
  t.match(await inspector.find(id, queue), { place: 'ready', envelope: { id, body: { length: 268 } } })
  t.equal(await inspector.remove(queue, id), 'removed')
  t.ok(calls > 900, 'in pieces')
  t.equal(await inspector.reschedule(queue, 'last', { due: { afterMs: 1e9 } }), 'changed')
  t.match(await inspector.counts(queue), { ready: COUNT - 1, delayed: 1 })
  t.match(await inspector.list(queue, 'ready', { limit: 1_000, cursor: page.cursor! }), { entries: { length: 1_000 } })
  t.equal(await inspector.purge(queue), COUNT)
  t.strictSame(slow, [])
})
