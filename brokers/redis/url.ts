/**
 * Where Redis is, by its URL. Read by hand, as several hosts make no URL for `URL`:
 *
 *     redis://user:password@host:6379/0                rediss:// for TLS, with ?ca= cert= key= (files) servername=
 *     unix:/run/redis.sock?db=0&user=&password=
 *     redis+sentinel://user:password@a:26379,b:26379/master-name/0?sentinelUser=&sentinelPassword=     rediss+sentinel://
 *     redis+cluster://user:password@a:6379,b:6379                                                      rediss+cluster://
 *
 * An error says nothing of what stands before the `?`, as a password may be part of it; credentials are functions, so that nothing prints them.
 */
import { nearest } from '../../lib/did-you-mean.ts'
import { shown } from '../../lib/duration.ts'
import { GreenroomError, listed } from '../../lib/errors.ts'

/** Parameters of a URL that are the broker's, not the link's. */
export const PARAMETERS = ['replyTimeoutMs', 'maxDead', 'maxDeadMs', 'waitReplicas', 'strict'] as const

export interface Login {
  readonly user: string | undefined
  readonly password: string
}
/** A host and a port, or a file. */
export type Address = { readonly host: string; readonly port: number } | { readonly path: string }
/** Files, read again for each connection, and the name that a certificate must have where it is not the host's. */
export type Tls = { readonly [name in (typeof TLS)[number]]?: string }

export interface Where {
  readonly kind: 'server' | 'sentinel' | 'cluster'
  /** Without credentials and parameters. */
  readonly name: string
  /** The server; or the sentinels, or nodes of the cluster, that are asked for the rest. At least one. */
  readonly addresses: readonly [Address, ...Address[]]
  readonly db: number
  /** What the sentinels call the server. */
  readonly master: string
  readonly tls: Tls | undefined
  login(): Login | undefined
  sentinelLogin(): Login | undefined
}

const TLS = ['ca', 'cert', 'key', 'servername'] as const
const FORMS =
  'redis://user:password@host:6379/0, rediss:// for TLS, unix:/path, redis+sentinel://host,host/master or redis+cluster://host,host'
const ENCODED = 'In a user name or password % @ / : ? # & = are written %25 %40 %2F %3A %3F %23 %26 %3D'

/**
 * Takes a URL apart: where the server is, and those parameters that are somebody else's, whose names are given.
 *
 * @throws {GreenroomError} `BROKER_INVALID` for a URL that is none, and an unknown parameter
 */
export function readUrl(url: string, others: readonly string[] = []): { where: Where; parameters: ReadonlyMap<string, string> } {
  const [, scheme = '', rest = ''] = /^(rediss?(?:\+sentinel|\+cluster)?|unix):(.*)$/s.exec(url) ?? []
  const [before, query] = cut(rest, '?')
  const isUnix = scheme === 'unix'
  if (!isUnix && !rest.startsWith('//')) throw invalid('It is no URL of Redis', `Write ${FORMS}`)
  if (before.includes('#') || (!isUnix && query.includes('@'))) throw invalid('A character has another meaning there', ENCODED)
  const isTls = scheme.startsWith('rediss')
  const kind = scheme.endsWith('sentinel') ? 'sentinel' : scheme.endsWith('cluster') ? 'cluster' : 'server'
  const mine = [
    ...(isUnix ? ['db', 'user', 'password'] : []),
    ...(isTls ? TLS : []),
    ...(kind === 'sentinel' ? ['sentinelUser', 'sentinelPassword'] : []),
  ]
  const parameters = parametersOf(query, mine, others, isTls)
  const mineOf = (name: string) => parameters.get(name) || undefined
  const parts = isUnix ? fileOf(before, mineOf) : hostsOf(before.slice(2), kind)
  const tls = isTls ? Object.fromEntries(TLS.flatMap(name => (mineOf(name) ? [[name, mineOf(name)!]] : []))) : undefined
  const login = parts.login ?? loginOf(mineOf('user'), mineOf('password'))
  const sentinelLogin = loginOf(mineOf('sentinelUser'), mineOf('sentinelPassword'))
  for (const name of mine) parameters.delete(name)
  const { addresses, path, db, master } = parts
  const where: Where = {
    kind,
    name: `${scheme}:${isUnix ? '' : '//'}${addresses.map(addressName).join(',')}${path}`,
    addresses,
    db,
    master,
    tls,
    login: () => login,
    sentinelLogin: () => sentinelLogin,
  }
  return { where, parameters }
}

export const addressName = (address: Address): string =>
  'path' in address ? address.path : `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`

interface Parts {
  readonly addresses: readonly [Address, ...Address[]]
  /** As it stands in the name. */
  readonly path: string
  readonly db: number
  readonly master: string
  readonly login?: Login | undefined
}

function fileOf(before: string, parameter: (name: string) => string | undefined): Parts {
  const path = decoded(before.replace(/^\/\/(?=\/)/, ''))
  if (!path.startsWith('/')) throw invalid('It has no absolute path', 'Write unix:/run/redis.sock?db=0')
  const db = numberOf(parameter('db') ?? '0', 'db')
  return { addresses: [{ path }], path: db === 0 ? '' : `?db=${db}`, db, master: '' }
}

function hostsOf(text: string, kind: Where['kind']): Parts {
  const [authority, path] = cut(text, '/')
  if (path.includes('@')) throw invalid('A character has another meaning there', ENCODED)
  const at = authority.lastIndexOf('@')
  const [user, password] = cut(authority.slice(0, Math.max(at, 0)), ':')
  const standard = kind === 'sentinel' ? 26379 : 6379
  const [first = '', ...others] = authority.slice(at + 1).split(',')
  const addresses = [hostOf(first, standard), ...others.map(host => hostOf(host, standard))] as const
  if (kind === 'server' && others.length > 0)
    throw invalid('There are several hosts', 'redis+sentinel:// and redis+cluster:// have several')
  const segments = path.split('/').map(decoded)
  const master = kind === 'sentinel' ? segments.shift()! : ''
  if (kind === 'sentinel' && !master)
    throw invalid('The name of the master is missing', `It is the first part of the path: ${FORMS}`)
  const [dbText = '', ...more] = segments
  if (more.length > 0) throw invalid('The path has too many parts', `Write ${FORMS}`)
  const db = numberOf(dbText || '0', 'the database')
  if (kind === 'cluster' && db > 0) throw invalid('A Redis Cluster has database 0 only', 'Leave the path out')
  const name = kind === 'cluster' ? '' : `/${[...(master ? [master] : []), db].join('/')}`
  return { addresses, path: name, db, master, login: loginOf(decoded(user), decoded(password)) }
}

function hostOf(text: string, standard: number): Address {
  const [, six, four = '', port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(.*))?$/s.exec(text) ?? []
  const host = six ?? decoded(four)
  if (!host) throw invalid('A host is missing or cannot be read', `Write ${FORMS}. ${ENCODED}`)
  const number = port === undefined ? standard : /^\d+$/.test(port) ? Number(port) : NaN
  if (!(number > 0 && number < 65_536)) throw invalid('A port is no number from 1 to 65535', `Write ${FORMS}. ${ENCODED}`)
  return { host, port: number }
}

function parametersOf(query: string, mine: readonly string[], others: readonly string[], isTls: boolean): Map<string, string> {
  const known = [...mine, ...others]
  const found = new Map<string, string>()
  for (const [name, value] of new URLSearchParams(query.replaceAll('+', '%2B'))) {
    if (!known.includes(name)) {
      if (!isTls && (TLS as readonly string[]).includes(name))
        throw invalid(`${name} is for TLS`, 'Begin with rediss, which is Redis over TLS')
      const near = nearest(name, known)
      // What is no word may be a piece of a password.
      const what = /^[a-z_-]{1,30}$/i.test(name) ? `Unknown parameter ${shown(name)}` : 'Unknown parameter'
      throw invalid(what, near ? `Did you mean ${near}?` : `Known are ${listed(known)}`)
    }
    found.set(name, value)
  }
  return found
}

const loginOf = (user: string | undefined, password: string | undefined): Login | undefined =>
  password ? { user: user || undefined, password } : undefined

/** What stands before a character, and what behind it. */
function cut(text: string, character: string): [before: string, behind: string] {
  const at = text.indexOf(character)
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw invalid('A % is followed by no two hexadecimal digits', ENCODED)
  }
}
function numberOf(text: string, what: string): number {
  if (/^\d{1,5}$/.test(text)) return Number(text)
  throw invalid(`${what} is no number`, `Write ${FORMS}`)
}

const invalid = (what: string, help: string) =>
  new GreenroomError('BROKER_INVALID', `${what} in the URL of the Redis broker`, { help })
