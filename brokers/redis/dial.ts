/** Makes a connection to a server that is ready for commands: the socket, the driver on it, and the greeting. */
import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/log.ts'
import { loadDriver } from './driver.ts'
import { type Greeting, greet } from './greet.ts'
import { openSocket } from './socket.ts'
import { type Address, type Tls, addressName } from './url.ts'
import { type Wire, openWire } from './wire.ts'

export interface DialOptions {
  readonly tls: Tls | undefined
  /** For each step. */
  readonly replyTimeoutMs: number
  readonly clock: Clock
  readonly log: Logger
}

export interface Call extends Greeting {
  readonly address: Address
  readonly signal: AbortSignal
  /** The connection is to listen. */
  readonly heard?: ((channel: string, message: Buffer) => void) | undefined
}

/** @throws {LinkError} */
export type Dial = (call: Call) => Promise<Wire>

export const dialer =
  ({ tls, replyTimeoutMs, clock, log }: DialOptions): Dial =>
  async ({ address, signal, heard, ...greeting }) => {
    const ioredis = await loadDriver()
    const socket = await openSocket({ address, tls, timeoutMs: replyTimeoutMs, clock, signal })
    const wire = await openWire({ socket, ioredis, name: addressName(address), replyTimeoutMs, clock, heard })
    await greet(wire, greeting, log)
    return wire
  }
