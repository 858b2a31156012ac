/** A Link to a Redis Cluster: keys on all nodes, slots that move, nodes that go and come back, and channels that move along. */
import t from 'tap'
import { slotOf } from '../../brokers/redis/slots.ts'
import { turns } from '../helpers/turns.ts'
import type { Daemon } from '../rig/daemon.ts'
import { type RedisCluster, redisCluster } from '../rig/redis-cluster.ts'
import { startDaemon } from '../rig/daemon.ts'
import { redis } from '../rig/redis.ts'
import { beside, failure, hearing, how, linkTo } from './redis-links.ts'

let cluster: RedisCluster
t.before(async () => {
  cluster = await redisCluster()
})
t.teardown(() => cluster[Symbol.asyncDispose]())

const urlOf = (...nodes: readonly Daemon[]) => `redis+cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`
/** A queue on each node. */
async function queues(): Promise<string[]> {
  const found = new Map<Daemon, string>()
  for (let i = 0; found.size < cluster.nodes.length; i++) {
    const owner = await cluster.ownerOf(slotOf(`{n:${i}}`))
    if (!found.has(owner)) found.set(owner, `{n:${i}}`)
  }
  return [...found.values()]
}

t.test('slots are those of the server', async t => {
  for (const key of ['', 'a', '{a}b', 'x{a}', '{}a', '{', 'a}', '{a', '{{a}}', '{ns:queue}:r0', 'ä€😀', '}{x}', 'k'.repeat(300)])
    t.equal(slotOf(key), await cluster.slotOf(key), key)
})

t.test('from one node it finds the others; scripts and commands run where their keys are', async t => {
  await using link = linkTo(urlOf(cluster.nodes[1]))
  t.strictSame(await how(link.ask('GET', 'k')), ['away', 'no'])
  await link.up()
  t.ok(link.isUp && !link.oneSlot)
  t.equal(link.name, `redis+cluster://127.0.0.1:${cluster.nodes[1].port}`)
  for (const queue of await queues()) {
    t.equal(String(await link.ask('SET', `${queue}:k`, queue)), 'OK')
    t.equal(String(await link.ask('GET', `${queue}:k`)), queue)
    t.equal(await link.run('renew', [`${queue}:r0`], ['me', 1_000]), 0)
  }
  for (const { port } of cluster.nodes) {
    t.equal(await beside(port, 'DBSIZE'), 1)
    await beside(port, 'SCRIPT', 'FLUSH')
  }
  for (const queue of await queues()) t.equal(await link.run('renew', [`${queue}:r0`], ['me', 1_000]), 0, 'loaded again')
  t.match(String(await link.ask('PING')), 'PONG')
})

t.test('a node that is not there is not asked', async t => {
  await using link = linkTo(`redis+cluster://127.0.0.1:1,127.0.0.1:${cluster.nodes[2].port}`)
  await link.up()
  t.ok(link.isUp)
})

t.test('a slot that moved, and one that moves: nothing fails, nothing runs twice', async t => {
  await using link = linkTo(urlOf(...cluster.nodes))
  await link.up()
  const [key] = await queues(),
    slot = slotOf(key!),
    from = await cluster.ownerOf(slot),
    to = cluster.nodes.find(node => node !== from)!
  await link.ask('SET', key!, '0')
  t.equal(await link.ask('INCR', key!), 1)
  await cluster.moveSlot(slot, to)
  t.equal(await link.ask('INCR', key!), 2, 'MOVED')
  t.equal(await link.ask('INCR', key!), 3)
  await cluster.openSlot(slot, from)
  t.equal(await link.ask('INCR', key!), 4, 'what is there still')
  await cluster.moveKeys(slot, from)
  await beside(from.port, 'SCRIPT', 'FLUSH')
  t.equal(await link.run('renew', [`${key}:r0`], ['me', 1_000]), 0, 'ASK, also without the script')
  t.equal(await link.ask('INCR', key!), 5, 'ASK')
  await cluster.moveSlot(slot, from)
  t.equal(await link.ask('INCR', key!), 6)
})

t.test('a script whose keys are on several nodes is refused', async t => {
  await using link = linkTo(urlOf(...cluster.nodes))
  await link.up()
  const [a, b] = await queues()
  t.strictSame(await how(link.run('exchange', [`${a}:r0`, `${b}:r0`], ['me'])), ['broken', 'no'])
})

t.test('it listens to each channel on the node of its slot, and goes with it when it moves', async t => {
  await using link = linkTo(urlOf(...cluster.nodes))
  await link.up()
  const channels = (await queues()).map(queue => `${queue}:wake`)
  const ears = channels.map(() => hearing())
  const stops = channels.map((channel, i) => link.listen(channel, ears[i]!.heard))
  for (const [i, channel] of channels.entries()) {
    t.equal(await ears[i]!.next(), undefined)
    t.equal(await link.ask('SPUBLISH', channel, `to ${i}`), 1)
    t.equal(await ears[i]!.next(), `to ${i}`)
  }
  const slot = slotOf(channels[0]!),
    from = await cluster.ownerOf(slot),
    to = cluster.nodes.find(node => node !== from)!
  await cluster.moveSlot(slot, to)
  t.equal(await ears[0]!.next(), undefined, 'messages may have been missed')
  while ((await link.ask('SPUBLISH', channels[0]!, 'there')) === 0) await turns(1)
  let heard = await ears[0]!.next()
  while (heard === undefined) heard = await ears[0]!.next()
  t.equal(heard, 'there')
  stops.forEach(stop => stop())
  while ((await link.ask('SPUBLISH', channels[1]!, 'nobody')) === 1) await turns(1)
  await cluster.moveSlot(slot, from)
})

t.test('a node that is killed: its keys are away, and it is found again when it is back', async t => {
  await using link = linkTo(urlOf(...cluster.nodes))
  const early = hearing()
  const [key] = await queues(),
    owner = await cluster.ownerOf(slotOf(key!))
  link.listen(`${key}:wake`, early.heard) // before it is up
  await link.up()
  t.equal(await early.next(), undefined)
  await owner.kill()
  let failed = await how(link.ask('INCR', key!))
  while (failed[1] === 'maybe') failed = await how(link.ask('INCR', key!))
  t.strictSame(failed, ['away', 'no'])
  t.notOk(link.isUp)
  await cluster.says(
    'fail',
    cluster.nodes.filter(node => node !== owner),
  )
  const other = (await queuesBut(owner))!
  t.strictSame(await how(link.ask('GET', other)), ['unready', 'no'], 'CLUSTERDOWN')
  const back = link.up()
  await owner.start()
  await back
  await cluster.says('ok')
  t.equal(Number(await link.ask('INCR', key!)) > 0, true)
  t.equal(await early.next(), undefined)
})
async function queuesBut(node: Daemon): Promise<string | undefined> {
  for (let i = 0; ; i++) {
    const range = slotOf(`{n:${i}}`)
    const at = Math.floor(range / Math.ceil(16_384 / cluster.nodes.length))
    if (cluster.nodes[at] !== node) return `{n:${i}}`
  }
}

t.test('a server that is no Cluster says so at once; disposed while it looks for nodes, nothing is left', async t => {
  await using one = await startDaemon(redis())
  await using link = linkTo(urlOf(one))
  t.match(await failure(link.up()), { why: 'broken', message: /cluster support disabled/ })
  const none = linkTo('redis+cluster://127.0.0.1:1')
  const up = how(none.up())
  await none[Symbol.asyncDispose]()
  t.strictSame(await up, ['away', 'no'])
  t.strictSame(await how(none.up()), ['away', 'no'])
})
