/** The connections to a Redis server: what is sent once, what a failure says, how they come back, and how they end. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { SCRIPTS } from '../../brokers/redis/scripts.ts'
import { systemClock } from '../../lib/clock.ts'
import { turns } from '../helpers/turns.ts'
import type { LinkError } from '../../brokers/redis/link.ts'
import { everyCut, measure } from '../rig/cuts.ts'
import { type Daemon, startDaemon } from '../rig/daemon.ts'
import { freePort } from '../rig/ports.ts'
import { openProxy } from '../rig/proxy.ts'
import { seeded } from '../rig/random.ts'
import { redis } from '../rig/redis.ts'
import { openResp } from '../rig/resp.ts'
import { beside, failure, hearing, how, linkTo, until, urlOf } from './redis-links.ts'

let server: Daemon
t.before(async () => {
  server = await startDaemon(redis())
})
t.teardown(() => server[Symbol.asyncDispose]())

t.test('it runs scripts and commands: strings are bytes, replies have the shapes of RESP2', async t => {
  await using link = linkTo(`${urlOf(server)}/3`)
  t.equal(link.name, `redis://127.0.0.1:${server.port}/3`)
  t.equal(link.isUp, false)
  t.strictSame(await how(link.ask('PING')), ['away', 'no'], 'nothing is sent before up()')
  await link.up()
  t.ok(link.isUp && link.oneSlot)
  const random = seeded(1)
  const bytes = Buffer.from(Array.from({ length: 100_000 }, () => random() * 256))
  t.strictSame(await link.ask('SET', 'k', bytes), Buffer.from('OK'))
  t.strictSame(await link.ask('GET', 'k'), bytes)
  await link.ask('SET', 'view', new Uint8Array(bytes.buffer, bytes.byteOffset + 5, 7))
  t.strictSame(await link.ask('GET', 'view'), bytes.subarray(5, 12))
  t.equal(await link.ask('GET', 'none'), null)
  t.equal(await link.ask('INCR', 'n'), 1)
  t.strictSame(await link.ask('HGETALL', 'none'), [])
  await link.ask('HSET', 'h', 'f', 1.5)
  for (const command of ['HGETALL', 'hgetall']) t.strictSame(await link.ask(command, 'h'), [Buffer.from('f'), Buffer.from('1.5')])
  t.equal(await link.run('renew', ['{n:q}:r0'], ['me', 1_000]), 0)
  t.strictSame(await link.run('exchange', ['{n:q}:r0'], ['me', 2, 1000, 1, '0', 100, 10, 10, '']), [Buffer.from('FENCED')])
  t.match(String(await link.ask('CLIENT', 'LIST')), /name=greenroom .* db=3 .* resp=2/)
})

t.test('scripts are there after each connect; flushed, that one is loaded and sent again', async t => {
  await using link = linkTo(urlOf(server))
  await link.up()
  const shas = Object.values(SCRIPTS).map(({ sha }) => sha)
  t.strictSame(
    await link.ask('SCRIPT', 'EXISTS', ...shas),
    shas.map(() => 1),
  )
  await beside(server.port, 'SCRIPT', 'FLUSH')
  const all = [1, 2, 3].map(() => link.run('renew', ['{n:q}:r0'], ['me', 1_000]))
  t.strictSame(await Promise.all(all), [0, 0, 0])
  t.match(SCRIPTS.renew.sha, createHash('sha1').update(SCRIPTS.renew.lua).digest('hex'))
})

t.test('the same over a Unix socket', async t => {
  await using one = await startDaemon(redis({ unixsocket: 'redis.sock' }))
  const path = join(one.place.folder, 'redis.sock')
  await using link = linkTo(`unix:${path}?db=2`)
  await link.up()
  t.equal(link.name, `unix:${path}?db=2`)
  t.match(String(await link.ask('CLIENT', 'INFO')), / db=2 /)
})

t.test('a reply that is lost: the command ran once, and the failure says that it may have', async t => {
  await using proxy = await openProxy({ to: server })
  await using link = linkTo(urlOf(proxy))
  await link.up()
  const dropped = proxy.dropReply()
  const failed = await failure(link.ask('INCR', 'once'))
  t.ok(await dropped)
  t.strictSame([failed.why, failed.ran], ['away', 'maybe'])
  t.strictSame(await how(link.ask('INCR', 'once')), ['away', 'no'])
  await link.up()
  t.equal(await link.ask('GET', 'once').then(String), '1')
})

t.test('cut at every byte of an exchange, the command ran once or not at all, as its failure says', async t => {
  await using proxy = await openProxy({ to: server })
  let length!: Awaited<ReturnType<typeof measure>>
  {
    await using link = linkTo(urlOf(proxy))
    await link.up()
    length = await measure(proxy, () => link.ask('INCR', 'cut'))
  }
  let done = 1
  const wrong: unknown[] = []
  for (const { direction, bytes, how } of everyCut(length, { hows: ['rst', 'fin'] })) {
    const link = linkTo(urlOf(proxy))
    await link.up()
    const cut = proxy.cutAfter(bytes, direction, how)
    const [said] = await Promise.allSettled([link.ask('INCR', 'cut')])
    t.ok(await cut)
    await link[Symbol.asyncDispose]() // it would be back at once
    await proxy.quiet()
    const after = Number(await beside(server.port, 'GET', 'cut'))
    const { why, ran } = said.status === 'rejected' ? (said.reason as LinkError) : { why: undefined, ran: said.value }
    const isTrue =
      said.status === 'fulfilled' ? ran === after && after === done + 1 : why === 'away' && ran === 'maybe' && after - done <= 1
    if (!isTrue) wrong.push({ direction, bytes, how, said, done, after })
    done = after
  }
  t.strictSame(wrong, [])
  t.ok(done > length.down, 'those whose reply was cut had run')
})

t.test('silence: the connection is given up with all that is unanswered, and there is a new one', async t => {
  await using proxy = await openProxy({ to: server })
  await using link = linkTo(urlOf(proxy), 100)
  await link.up()
  proxy.silence('both')
  const failures = [1, 2, 3].map(() => failure(link.ask('INCR', 'silent')))
  for (const failed of await Promise.all(failures)) {
    t.strictSame([failed.why, failed.ran], ['away', 'maybe'])
    t.match(failed.message, /no reply within 100 ms/)
  }
  t.notOk(link.isUp)
  proxy.heal()
  await link.up()
  t.ok(link.isUp)
})

t.test('a process that stood still longer than the deadline reads the reply that lies there', async t => {
  await using link = linkTo(urlOf(server), 100)
  await link.up()
  const replies = [1, 2].map(() => link.ask('PING'))
  await new Promise<void>(resolve => {
    setImmediate(() => {
      const until = systemClock.monotonic() + 300
      while (systemClock.monotonic() < until);
      resolve()
    })
  })
  t.strictSame(await Promise.all(replies), [Buffer.from('PONG'), Buffer.from('PONG')])
})

t.test('a server that is killed and started again: it comes back by itself, and listens again', async t => {
  await using one = await startDaemon(redis())
  await using link = linkTo(urlOf(one))
  const ear = hearing()
  link.listen('c', ear.heard)
  await link.up()
  t.equal(await ear.next(), undefined)
  await one.kill()
  await link.ask('PING').catch(() => {})
  t.strictSame(await how(link.ask('PING')), ['away', 'no'])
  await one.start()
  await link.up()
  t.strictSame(await link.ask('PING'), Buffer.from('PONG'))
  t.equal(await ear.next(), undefined, 'messages may have been missed')
  await link.ask('SPUBLISH', 'c', 'hello')
  t.equal(await ear.next(), 'hello')
})

t.test('two connections for any number of channels; a channel is heard until its last listener leaves', async t => {
  await using one = await startDaemon(redis())
  await using link = linkTo(urlOf(one))
  await link.up()
  const clients = async () =>
    String(await link.ask('CLIENT', 'LIST'))
      .trim()
      .split('\n').length
  t.equal(await clients(), 1)
  const ears = [hearing(), hearing(), hearing()]
  const [a, , c] = [link.listen('x', ears[0]!.heard), link.listen('x', ears[1]!.heard), link.listen('y', ears[2]!.heard)]
  for (const ear of ears) t.equal(await ear.next(), undefined)
  t.equal(await clients(), 2)
  a()
  a()
  c()
  await link.ask('SPUBLISH', 'x', 'one')
  let heard = await ears[1]!.next()
  while (heard === undefined) heard = await ears[1]!.next() // told once more for a listener that came
  t.equal(heard, 'one')
  while (Number(((await link.ask('PUBSUB', 'SHARDNUMSUB', 'y')) as unknown[])[1]) > 0);
  t.equal(await link.ask('SPUBLISH', 'y', 'nobody'), 0)
})

t.test('a listening connection that went silent is noticed without a message', async t => {
  await using proxy = await openProxy({ to: server })
  await using link = linkTo(urlOf(proxy), 50)
  const ear = hearing()
  link.listen('c', ear.heard)
  t.equal(await ear.next(), undefined)
  proxy.silence('both')
  const again = proxy.connected()
  await again
  proxy.heal()
  t.equal(await ear.next(), undefined)
  await beside(server.port, 'SPUBLISH', 'c', 'm')
  t.equal(await ear.next(), 'm')
})

t.test('what the server refuses: why, and whether the script ran', async t => {
  await using one = await startDaemon(redis())
  await using link = linkTo(urlOf(one))
  await link.up()
  const push = () => link.run('push', ['{n:q}:r0'], ['t', 1, ''])
  await beside(one.port, 'CONFIG', 'SET', 'maxmemory', '1')
  t.strictSame(await how(push()), ['full', 'no'])
  t.equal(await link.run('renew', ['{n:q}:r0'], ['me', 1_000]), 0, 'a full server can be drained')
  await beside(one.port, 'CONFIG', 'SET', 'maxmemory', '0')
  await beside(one.port, 'CONFIG', 'SET', 'min-replicas-to-write', '1')
  t.strictSame(await how(push()), ['unready', 'no'])
  await beside(one.port, 'CONFIG', 'SET', 'min-replicas-to-write', '0')
  await link.ask('LPUSH', '{n:q}:tok:t', 'x')
  t.strictSame(await how(push()), ['broken', 'maybe'], 'an error inside of a script')
  t.strictSame(await how(link.ask('GET', '{n:q}:tok:t')), ['broken', 'maybe'])
  const unknown = await failure(link.ask('NONESUCH', 'a secret'))
  t.match(unknown.message, /unknown command/)
  t.notMatch(unknown.message, /secret/)
})

t.test('a replica is left for the master: READONLY ends the connection', async t => {
  await using one = await startDaemon(redis())
  await using proxy = await openProxy({ to: server })
  await using link = linkTo(urlOf(proxy))
  await link.up()
  await link.ask('SET', 'where', 'first')
  await beside(one.port, 'REPLICAOF', '127.0.0.1', `${server.port}`)
  proxy.repoint(one)
  await proxy.cut()
  while (link.isUp) await turns(1)
  await link.up()
  proxy.repoint(server)
  t.strictSame(await how(link.ask('SET', 'where', 'replica')), ['unready', 'no'])
  await link.up()
  t.strictSame(await link.ask('SET', 'where', 'master'), Buffer.from('OK'))
})

t.test('a server that loads or runs a long script is waited for', async t => {
  await using one = await startDaemon(redis({ 'busy-reply-threshold': 1 }))
  using blocker = await openResp(one.port)
  const blocked = blocker.ask('EVAL', 'while true do end', '0').catch(() => 'killed')
  while ((await beside(one.port, 'PING').catch((error: Error) => error.message.slice(0, 4))) !== 'BUSY');
  await using link = linkTo(urlOf(one))
  const up = link.up()
  const first = await Promise.race([up, until(/no connection to Redis.* BUSY /)])
  t.match(first, /BUSY/)
  await beside(one.port, 'SCRIPT', 'KILL')
  t.equal(await blocked, 'killed')
  await up
  t.ok(link.isUp)
})

t.test('too many clients: it is tried again until there is room', async t => {
  await using one = await startDaemon(redis({ maxclients: 1 }))
  let up: Promise<void>
  await using link = linkTo(urlOf(one))
  {
    using _ = await openResp(one.port)
    up = link.up()
    t.match(await until(/max number of clients/), /trying again/)
  }
  await up
  t.ok(link.isUp)
})

t.test('up() waits for a server that is not there yet, until the signal says otherwise', async t => {
  const port = await freePort()
  await using link = linkTo(`redis://127.0.0.1:${port}`)
  const giveUp = new AbortController()
  const [waiting, patient] = [link.up(giveUp.signal), link.up()]
  await until(/ECONNREFUSED/)
  giveUp.abort(new Error('enough'))
  await t.rejects(waiting, /enough/)
  await t.rejects(link.up(AbortSignal.abort(new Error('at once'))), /at once/)
  t.match((await failure(link.ask('PING'))).message, /cannot be reached: .*ECONNREFUSED/)
  await using _ = await startDaemon({ ...redis({ port }), isOurs: async () => true })
  await patient
  t.ok(link.isUp)
})

t.test('what is no Redis is not waited for', async t => {
  const other = createServer(socket => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')).listen(0, '127.0.0.1')
  t.teardown(() => other.close())
  await once(other, 'listening')
  await using link = linkTo(urlOf(other.address() as { port: number }))
  const failed = await failure(link.up())
  t.strictSame([failed.why, /is no Redis/.test(failed.message)], ['broken', true])
})

t.test('disposed: what is in flight rejects, nothing is left, and nothing begins', async t => {
  const one = await startDaemon(redis())
  const link = linkTo(urlOf(one))
  link.listen('c', () => {})
  await link.up()
  one.pause()
  const flying = how(link.ask('INCR', 'n'))
  await link[Symbol.asyncDispose]()
  t.strictSame(await flying, ['away', 'maybe'])
  t.strictSame(await how(link.ask('INCR', 'n')), ['away', 'no'])
  t.strictSame(await how(link.up()), ['away', 'no'])
  const early = linkTo(urlOf(one)) // greets a server that is paused
  const up = how(early.up())
  await early[Symbol.asyncDispose]()
  t.strictSame(await up, ['away', 'no'])
  one.continue()
  await one[Symbol.asyncDispose]()
  await linkTo(urlOf(one))[Symbol.asyncDispose]()
})
