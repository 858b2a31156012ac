/** Redis brokers as the suites open them: on a real server whose clock, like theirs, stands still until it is moved. */
import { redisBroker } from '../../brokers/redis/index.ts'
import { standStill, watchBroker } from '../../brokers/redis/testing.ts'
import type { BrokerTarget } from '../../conformance.ts'
import type { Broker } from '../../lib/broker.ts'
import { movingClock } from '../../lib/moving-clock.ts'
import type { RedisAt, ServerClock } from '../rig/redis-at.ts'

export interface RedisServers {
  readonly clock: Pick<ServerClock, 'now' | 'advance'>
  /** When a broker is opened. */
  url(): string
  /** All of them are killed and started again. */
  restart(): Promise<void>
}

export const redisTarget = (server: RedisAt, url = () => `redis://127.0.0.1:${server.port}`): BrokerTarget =>
  targetOf({
    clock: server,
    url,
    async restart() {
      await server.kill()
      await server.start()
    },
  })

export function targetOf({ clock: its, url, restart }: RedisServers): BrokerTarget {
  const clock = movingClock(its.now()),
    opened = new Map<Broker, () => Promise<void>>()
  const quiet = async () => {
    for (const settled of opened.values()) await settled()
  }
  return {
    shared: true,
    sizes: { soak: 2_000 },
    async open(namespace = 'conformance') {
      const broker = redisBroker({ url: url(), namespace, clock })
      opened.set(broker, watchBroker(broker))
      return {
        ...broker,
        async [Symbol.asyncDispose]() {
          opened.delete(broker)
          await broker[Symbol.asyncDispose]()
        },
      }
    },
    async advance(ms) {
      // From one timer to the next, in whole milliseconds, as the server counts; far moves in few steps: nobody waits for days.
      const most = Math.max(1, ms / 200)
      for (let left = ms; left > 0;) {
        const step = Math.min(left, Math.max(most, Math.ceil(clock.next() ?? left), 1))
        its.advance(step)
        clock.advance(step)
        left -= step
        await quiet()
      }
    },
    crash: async consumer => standStill(consumer),
    restart,
  }
}
