/** A socket to an address, connected: over TLS where that is wanted, with a deadline, and given up when the signal says so. */
import { readFile } from 'node:fs/promises'
import { type Socket, connect, isIP } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { Clock } from '../../lib/clock.ts'
import { unreachable } from './failures.ts'
import { LinkError } from './link.ts'
import { type Address, type Tls, addressName } from './url.ts'

export interface SocketOptions {
  readonly address: Address
  readonly tls: Tls | undefined
  readonly timeoutMs: number
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** @throws {LinkError} when there is none in time */
export async function openSocket({ address, tls, timeoutMs, clock, signal }: SocketOptions): Promise<Socket> {
  const name = addressName(address)
  const secrets = tls && (await filesOf(tls))
  signal.throwIfAborted()
  const socket = secrets
    ? connectTls({
        ...address,
        ...secrets,
        minVersion: 'TLSv1.2',
        rejectUnauthorized: true,
        ...('host' in address && !isIP(address.host) && !secrets.servername ? { servername: address.host } : {}),
      })
    : connect(address)
  return await new Promise((resolve, reject) => {
    const fail = (error: unknown) => {
      socket.destroy()
      settle()
      reject(error)
    }
    const onError = (error: Error) => fail(unreachable(error, name))
    const onClose = () => fail(new LinkError('away', 'no', `Cannot connect to ${name}: it closed the connection`))
    const onConnect = () => {
      settle()
      resolve(socket)
    }
    const timer = clock.after(timeoutMs, () =>
      fail(
        new LinkError(
          'away',
          'no',
          `Cannot connect to ${name}: no answer within ${timeoutMs} ms${tls ? '. Does it speak TLS on that port?' : ''}`,
        ),
      ),
    )
    const event = secrets ? 'secureConnect' : 'connect'
    const settle = () => {
      timer.cancel()
      socket
        .off(event, onConnect)
        .off('error', onError)
        .off('close', onClose)
        .on('error', () => {})
    }
    socket.on(event, onConnect).on('error', onError).on('close', onClose)
    // Also once it is connected.
    const onAbort = () => fail(signal.reason)
    signal.addEventListener('abort', onAbort)
    socket.once('close', () => signal.removeEventListener('abort', onAbort))
  })
}

async function filesOf({ ca, cert, key, servername }: Tls) {
  const read = async (name: string, path: string | undefined) => {
    try {
      return path === undefined ? undefined : await readFile(path)
    } catch (error) {
      throw new LinkError(
        'broken',
        'no',
        `Cannot read ${path}, which the URL gives with ${name}=: ${(error as { code?: string }).code}`,
      )
    }
  }
  const files = { ca: await read('ca', ca), cert: await read('cert', cert), key: await read('key', key) }
  return { ...files, ...(servername ? { servername } : {}) }
}
