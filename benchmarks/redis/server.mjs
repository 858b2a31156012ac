/**
 * A Redis server for one part of the benchmark, the one that tests start (test/rig): on a free port, in a folder of its own, with
 * `appendonly yes` and `appendfsync everysec` if not told otherwise. It is gone when the part ends.
 */
import { Redis } from 'ioredis'
import { register } from 'tsx/esm/api'

const unregister = register() // the rig is TypeScript
const { startDaemon } = await import('../../test/rig/daemon.ts')
const { redis } = await import('../../test/rig/redis.ts')
await unregister()

export async function startServer(settings = {}) {
  const daemon = await startDaemon(redis(settings))
  const asking = new Redis({ port: daemon.port })
  /** Of INFO, by name. */
  const info = async section =>
    Object.fromEntries((await asking.info(section)).split('\r\n').flatMap(line => (line.includes(':') ? [line.split(':')] : [])))
  return {
    port: daemon.port,
    url: `redis://127.0.0.1:${daemon.port}`,
    /** That it holds for what is stored, when nothing is on its way any more. */
    async bytes() {
      let before = NaN
      for (;;) {
        const now = Number((await info('memory')).used_memory)
        if (Math.abs(now - before) < 2_000) return now
        before = now
        await new Promise(resolve => setTimeout(resolve, 100))
      }
    },
    /** Seconds of CPU that it has used, in all its threads. */
    async cpu() {
      const { used_cpu_user, used_cpu_sys } = await info('cpu')
      return Number(used_cpu_user) + Number(used_cpu_sys)
    },
    /** Connections, without the one that asks. */
    clients: async () => (await asking.client('LIST')).trim().split('\n').length - 1,
    async [Symbol.asyncDispose]() {
      asking.disconnect()
      await daemon[Symbol.asyncDispose]()
    },
  }
}
