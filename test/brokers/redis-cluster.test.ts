/** The Redis broker keeps all the rules of brokers on a Cluster of three nodes, over which the queues of the rules spread. */
import t from 'tap'
import { serverClock } from '../rig/redis-at.ts'
import { redisCluster } from '../rig/redis-cluster.ts'
import { everyRule } from './redis-rules.ts'
import { targetOf } from './redis-target.ts'

t.test('every rule of brokers', async t => {
  const clock = serverClock()
  await using cluster = await redisCluster({}, clock)
  const url = () => `redis+cluster://${cluster.nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`
  await everyRule(t, targetOf({ clock, url, restart: () => cluster.restart() }))
})
