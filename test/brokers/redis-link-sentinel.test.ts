/** A Link by Sentinels: it finds the master, follows it when another one is promoted, and takes no replica for it. */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import t from 'tap'
import { startDaemon } from '../rig/daemon.ts'
import { redis } from '../rig/redis.ts'
import { openProxy } from '../rig/proxy.ts'
import { type RedisPair, redisPair } from '../rig/redis-pair.ts'
import { beside, failure, hearing, how, linkTo, until } from './redis-links.ts'

const urlOf = ({ sentinels, name }: RedisPair, before = '') =>
  `redis+sentinel://${before}${sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/${name}`

t.test('the master is killed: the link and its channels go to the one that is promoted', async t => {
  await using pair = await redisPair()
  const [first, second] = pair.nodes
  await using link = linkTo(`${urlOf(pair)}/2`)
  t.equal(link.name, `${urlOf(pair)}/2`)
  const ear = hearing()
  link.listen('c', ear.heard)
  await link.up()
  t.ok(link.oneSlot)
  t.equal(await ear.next(), undefined)
  await link.ask('SET', 'k', 'v')
  t.match(String(await link.ask('CLIENT', 'INFO')), / db=2 /)
  await pair.isReplicaOf(first)
  await first.kill()
  await link.ask('PING').catch(() => {})
  t.strictSame(await how(link.ask('PING')), ['away', 'no'])
  await link.up()
  t.equal(await pair.master(), second)
  t.equal(String(await link.ask('GET', 'k')), 'v')
  t.equal(await link.run('renew', ['{n:q}:r0'], ['me', 1_000]), 0, 'with the scripts')
  t.equal(await ear.next(), undefined)
  await link.ask('SPUBLISH', 'c', 'm')
  t.equal(await ear.next(), 'm')
})

t.test('a master that is made a replica by an ordered failover is left', async t => {
  await using pair = await redisPair()
  const [first, second] = pair.nodes
  await using link = linkTo(urlOf(pair))
  await link.up()
  await link.ask('SET', 'k', '1')
  await pair.isReplicaOf(first)
  await pair.failover()
  await pair.promoted(second)
  await pair.isReplicaOf(second) // the old one is told, and ends its connections
  for (let stored = false; !stored;)
    stored = await link.ask('SET', 'k', '2').then(
      () => true,
      async () => (await link.up(), false),
    )
  t.equal(await beside(second.port, 'GET', 'k'), '2')
})

t.test('a sentinel that is gone, or silent, hinders nothing', async t => {
  await using pair = await redisPair()
  const [sentinel] = pair.sentinels
  await using proxy = await openProxy({ to: sentinel! })
  proxy.silence('both')
  await using link = linkTo(`redis+sentinel://127.0.0.1:1,127.0.0.1:${proxy.port},127.0.0.1:${sentinel!.port}/${pair.name}`)
  await link.up()
  t.ok(link.isUp)
  t.equal(await beside(pair.nodes[0].port, 'CLIENT', 'LIST').then(text => String(text).split('name=greenroom').length - 1), 1)
})

t.test('what a sentinel names and is no master is not taken for one', async t => {
  await using master = await startDaemon(redis())
  await using replica = await startDaemon(redis({ replicaof: `127.0.0.1 ${master.port}` }))
  let named = replica
  const sentinel = createServer(socket => {
    socket
      .on('error', () => {})
      .on('data', data => {
        for (const [, command] of String(data).matchAll(/\r\n(CLIENT|SENTINEL)\r\n/g))
          socket.write(
            command === 'CLIENT' ? '+OK\r\n' : `*2\r\n$9\r\n127.0.0.1\r\n$${`${named.port}`.length}\r\n${named.port}\r\n`,
          )
      })
  }).listen(0, '127.0.0.1')
  t.teardown(() => sentinel.close())
  await once(sentinel, 'listening')
  await using link = linkTo(`redis+sentinel://127.0.0.1:${(sentinel.address() as AddressInfo).port}/m`)
  const up = link.up()
  t.match(await until(/trying again/), `127.0.0.1:${replica.port} is no master now but a slave`)
  t.notOk(link.isUp)
  named = master
  await up
  t.equal(String(await link.ask('SET', 'k', 'v')), 'OK')
})

t.test('a master that no sentinel knows; sentinels that want a password; none that answers', async t => {
  await using pair = await redisPair()
  const [sentinel] = pair.sentinels
  await using other = linkTo(urlOf(pair).replace(/[^/]*$/, 'other'))
  t.match(await failure(other.up()), { why: 'broken', message: /knows no master other/ })
  await beside(sentinel!.port, 'ACL', 'SETUSER', 'default', 'resetpass', '>s3cret')
  await using none = linkTo(urlOf(pair))
  t.match(await failure(none.up()), { why: 'denied', message: /NOAUTH/ })
  await using wrong = linkTo(`${urlOf(pair)}?sentinelPassword=wrong`)
  t.match(await failure(wrong.up()), { why: 'denied', message: /WRONGPASS/ })
  await using right = linkTo(`${urlOf(pair)}?sentinelPassword=s3cret`)
  await right.up()
  t.ok(right.isUp)
  await using away = linkTo('redis+sentinel://127.0.0.1:1,127.0.0.1:2/m')
  const up = how(away.up())
  await until(/ECONNREFUSED/)
  await away[Symbol.asyncDispose]()
  t.strictSame(await up, ['away', 'no'])
})
