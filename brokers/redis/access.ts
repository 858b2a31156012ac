/**
 * What the user of a URL must be allowed to do, command by command and key by key, and what is missing of it. Nobody may need the right to
 * read rights for that: a script asks the server about itself (scripts/access.lua). docs/redis.md has the same as rules to copy.
 */
import { keysOf, queuesKey, sweepKey } from './keys.ts'
import type { Link } from './link.ts'

/** Of a queue that nobody has: keys of every kind have its tag, and no key is touched. */
const QUEUE = '.access'

/** What is needed to do something, as samples: a command, its key, and as many more words as it needs. */
export interface Need {
  readonly to: 'send' | 'work'
  readonly samples: readonly string[]
}

export function needsOf(namespace: string): readonly Need[] {
  const keys = keysOf(namespace, QUEUE),
    { ready, again, delayed, delayedBodies, dead, deadBodies, leases, meta, wake, tag } = keys
  const token = keys.token('x'),
    leased = keys.leased('x'),
    lists = [...ready, again]
  const push = [
    `evalsha x 1 ${ready[0]}`,
    'script load x',
    'time',
    `get ${token}`,
    ...[token, `${tag}once:x`, `${tag}onces`].map(key => `set ${key} x px 1`),
    ...[`${tag}once:x`, `${tag}onces`].map(key => `exists ${key}`),
    `pttl ${tag}onces`,
    `hsetnx ${delayedBodies} x x`,
    `zadd ${delayed} 1 x`,
    `zrange ${delayed} 0 0`,
    ...ready.map(key => `rpush ${key} x`),
    `spublish ${wake} x`,
    `sadd ${queuesKey(namespace)} x`,
  ]
  const work = [
    ...[leased, meta].map(key => `hget ${key} x`),
    ...[leased, delayedBodies, deadBodies].map(key => `hset ${key} x x`),
    ...[leased, delayedBodies, deadBodies].map(key => `hdel ${key} x`),
    `hsetnx ${deadBodies} x x`,
    `hkeys ${leased}`,
    `hexists ${leased} x`,
    `hmget ${delayedBodies} x`,
    `del ${leased}`,
    ...[leases, dead].map(key => `zadd ${key} 1 x`),
    ...[leases, delayed, dead].map(key => `zrem ${key} x`),
    ...[leases, dead].map(key => `zrange ${key} 0 0`),
    ...[leases, delayed, dead].map(key => `zrangebyscore ${key} 0 1`),
    `zscore ${leases} x`,
    `zcard ${dead}`,
    ...lists.map(key => `lrange ${key} 0 0`),
    ...lists.map(key => `ltrim ${key} 0 0`),
    ...lists.map(key => `lpush ${key} x`),
    `rpush ${again} x`,
    `exists ${again}`,
    `ssubscribe ${wake}`,
    `smembers ${queuesKey(namespace)}`,
    `set ${sweepKey(namespace)} x nx px 1`,
    'info',
  ]
  return [
    { to: 'send', samples: push },
    { to: 'work', samples: work },
  ]
}

/** The samples that its user is refused. @throws {LinkError} also when it may run no script at all */
export async function refusedOf(link: Link, namespace: string, samples: readonly string[]): Promise<readonly string[]> {
  const allowed = String(await link.run('access', [keysOf(namespace, QUEUE).ready[0]], samples))
  return samples.filter((_, i) => allowed[i] !== '1')
}

/** The commands alone, as rules of a user have them: `+lpush +script|load`. */
export const rulesOf = (samples: readonly string[]): string =>
  [...new Set(samples.map(sample => `+${sample.replace(/^script load.*/, 'script|load').split(' ')[0]}`))].join(' ')
