/** A Redis Cluster in the hands of the rig: its nodes, and slots that move. */
import t from 'tap'
import { redisCluster } from './redis-cluster.ts'
import { openResp } from './resp.ts'
import { until } from './several.ts'

async function ask({ port }: { readonly port: number }, ...words: readonly string[]) {
  using resp = await openResp(port)
  return await resp.ask(...words)
}

t.test('three masters share the slots, and each says who has a key', async t => {
  await using cluster = await redisCluster()
  const { nodes } = cluster
  for (const node of nodes)
    t.match(await ask(node, 'CLUSTER', 'INFO'), /cluster_state:ok\r\ncluster_slots_assigned:16384\r\ncluster_slots_ok:16384\r/)
  for (const [at, slots] of [
    [0, 5_461],
    [5_462, 10_923],
    [10_924, 16_383],
  ].entries())
    for (const slot of slots) t.equal(await cluster.ownerOf(slot), nodes[at])
  const slot = await cluster.slotOf('{queue}:jobs')
  t.equal(slot, await cluster.slotOf('queue'), 'the tag of a key decides')
  const owner = await cluster.ownerOf(slot)
  t.equal(await ask(owner, 'SET', '{queue}:jobs', 'v'), 'OK')
  for (const other of nodes.filter(node => node !== owner))
    await t.rejects(ask(other, 'GET', '{queue}:jobs'), { message: `MOVED ${slot} 127.0.0.1:${owner.port}` })
})

t.test('a slot moves with its keys: MOVED; while it moves, ASK and TRYAGAIN', async t => {
  await using cluster = await redisCluster()
  const slot = await cluster.slotOf('{k}')
  const from = await cluster.ownerOf(slot)
  const [to, third] = cluster.nodes.filter(node => node !== from)
  for (const key of ['{k}1', '{k}2']) await ask(from, 'SET', key, `of ${key}`)

  await cluster.openSlot(slot, to!)
  t.equal(await ask(from, 'GET', '{k}1'), 'of {k}1', 'what is there is answered')
  await t.rejects(ask(from, 'GET', '{k}3'), { message: `ASK ${slot} 127.0.0.1:${to!.port}` })
  await cluster.moveKeys(slot, to!, 1)
  await t.rejects(ask(from, 'MGET', '{k}1', '{k}2'), { message: /^TRYAGAIN/ })
  {
    using resp = await openResp(to!.port)
    await resp.ask('ASKING')
    t.equal(await resp.ask('SET', '{k}3', 'v'), 'OK', 'who is sent there may write')
  }

  await cluster.moveSlot(slot, to!)
  t.equal(await cluster.ownerOf(slot), to)
  t.strictSame(await ask(to!, 'MGET', '{k}1', '{k}2', '{k}3'), ['of {k}1', 'of {k}2', 'v'])
  for (const other of [from, third!])
    await t.rejects(ask(other, 'GET', '{k}1'), { message: `MOVED ${slot} 127.0.0.1:${to!.port}` })
})

t.test('without one of them none answers, until it is back, with its slots and its data', async t => {
  await using cluster = await redisCluster()
  const slot = await cluster.slotOf('k')
  const owner = await cluster.ownerOf(slot)
  const others = cluster.nodes.filter(node => node !== owner)
  await ask(owner, 'SET', 'k', 'v')
  await owner.kill()
  await cluster.says('fail', others)
  for (const other of others) await t.rejects(ask(other, 'GET', 'k'), { message: /^CLUSTERDOWN/ })
  await owner.start()
  await cluster.says('ok')
  t.equal(await ask(owner, 'GET', 'k'), 'v')
  t.equal(await cluster.ownerOf(slot), owner)
})

t.test('settings are those of all nodes: with partial coverage the others go on', async t => {
  await using cluster = await redisCluster({ 'cluster-require-full-coverage': 'no' })
  const slot = await cluster.slotOf('k')
  const owner = await cluster.ownerOf(slot)
  const [gone, third] = cluster.nodes.filter(node => node !== owner)
  await gone!.kill()
  for (const node of [owner, third!])
    await until('it knows that one has failed', async () => / master,fail /.test(String(await ask(node, 'CLUSTER', 'NODES'))))
  t.equal(await ask(owner, 'SET', 'k', 'v'), 'OK')
})

t.test('one that cannot start leaves none of them behind', async t => {
  await t.rejects(redisCluster({ maxmemory: 'plenty' }), /maxmemory "plenty"/)
})
