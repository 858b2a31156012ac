/** The driver, ioredis, as far as we use it: what it does by itself is turned off. */
import type { Socket } from 'node:net'
import { LinkError } from './link.ts'

export type Ioredis = Pick<typeof import('ioredis'), 'AbstractConnector' | 'Command' | 'Redis'>

/** When a connection is first made. @throws {LinkError} when it is not there */
export const loadDriver = (): Promise<Ioredis> =>
  import('ioredis').catch((error: unknown) => {
    const why = (error as { code?: string }).code ?? error
    throw new LinkError(
      'broken',
      'no',
      `The package ioredis cannot be loaded (${why}): run npm install greenroom where this runs, also beside a bundle`,
    )
  })

/** On a socket that is connected. Of what the driver can do it writes and reads only. */
export function driverOn(socket: Socket, { AbstractConnector, Redis }: Ioredis): InstanceType<Ioredis['Redis']> {
  class Connector extends AbstractConnector {
    constructor() {
      super(0)
    }
    connect(): Promise<Socket> {
      return Promise.resolve(socket)
    }
    override disconnect(): void {
      socket.destroy()
    }
  }
  return new Redis({
    Connector,
    lazyConnect: true,
    protocol: 2, // the shapes that all servers have
    connectTimeout: 0,
    retryStrategy: () => null,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: null,
    disableClientInfo: true,
  })
}
