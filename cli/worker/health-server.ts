/**
 * The port of `--health-port`: three paths that answer with JSON, for probes and autoscalers. It knows nothing of workers, keeps
 * no connection open, and bounds what a caller can cost: whoever may reach it learns counts and names of queues, and nothing else.
 */
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { shown } from '../../lib/duration.ts'
import { EXIT } from '../exit.ts'
import { CliError } from '../failure.ts'

export interface Answer {
  readonly ok: boolean
  readonly body: Readonly<Record<string, unknown>>
}

/** What the port answers. One that throws or rejects is a 503. */
export interface Probes {
  /** Whether the process should go on, rather than be started anew. */
  live(): Answer
  /** Whether it takes messages. */
  ready(): Answer
  queues(): Promise<Answer>
}

/** Where the port is. */
export interface HealthPlace {
  readonly port: number
  readonly host: string
}
export interface HealthPort {
  readonly url: string
  close(): Promise<void>
}

export const PATHS = ['/live', '/ready', '/queues'] as const

/** A caller that is slower than this is cut off. */
const SLOWEST_MS = 5_000
const MOST_CONNECTIONS = 256
const MOST_HEADER_BYTES = 8_192

/** @throws {CliError} when the port cannot be had */
export async function serveHealth({ port, host }: HealthPlace, probes: () => Probes): Promise<HealthPort> {
  const { createServer } = await import('node:http') // most workers need none
  const server = createServer(
    {
      requestTimeout: SLOWEST_MS,
      headersTimeout: SLOWEST_MS,
      connectionsCheckingInterval: SLOWEST_MS / 5,
      maxHeaderSize: MOST_HEADER_BYTES,
    },
    (request, response) => {
      const { method = '', url = '' } = request
      void answer(method, url.split('?')[0]!, probes()).then(({ status, body, allow }) => {
        const text = `${JSON.stringify(body)}\n`
        response.writeHead(status, {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(text),
          'cache-control': 'no-store',
          'x-content-type-options': 'nosniff',
          connection: 'close', // one that is kept open would hold up the end of the process
          ...(allow && { allow }),
        })
        response.end(text)
      })
    },
  )
  server.maxConnections = MOST_CONNECTIONS
  server.setTimeout(SLOWEST_MS, socket => socket.destroy())
  await listen(server, port, host)
  const { address, port: taken, family } = server.address() as AddressInfo
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${taken}`,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function answer(method: string, path: string, probes: Probes) {
  if (!(PATHS as readonly string[]).includes(path))
    return { status: 404, body: { error: 'There is nothing at this path', paths: PATHS } }
  if (method !== 'GET' && method !== 'HEAD')
    return { status: 405, body: { error: 'Only GET and HEAD are answered' }, allow: 'GET, HEAD' }
  try {
    const { ok, body } = path === '/live' ? probes.live() : path === '/ready' ? probes.ready() : await probes.queues()
    return { status: ok ? 200 : 503, body }
  } catch {
    return { status: 503, body: { error: 'The worker could not answer' } }
  }
}

const listen = (server: Server, port: number, host: string): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(refused(error, port, host)))
    server.listen({ port, host }, () => {
      server.removeAllListeners('error').on('error', () => {}) // out of file handles: a probe fails, the worker does not
      resolve()
    })
  })

function refused(error: NodeJS.ErrnoException, port: number, host: string): CliError {
  const [what, help] =
    error.code === 'EADDRINUSE'
      ? [`Port ${port} of ${host} is taken by another process`, 'Give --health-port another one; 0 takes one that is free']
      : error.code === 'EACCES'
        ? [`Port ${port} may not be opened by this user`, 'Give --health-port one from 1024']
        : [
            `--health-host cannot be ${shown(host)} (${error.code ?? error.message})`,
            'Give an address of this machine: 127.0.0.1, ::1, 0.0.0.0',
          ]
  return new CliError(EXIT.usage, what, { help, cause: error })
}
