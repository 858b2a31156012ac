/** Which broker an app uses: a URL, a broker, or a row by environment. Read at the first use, never on import. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { Broker } from './broker.ts'
import { shown } from './duration.ts'
import { GreenroomError, listed } from './errors.ts'
import { isPlainRecord } from './plain.ts'
import { redactUrl } from './redact.ts'

/** A URL, a broker object, or one of either by environment. */
export type BrokerConfig = string | Broker | Readonly<Record<string, string | Broker | undefined>>

/** As `process.env`; not by Node's own name, so that the package's types need none of @types/node. */
type Env = Readonly<Record<string, string | undefined>>

export const DEFAULT_BROKER = 'file:.greenroom'
export const environmentOf = (env: Env): string => env['GREENROOM_ENV'] ?? env['NODE_ENV'] ?? 'development'

export const isBroker = (value: unknown): value is Broker =>
  typeof (value as Partial<Broker> | null | undefined)?.consume === 'function'

/**
 * The URL or broker that applies. A relative `file:` becomes absolute.
 * @throws {GreenroomError} `BROKER_NOT_SET` in production, or when the environment has no row
 */
export function locateBroker(config: BrokerConfig | undefined, env: Env, here: string): string | Broker {
  const environment = environmentOf(env)
  const chosen =
    config === undefined
      ? (env['GREENROOM_BROKER'] ?? unset(environment))
      : typeof config === 'string' || isBroker(config)
        ? config
        : row(config, environment)
  if (chosen === '')
    throw new GreenroomError(
      'BROKER_NOT_SET',
      `The broker ${config === undefined ? 'in GREENROOM_BROKER' : 'given to greenroom()'} is empty`,
      { help: 'Give a URL, or leave it out. Is an environment variable missing?' },
    )
  return typeof chosen === 'string' ? absolute(chosen, here) : chosen
}

function unset(environment: string): string {
  if (environment !== 'production') return DEFAULT_BROKER
  throw new GreenroomError('BROKER_NOT_SET', 'No broker is set, and NODE_ENV is production', {
    help: "On a single machine a folder will do, but say which: GREENROOM_BROKER=file:.greenroom, or greenroom({ broker: 'file:/var/lib/myapp/queue' })",
  })
}

function row(rows: Readonly<Record<string, string | Broker | undefined>>, environment: string): string | Broker {
  if (!isPlainRecord(rows))
    throw new GreenroomError('BROKER_INVALID', `${shown(rows)} is no broker`, {
      help: 'Give a URL, a broker, or one by environment: { development: …, production: … }',
    })
  const found = Object.hasOwn(rows, environment) ? rows[environment] : undefined
  if (typeof found === 'string' ? found !== '' : isBroker(found)) return found as string | Broker
  const why = Object.hasOwn(rows, environment)
    ? `The broker for ${environment} is ${found === '' ? 'empty' : shown(found)}`
    : `No broker is set for the environment ${shown(environment)}`
  throw new GreenroomError('BROKER_NOT_SET', why, {
    help: `There are rows for ${listed(Object.keys(rows))}; add one, or set GREENROOM_ENV or NODE_ENV. Is an environment variable missing?`,
  })
}

function absolute(url: string, here: string): string {
  if (/^file:\/\/[^/]/.test(url))
    throw new GreenroomError('BROKER_UNKNOWN', `${shown(url)} names a host`, {
      help: "Write 'file:.greenroom', or 'file:/var/lib/app' for an absolute folder",
    })
  if (!url.startsWith('file:') || url.startsWith('file:/')) return url
  const [path = '', query] = url.slice('file:'.length).split('?', 2)
  if (path === '')
    throw new GreenroomError('BROKER_UNKNOWN', 'file: names no folder', {
      help: "Write 'file:.greenroom' or 'file:/var/lib/app'",
    })
  return `${fileUrl(resolve(rootOf(here), decodeURIComponent(path)))}${query === undefined ? '' : `?${query}`}`
}

/** A `file:` URL of an absolute folder, whose name may hold anything. */
export const fileUrl = (path: string): string => `file:${path.replace(/[%?#]/g, encodeURIComponent)}`

/** The folder that a `file:` URL names. */
export const folderOf = (url: string): string =>
  decodeURIComponent(
    url
      .slice('file:'.length)
      .split('?', 1)[0]!
      .replace(/^\/\/(?=\/)/, ''),
  )

const CONFIGS = ['ts', 'mts', 'js', 'mjs', 'cjs'].map(ending => `greenroom.config.${ending}`)

/** The nearest greenroom.config.* upwards. */
export function configFileOf(here: string): string | undefined {
  for (const folder of upwards(here)) for (const name of CONFIGS) if (existsSync(join(folder, name))) return join(folder, name)
  return undefined
}

/** Where a relative `file:` starts: the nearest greenroom.config.* upwards, else the root of the workspace, else here. */
export function rootOf(here: string): string {
  const config = configFileOf(here)
  return config === undefined ? (upwards(here).find(isWorkspace) ?? here) : dirname(config)
}

function upwards(here: string): string[] {
  const folders = [here]
  while (dirname(folders.at(-1)!) !== folders.at(-1)) folders.push(dirname(folders.at(-1)!))
  return folders
}

function isWorkspace(folder: string): boolean {
  if (existsSync(join(folder, 'pnpm-workspace.yaml'))) return true
  try {
    return 'workspaces' in (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as object)
  } catch {
    return false
  } // no package.json, or not ours to judge
}

/** @throws {GreenroomError} `BROKER_UNKNOWN`, with the scheme and without credentials */
export function unknownBroker(url: string, known: readonly string[]): GreenroomError {
  const starts = `It starts with one of ${listed(known)}`
  return new GreenroomError('BROKER_UNKNOWN', `Nobody knows the broker URL ${shown(redactUrl(url))}`, {
    help: `${meantBy(url)}${starts}`,
  })
}

/** Brokers of later versions. */
const COMING = /^(?:amqps?|rabbitmq):/i

const COMES = 'RabbitMQ is not in this version. '

/** What was probably meant, a sentence or nothing. */
function meantBy(url: string): string {
  if (COMING.test(url)) return COMES
  if (/^valkeys?:/i.test(url)) return 'Write redis: for Valkey too, and rediss: for TLS. '
  if (/^memory$/i.test(url)) return 'Write "memory:". '
  if (/^file$/i.test(url)) return `Write ${shown(DEFAULT_BROKER)}. `
  const [, server, port] = /^([\w.-]+:(\d+))$/.exec(url) ?? []
  if (server !== undefined) return port === '5672' ? COMES : `A server is written with its scheme, redis://${server}. `
  return /[:@]/.test(url) ? '' : `For a folder write ${shown(fileUrl(url))}. `
}
