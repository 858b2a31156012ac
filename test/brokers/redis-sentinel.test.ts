/** The Redis broker keeps all the rules of brokers where Sentinels say which server it is. */
import t from 'tap'
import { serverClock } from '../rig/redis-at.ts'
import { redisPair } from '../rig/redis-pair.ts'
import { everyRule } from './redis-rules.ts'
import { targetOf } from './redis-target.ts'

t.test('every rule of brokers', async t => {
  const clock = serverClock()
  await using pair = await redisPair({ clock })
  const url = () => `redis+sentinel://${pair.sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/${pair.name}`
  // What "everything stops" is here: the master dies, and its replica has all that it had.
  async function restart() {
    const before = await pair.master(),
      after = pair.nodes.find(node => node !== before)!
    await pair.isReplicaOf(before)
    await before.kill()
    await pair.promoted(after)
    await before.start()
    await pair.isReplicaOf(after)
  }
  await everyRule(t, targetOf({ clock, url, restart }))
})
