/** Redis as a server of a test: what it acknowledged survives a kill of the process, unless its settings say otherwise. */
import { connect } from 'node:net'
import { resolve } from 'node:path'
import type { Kind } from './daemon.ts'
import { needed } from './needed.ts'
import { type Resp, openResp } from './resp.ts'

/** Of redis.conf, by their names. A value is one word, or several. */
export type RedisSettings = Readonly<Record<string, string | number>>

/**
 * Its own settings, and these on top of them. With a `unixsocket` it listens there, and on its port only if that is given too. A name is in
 * its folder: `redis({ unixsocket: 'redis.sock' })` answers at `join(server.place.folder, 'redis.sock')`.
 */
export function redis(settings: RedisSettings = {}): Kind {
  const program = needed('needRedis'),
    { unixsocket } = settings
  return {
    name: 'redis',
    command: ({ folder, ports: [port] }) => {
      const own = { bind: '127.0.0.1', port: unixsocket === undefined ? port : 0, dir: folder }
      const all = { ...own, save: '', appendonly: 'yes', appendfsync: 'everysec', ...settings }
      return { program, args: Object.entries(all).flatMap(([name, value]) => [`--${name}`, `${value}`]) }
    },
    ready: /ready to accept connections/i, // at its socket it says it in other words
    async isOurs({ folder, ports: [port] }, pid) {
      using resp = await openResp(unixsocket === undefined ? port : connect(resolve(folder, `${unixsocket}`)))
      return await isRedis(resp, pid)
    },
  }
}

/** Whether what answers is the process with this id. */
export const isRedis = async (resp: Resp, pid: number): Promise<boolean> =>
  new RegExp(`^process_id:${pid}\r$`, 'm').test(String(await resp.ask('INFO', 'server')))
