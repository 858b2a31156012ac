/**
 * What a server keeps of what it acknowledged, as far as its settings say: read when the first consumer of a broker is made, told in one
 * line of the log, and what does not hold in a warning each; with `strict` in one error. Nothing here needs more than INFO: who may not
 * read CONFIG is told less.
 */
import { GreenroomError } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import { failureOf } from './errors.ts'
import { type Link, LinkError } from './link.ts'

/** Of one server. What is not known is undefined. */
export interface Server {
  readonly product: 'Redis' | 'Valkey'
  readonly version: string
  /** Whether it knows what our scripts need. */
  readonly isNew: boolean
  readonly role: string
  readonly replicas: number
  readonly appendonly: boolean
  readonly appendfsync: string | undefined
  /** Whether it makes any by itself. */
  readonly snapshots: boolean | undefined
  /** Bytes; 0: no limit of its own. */
  readonly maxmemory: number
  readonly usedMemory: number
  readonly maxmemoryPolicy: string
}

/** A promise that does not hold. Sentences without their full stops. */
export interface Lack {
  readonly what: string
  readonly fix: string
}

/** The first Redis with flags of scripts; Valkey says which Redis it is like. */
const FIRST = 7

/** @param info what INFO says @param config what CONFIG GET says, as far as that is allowed */
export function serverOf(info: string, config: ReadonlyMap<string, string> = new Map()): Server {
  const facts = new Map([...info.matchAll(/^([^:#\r\n]+):([^\r\n]*)/gm)].map(([, name, value]) => [name!, value!]))
  const like = facts.get('redis_version') ?? '',
    valkey = facts.get('valkey_version')
  return {
    product: valkey === undefined ? 'Redis' : 'Valkey',
    version: valkey ?? like,
    isNew: Number.parseInt(like, 10) >= FIRST,
    role: facts.get('role') ?? '',
    replicas: Number(facts.get('connected_slaves') ?? 0),
    appendonly: facts.get('aof_enabled') === '1',
    appendfsync: config.get('appendfsync'),
    snapshots: config.has('save') ? config.get('save') !== '' : undefined,
    maxmemory: Number(facts.get('maxmemory') ?? 0),
    usedMemory: Number(facts.get('used_memory') ?? 0),
    maxmemoryPolicy: facts.get('maxmemory_policy') ?? '',
  }
}

/** Pure: which promises do not hold on it. */
export function lacksOf({ role, appendonly, appendfsync, snapshots, maxmemoryPolicy }: Server): readonly Lack[] {
  const lacks: Lack[] = []
  if (role !== '' && role !== 'master')
    lacks.push({
      what: 'it is a replica, which refuses what is written to it, or loses it',
      fix: 'Give the URL of its master, or of its Sentinels',
    })
  if (!appendonly)
    lacks.push({
      what:
        snapshots === false
          ? 'it keeps nothing on disk: acknowledged messages end with the process of the server'
          : 'appendonly is no: what was acknowledged since the last snapshot ends with the process of the server',
      fix: 'Set appendonly yes',
    })
  else if (appendfsync === 'no')
    lacks.push({
      what: 'appendfsync is no: a power cut may cost the acknowledged messages of half a minute',
      fix: 'Set appendfsync everysec, which may cost a second, or always, which costs none',
    })
  if (maxmemoryPolicy.startsWith('allkeys-'))
    lacks.push({
      what: `maxmemory-policy is ${maxmemoryPolicy}: when memory is full it deletes messages`,
      fix: 'Set maxmemory-policy noeviction: then sends are refused, and workers drain it',
    })
  else if (maxmemoryPolicy.startsWith('volatile-'))
    lacks.push({
      what: `maxmemory-policy is ${maxmemoryPolicy}: when memory is full it deletes what has an end, such as ids that may not come again`,
      fix: 'Set maxmemory-policy noeviction: then sends are refused, and workers drain it',
    })
  return lacks
}

/** Asks for it. On a Cluster one of the masters is looked at. @throws {LinkError} */
export async function lookAt(link: Link): Promise<Server> {
  const info = String(await link.ask('INFO', 'server', 'persistence', 'memory', 'replication'))
  const config = await link.ask('CONFIG', 'GET', 'appendfsync', 'save').catch(orUnknown)
  const words = (config as readonly Buffer[]).map(String)
  return serverOf(info, new Map(words.flatMap((word, i) => (i % 2 === 0 ? [[word, words[i + 1] ?? '']] : []))))
}

/** Many may not read it, and many do not have it. */
function orUnknown(error: unknown): readonly Buffer[] {
  if (error instanceof LinkError && (error.why === 'denied' || error.why === 'broken')) return []
  throw error
}

const BLIND: Lack = { what: 'its user may not read INFO, so nobody knows what it keeps', fix: 'Give it +info, see docs/redis.md' }

export const tooOld = (name: string, { product, version }: Server): GreenroomError =>
  new GreenroomError('BROKER_INVALID', `${name} is ${product} ${version}`, {
    help: 'It must be Redis 7.0 or Valkey 7.2, or later',
  })

/** @throws {GreenroomError} `BROKER_INVALID` for a server that is too old, or, with `strict`, that does not hold a promise */
export async function report(link: Link, { strict, log }: { readonly strict: boolean; readonly log: Logger }): Promise<void> {
  const { name } = link
  let lacks: readonly Lack[]
  try {
    const server = await lookAt(link)
    if (!server.isNew) throw tooOld(name, server)
    const { appendonly, appendfsync, maxmemory, maxmemoryPolicy, role, replicas } = server
    const facts = { appendonly, appendfsync, maxmemory, maxmemoryPolicy, role, replicas }
    log.info({ redis: name, version: server.version, ...facts }, `what this ${server.product} keeps`)
    lacks = lacksOf(server)
  } catch (error) {
    if (!(error instanceof LinkError && error.why === 'denied')) throw failureOf(error, name)
    lacks = [BLIND]
  }
  if (lacks.length === 0) return
  if (strict)
    throw new GreenroomError(
      'BROKER_INVALID',
      `${name} does not keep all promises: ${lacks.map(({ what }) => what).join('; ')}`,
      {
        help: `${lacks.map(({ fix }) => fix).join('. ')}. Or leave strict out`,
        details: { lacks },
      },
    )
  for (const { what, fix } of lacks) log.warn({ redis: name }, `${what}. ${fix}`)
}
