/** The proxy between real sockets: each fault, and each byte of an exchange at which a connection can be cut. */
import { createServer } from 'node:net'
import { once } from 'node:events'
import t from 'tap'
import { movingClock } from '../../lib/moving-clock.ts'
import { turns } from '../helpers/turns.ts'
import { everyCut, measure } from './cuts.ts'
import { client, echo, peer } from './peers.ts'
import { openProxy } from './proxy.ts'
import { seeded } from './random.ts'
import { weather } from './weather.ts'

const REQUEST = Buffer.alloc(211, 'q'),
  REPLY = Buffer.alloc(173, 'r')

/** It replies to each whole request. */
const replier = () =>
  peer((all, socket) => {
    if (all.length % REQUEST.length === 0) socket.write(REPLY)
  })

t.test('bytes, and the end of a connection, pass as they are', async t => {
  await using server = await echo()
  await using proxy = await openProxy({ to: server })
  using one = client(proxy.port)
  const random = seeded(7),
    sent = Buffer.from(Array.from({ length: 3_000_000 }, () => random() * 256))
  one.socket.write(sent)
  t.ok(sent.equals(await one.receives(sent.length)))
  t.strictSame(proxy.passed, { up: sent.length, down: sent.length })
  t.equal(proxy.open, 1)
  one.socket.end()
  t.strictSame([await one.ended, await server.ends[0]], ['end', 'end'])
  await proxy.quiet()
  t.equal(proxy.open, 0)
})

t.test('half a close is half a close, and a reset is a reset', async t => {
  await using server = await replier()
  await using proxy = await openProxy({ to: server })
  using one = client(proxy.port)
  one.socket.end(REQUEST)
  t.ok(REPLY.equals(await one.receives(REPLY.length)), 'the reply comes after the client has said its last')

  using two = client(proxy.port)
  two.socket.write(REQUEST)
  await two.receives(REPLY.length)
  two.socket.resetAndDestroy()
  t.equal(await server.ends[1], 'reset')
  await proxy.quiet()
})

t.test('at every byte of an exchange: so many arrive, no more, and both sides learn of it', async t => {
  await using server = await replier()
  await using proxy = await openProxy({ to: server })
  const length = await measure(proxy, async () => {
    using whole = client(proxy.port)
    whole.socket.write(REQUEST)
    await whole.receives(REPLY.length)
  })
  t.strictSame(length, { up: REQUEST.length, down: REPLY.length })
  let count = 0
  const wrong: unknown[] = []
  for (const { direction, bytes, how } of everyCut(length, { hows: ['rst', 'fin'] })) {
    const cut = proxy.cutAfter(bytes, direction, how)
    using one = client(proxy.port)
    one.socket.write(REQUEST)
    const isCut = await cut,
      end = await one.ended
    await proxy.quiet()
    const serverEnd = await server.ends.at(-1)
    const seen = { isCut, ends: [end, serverEnd], up: server.got.at(-1)!.length, down: one.got.length }
    const ends = how === 'rst' ? ['reset', 'reset'] : ['end', 'end']
    const due = direction === 'up' ? { up: bytes, down: 0 } : { up: REQUEST.length, down: bytes }
    if (JSON.stringify(seen) !== JSON.stringify({ isCut: true, ends, ...due })) wrong.push({ direction, bytes, how, ...seen })
    count++
  }
  t.strictSame(wrong, [])
  t.equal(count, 2 * (REQUEST.length + 1 + REPLY.length + 1))
})

t.test('a cut is due once, over all connections; healed or closed, it says that it was none', async t => {
  await using server = await echo()
  const proxy = await openProxy({ to: server })
  using one = client(proxy.port)
  one.socket.write('abc')
  await one.receives(3)
  const cut = proxy.cutAfter(5, 'up')
  using two = client(proxy.port)
  two.socket.write('defg')
  await two.receives(4)
  one.socket.write('hi')
  t.equal(await cut, true)
  t.equal(await one.ended, 'reset')
  t.equal(server.got[0]!.toString(), 'abch', 'the fifth byte is the last one')
  const healed = proxy.cutAfter(1, 'down')
  proxy.heal()
  t.equal(await healed, false)
  two.socket.write('j')
  await two.receives(5)
  const closed = proxy.cutAfter(1, 'down')
  await proxy[Symbol.asyncDispose]()
  t.equal(await closed, false)
})

t.test('who knows the protocol says where to cut', async t => {
  await using server = await peer((_, socket, more) => void socket.write(more.toString().replaceAll('?', '!\n')))
  await using proxy = await openProxy({ to: server })
  const afterReplies = (count: number) => (bytes: Buffer) => {
    for (let at = bytes.indexOf('\n'); at >= 0; at = bytes.indexOf('\n', at + 1)) if (--count === 0) return at + 1
    return undefined
  }
  using one = client(proxy.port)
  const cut = proxy.cutWhen(afterReplies(3), 'down')
  one.socket.write('a?')
  await one.receives(3)
  one.socket.write('b?c?d?')
  t.ok(await cut)
  t.equal(await one.ended, 'reset')
  t.equal(one.got.toString(), 'a!\nb!\nc!\n')
})

t.test('a reply that is dropped: the server did it, and the client does not know', async t => {
  await using server = await replier()
  await using proxy = await openProxy({ to: server })
  using one = client(proxy.port)
  const dropped = proxy.dropReply()
  one.socket.write(REQUEST)
  t.ok(await dropped)
  t.equal(await one.ended, 'reset')
  t.strictSame([server.got[0]!.length, one.got.length], [REQUEST.length, 0])
  using two = client(proxy.port)
  two.socket.write(REQUEST)
  t.ok(REPLY.equals(await two.receives(REPLY.length)), 'the next one arrives')
})

for (const direction of ['up', 'down', 'both'] as const)
  t.test(`silent ${direction}: nothing passes there, nobody is told, and it passes when healed`, async t => {
    await using server = await peer((all, socket) => {
      if (all.length === 2) socket.write('reply')
    })
    await using proxy = await openProxy({ to: server })
    using one = client(proxy.port)
    one.socket.write('1')
    while (server.got[0]?.length !== 1) await turns(1)
    proxy.silence(direction)
    one.socket.write('2')
    if (direction === 'down') while (server.got[0]!.length < 2) await turns(1)
    using fresh = client(proxy.port)
    await once(fresh.socket, 'connect')
    fresh.socket.end('x')
    await turns(50)
    t.equal(server.got[0]!.toString(), direction === 'down' ? '12' : '1')
    t.equal(one.got.length, 0)
    t.equal(proxy.open, 2, 'both are open, though one side has left')
    t.notOk(one.socket.destroyed)
    proxy.heal()
    t.equal((await one.receives(5)).toString(), 'reply')
    t.equal(await fresh.ended, 'end')
  })

t.test('a connection that is cut while it is silent does not come back', async t => {
  await using server = await echo()
  await using proxy = await openProxy({ to: server })
  using one = client(proxy.port)
  one.socket.write('a')
  await one.receives(1)
  proxy.silence('both')
  one.socket.write('b')
  await turns()
  await proxy.cut()
  t.equal(await one.ended, 'reset')
  await proxy.quiet()
  proxy.heal()
  await turns()
  t.equal(server.got[0]!.toString(), 'a')
})

t.test('late by the clock that was given, in order, by chance of the seed', async t => {
  async function arrivals(seed: number): Promise<number[]> {
    const clock = movingClock()
    await using server = await echo()
    await using proxy = await openProxy({ to: server, clock, seed })
    using one = client(proxy.port)
    one.socket.write('-')
    await one.receives(1)
    proxy.delay(50, 20)
    const at: number[] = []
    for (let n = 1; n <= 5; n++) {
      one.socket.write(`${n}`)
      // There and back: the clock moves only to the next thing that is due.
      for (let way = 0; way < 2; way++) {
        while (clock.next() === undefined) await turns(1)
        clock.advance(clock.next()! - 0.001)
        await turns()
        t.equal(one.got.length, n, 'not before it is due')
        clock.advance(0.001)
      }
      await one.receives(n + 1)
      at.push(clock.monotonic())
    }
    t.equal(one.got.toString(), '-12345')
    t.equal(clock.pending, 0)
    return at
  }
  const first = await arrivals(3)
  t.strictSame(await arrivals(3), first)
  t.notSame(await arrivals(4), first)
  first.forEach((at, n) => {
    const tookMs = at - (first[n - 1] ?? 0)
    t.ok(tookMs >= 100 && tookMs <= 140, `${tookMs} ms there and back`)
  })
})

t.test('closed with bytes on their way, it leaves no timer', async t => {
  const clock = movingClock()
  await using server = await echo()
  const proxy = await openProxy({ to: server, clock })
  using one = client(proxy.port)
  proxy.delay(1_000)
  one.socket.write('a')
  while (clock.pending === 0) await turns(1)
  await proxy[Symbol.asyncDispose]()
  t.equal(clock.pending, 0)
  await one.ended
})

t.test('byte by byte', async t => {
  await using server = await replier()
  await using proxy = await openProxy({ to: server })
  proxy.fragment(1)
  using one = client(proxy.port)
  one.socket.write(REQUEST)
  t.ok(REPLY.equals(await one.receives(REPLY.length)))
  t.equal(one.pieces.length, REPLY.length)
})

t.test('leads elsewhere when told, for new connections; a server that is gone is a reset', async t => {
  await using first = await peer((_, socket) => void socket.write('1'))
  await using second = await peer((_, socket) => void socket.write('2'))
  await using proxy = await openProxy({ to: first })
  using one = client(proxy.port)
  one.socket.write('?')
  await one.receives(1)
  proxy.repoint(second)
  one.socket.write('?')
  t.equal((await one.receives(2)).toString(), '11')
  using two = client(proxy.port)
  two.socket.write('?')
  t.equal((await two.receives(1)).toString(), '2')
  const gone = createServer().listen(0, '127.0.0.1')
  await once(gone, 'listening')
  const { port } = gone.address() as { port: number }
  gone.close()
  await once(gone, 'close')
  proxy.repoint({ port })
  using three = client(proxy.port)
  t.equal(await three.ended, 'reset')
})

t.test('a storm is the same under the same seed, and calm afterwards', async t => {
  async function storm(seed: number) {
    const clock = movingClock(),
      stop = new AbortController(),
      faults: unknown[] = []
    await using server = await echo()
    await using proxy = await openProxy({ to: server, clock, seed })
    const over = weather(proxy, { seed, clock, signal: stop.signal, note: fault => faults.push(fault) })
    while (faults.length < 40) {
      clock.advance(clock.next() ?? 0)
      await turns(1)
    }
    stop.abort()
    await over
    using one = client(proxy.port)
    one.socket.write('a')
    t.equal((await one.receives(1)).toString(), 'a')
    return faults.slice(0, 40)
  }
  const faults = (await storm(1)) as { what: string }[]
  t.strictSame(await storm(1), faults)
  t.notSame(await storm(2), faults)
  for (const kind of ['cut', 'reset', 'reply', 'silent', 'late', 'byte'])
    t.ok(
      faults.some(({ what }) => what.includes(kind)),
      kind,
    )
})
