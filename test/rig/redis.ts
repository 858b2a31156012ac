/** Redis as a server of a test: what it acknowledged survives a kill of the process, unless its settings say otherwise. */
import type { Kind } from './daemon.ts'
import { needed } from './needed.ts'
import { type Resp, openResp } from './resp.ts'

/** Of redis.conf, by their names. A value is one word, or several. */
export type RedisSettings = Readonly<Record<string, string | number>>

/** Its own settings, and these on top of them. */
export function redis(settings: RedisSettings = {}): Kind {
  const program = needed('needRedis')
  return {
    name: 'redis',
    command: ({ folder, ports: [port] }) => {
      const all = { bind: '127.0.0.1', port, dir: folder, save: '', appendonly: 'yes', appendfsync: 'everysec', ...settings }
      return { program, args: Object.entries(all).flatMap(([name, value]) => [`--${name}`, `${value}`]) }
    },
    ready: /Ready to accept connections/,
    async isOurs({ ports: [port] }, pid) {
      using resp = await openResp(port)
      return await isRedis(resp, pid)
    },
  }
}

/** Whether what answers is the process with this id. */
export const isRedis = async (resp: Resp, pid: number): Promise<boolean> =>
  new RegExp(`^process_id:${pid}\r$`, 'm').test(String(await resp.ask('INFO', 'server')))
