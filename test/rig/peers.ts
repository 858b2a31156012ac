/** Plain TCP peers for the tests of the rig: servers that keep what they got, and a client that tells how its connection ended. */
import { once } from 'node:events'
import { type AddressInfo, type Socket, connect, createServer } from 'node:net'
import { gate } from '../helpers/turns.ts'

export interface Peer extends AsyncDisposable {
  readonly port: number
  /** What each of its connections got, in the order in which they came. */
  readonly got: Buffer[]
  /** How each one ended. */
  readonly ends: Promise<Ending>[]
}
export type Ending = 'reset' | 'end'

/** A server on a free port. `answer` is given what a connection got so far when more comes, and writes. */
export async function peer(answer: (all: Buffer, socket: Socket, more: Buffer) => void): Promise<Peer> {
  const got: Buffer[] = [],
    ends: Promise<Ending>[] = [],
    sockets = new Set<Socket>()
  const server = createServer(socket => {
    const at = got.push(Buffer.alloc(0)) - 1
    sockets.add(socket)
    ends.push(ending(socket))
    socket.on('data', more => {
      got[at] = Buffer.concat([got[at]!, more])
      answer(got[at]!, socket, more)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    got,
    ends,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

export const echo = () => peer((_, socket, more) => void socket.write(more))

export interface Client extends Disposable {
  readonly socket: Socket
  /** All it got so far. */
  readonly got: Buffer
  /** Its pieces, as they came. */
  readonly pieces: readonly Buffer[]
  /** Rejects when the connection ends before. */
  receives(bytes: number): Promise<Buffer>
  readonly ended: Promise<Ending>
}

/** @param to a port of this machine, or a socket that has not read yet */
export function client(to: number | Socket): Client {
  const socket = typeof to === 'number' ? connect(to, '127.0.0.1') : to,
    pieces: Buffer[] = []
  let more = gate()
  const ended = ending(socket)
  socket.on('data', piece => {
    pieces.push(piece)
    more.open()
    more = gate()
  })
  const got = () => Buffer.concat(pieces)
  return {
    socket,
    get got() {
      return got()
    },
    pieces,
    async receives(bytes) {
      while (got().length < bytes) {
        const end = await Promise.race([more.opened, ended])
        if (end !== undefined && got().length < bytes) throw new Error(`it ended after ${got().length} of ${bytes} bytes: ${end}`)
      }
      return got().subarray(0, bytes)
    },
    ended,
    [Symbol.dispose]: () => void socket.destroy(),
  }
}

const ending = (socket: Socket): Promise<Ending> =>
  new Promise(resolve => {
    socket.on('error', () => {}).on('close', hadError => resolve(hadError ? 'reset' : 'end'))
  })
