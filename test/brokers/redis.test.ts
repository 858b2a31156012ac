/** The Redis broker keeps all the rules of brokers, on a real server. */
import t from 'tap'
import { redisAt } from '../rig/redis-at.ts'
import { everyRule } from './redis-rules.ts'
import { redisTarget } from './redis-target.ts'

t.test('every rule of brokers', async t => {
  await using server = await redisAt()
  await everyRule(t, redisTarget(server))
})
