/**
 * What the user of a URL must be allowed to do, command by command and key by key, and what is missing of it. Nobody may need the right to
 * read rights for that: a script asks the server about itself (scripts/access.lua). docs/redis.md has the same as rules to copy.
 */
import { keysOf, queuesKey, sweepKey } from './keys.ts'
import type { Link } from './link.ts'

/** Of a queue that nobody has: keys of every kind have its tag, and no key is touched. */
const QUEUE = '.access'

/** What is needed to do something, as samples: a command, its key, and as many more words as it needs. */
export interface Needs {
  readonly send: readonly string[]
  /** Beyond that. */
  readonly work: readonly string[]
  /** Beyond both: to look into queues and to change what is in them. */
  readonly operate: readonly string[]
}

export function needsOf(namespace: string): Needs {
  const keys = keysOf(namespace, QUEUE),
    { ready, again, delayed, delayedBodies, dead, deadBodies, leases, meta, wake, tag } = keys
  const token = keys.token('x'),
    leased = keys.leased('x'),
    once = [`${tag}once:x`, `${tag}onces`],
    lists = [...ready, again]
  return {
    send: [
      `evalsha x 1 ${ready[0]}`,
      'script load x',
      'time',
      `mget ${token} ${tag}onces`,
      ...on(token, 'set'),
      ...once.flatMap(key => on(key, 'set exists pttl')),
      ...on(delayedBodies, 'hsetnx'),
      ...on(delayed, 'zadd zrange zrevrangebyscore'),
      ...ready.flatMap(key => on(key, 'rpush')),
      `spublish ${wake} x`,
      ...on(queuesKey(namespace), 'sadd'),
    ],
    work: [
      ...on(leased, 'hget hset hdel hkeys hexists del'),
      ...on(meta, 'hget hincrby'),
      ...on(delayedBodies, 'hset hmget hdel'),
      ...on(deadBodies, 'hset hsetnx hdel'),
      ...on(leases, 'zadd zrem zrange zrangebyscore zscore'),
      ...on(delayed, 'zrem zrangebyscore'),
      ...on(dead, 'zadd zrem zrange zrangebyscore zrevrangebyscore zcard'),
      ...lists.flatMap(key => on(key, 'lrange ltrim lpush rpush')),
      ...on(again, 'exists'),
      `ssubscribe ${wake}`,
      ...on(queuesKey(namespace), 'smembers'),
      ...on(sweepKey(namespace), 'set'),
      'info',
    ],
    operate: [
      ...lists.flatMap(key => on(key, 'llen lrem lset unlink')),
      ...on(leased, 'hlen'),
      ...on(meta, 'hset hdel hexists'),
      ...[delayed, dead].flatMap(key => on(key, 'zcount zscore zscan')),
      ...on(delayed, 'zcard unlink'),
      ...[delayedBodies, deadBodies].flatMap(key => on(key, 'hget hstrlen')),
      ...on(delayedBodies, 'unlink'),
      ...on(token, 'exists'),
    ],
  }
}
/** The words behind the key make it look like a command that is whole. */
const on = (key: string, commands: string) => commands.split(' ').map(command => `${command} ${key} 1 x`)

/** The samples that its user is refused. @throws {LinkError} also when it may run no script at all */
export async function refusedOf(link: Link, namespace: string, samples: readonly string[]): Promise<readonly string[]> {
  const allowed = String(await link.run('access', [keysOf(namespace, QUEUE).ready[0]], samples))
  return samples.filter((_, i) => allowed[i] !== '1')
}

/** The commands alone, as rules of a user have them: `+lpush +script|load`. */
export const rulesOf = (samples: readonly string[]): string =>
  [...new Set(samples.map(sample => `+${sample.replace(/^script load.*/, 'script|load').split(' ')[0]}`))].join(' ')
