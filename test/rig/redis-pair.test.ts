/** A master, its replica and sentinels in the hands of the rig: killed, paused, promoted, back again. */
import { existsSync } from 'node:fs'
import t from 'tap'
import { redisPair } from './redis-pair.ts'
import { openResp } from './resp.ts'
import { until } from './several.ts'

async function ask({ port }: { readonly port: number }, ...words: readonly string[]) {
  using resp = await openResp(port)
  return await resp.ask(...words)
}

t.test('what the master is told the replica has, and takes no writes of its own', async t => {
  await using pair = await redisPair()
  const [first, second] = pair.nodes
  t.equal(await pair.master(), first)
  await ask(first, 'SET', 'k', 'v')
  await pair.isReplicaOf(first)
  t.equal(await ask(second, 'GET', 'k'), 'v')
  await t.rejects(ask(second, 'SET', 'k', 'w'), { message: /^READONLY/ })
})

t.test('a master that is killed is replaced, and is a replica when it comes back', async t => {
  await using pair = await redisPair()
  const [first, second] = pair.nodes
  await ask(first, 'SET', 'k', 'v')
  await pair.isReplicaOf(first)
  await first.kill()
  await pair.promoted(second)
  t.equal(await pair.master(), second)
  t.equal(await ask(second, 'GET', 'k'), 'v')
  await ask(second, 'SET', 'k', 'w')
  await first.start()
  await pair.isReplicaOf(second)
  t.equal(await ask(first, 'GET', 'k'), 'w')
  await second.kill()
  await pair.promoted(first)
  t.equal(await ask(first, 'GET', 'k'), 'w', 'and back')
})

t.test('a role is kept by whoever is started again before it is missed', async t => {
  await using pair = await redisPair()
  const [first, second] = pair.nodes
  await pair.failover()
  await pair.promoted(second)
  await pair.isReplicaOf(second)
  await first.kill()
  await first.start()
  t.match(await ask(first, 'INFO', 'replication'), /role:slave\r/, 'from the start')
  await pair.isReplicaOf(second)
  t.equal(await pair.master(), second)
})

t.test('a replica that is paused falls behind, and has all of it when it goes on', async t => {
  await using pair = await redisPair()
  const [first, second] = pair.nodes
  second.pause()
  using writer = await openResp(first.port) // WAIT is for what its own connection has written
  let sets = 0 // the system stops a process some time after the signal
  do await writer.ask('SET', 'k', `${++sets}`)
  while ((await writer.ask('WAIT', '1', '100')) !== 0)
  second.continue()
  await pair.isReplicaOf(first)
  t.equal(await ask(second, 'GET', 'k'), `${sets}`)
})

t.test('with three sentinels two have to agree, and one may be gone', async t => {
  await using pair = await redisPair({ sentinels: 3, settings: { maxmemory: '7mb' } })
  const [first, second] = pair.nodes
  for (const node of pair.nodes) t.match(await ask(node, 'INFO', 'memory'), /maxmemory:7340032\r/)
  await pair.sentinels[0]!.kill()
  t.equal(await pair.master(), first)
  await first.kill()
  await until('the other two have agreed', async () => (await pair.master()) === second)
  await pair.sentinels[0]!.start()
  await pair.promoted(second)
  t.match(await ask(second, 'INFO', 'replication'), /role:master\r/)
})

t.test('all are gone with their folders; one that cannot start leaves none of them behind', async t => {
  const folders: string[] = []
  {
    await using pair = await redisPair()
    folders.push(...[...pair.nodes, ...pair.sentinels].map(({ place }) => place.folder))
    t.equal(folders.filter(existsSync).length, 3)
  }
  t.equal(folders.filter(existsSync).length, 0)
  await t.rejects(redisPair({ settings: { maxmemory: 'plenty' } }), /maxmemory plenty/)
})
