/**
 * A TCP proxy between a client and a server, on a port of its own, that breaks what passes: it cuts at a byte, resets, goes silent,
 * delays, sends in small pieces, drops a reply, leads elsewhere. Nothing in it waits for time but `delay`, and that by the clock that it
 * is given; its chance comes from its seed. `up` is from the client to the server, `down` is back. Closed, it leaves no handle.
 *
 *     await using proxy = await openProxy({ to: { port } })
 *     const cut = proxy.cutAfter(100, 'down')   // a hundred bytes of the server's pass from now on, then a reset
 *     await client.send()
 *     t.ok(await cut)
 */
import { once } from 'node:events'
import { type AddressInfo, type Socket, connect, createServer } from 'node:net'
import { type Clock, systemClock } from '../../lib/clock.ts'
import { gate } from '../helpers/turns.ts'
import { type Flow, flow, read } from './flow.ts'
import { seeded } from './random.ts'

export type Direction = 'up' | 'down'
/** How a connection ends: `rst` is a reset to both sides, `fin` tells both that nothing more comes. */
export type How = 'rst' | 'fin'
export interface Address {
  readonly port: number
  readonly host?: string
}

/** Sees what is about to pass in one direction of all connections, in the order in which it passes. Answers after how many bytes of it to cut. */
export type Look = (bytes: Buffer) => number | undefined

export interface Proxy extends AsyncDisposable {
  readonly port: number
  /** Connections through it that are open now. */
  readonly open: number
  /** Bytes that passed since it was opened. */
  readonly passed: Readonly<Record<Direction, number>>
  /** The next connection has come. */
  connected(): Promise<void>
  /** No connection is open. */
  quiet(): Promise<void>
  /** Cuts the connection whose bytes make `look` say so, once. Resolves to true then; to false when `heal` or the end comes first. */
  cutWhen(look: Look, direction: Direction, how?: How): Promise<boolean>
  /** Lets so many bytes pass from now on, and cuts: as soon as the last of them has passed; with 0 as soon as the first wants to. */
  cutAfter(bytes: number, direction: Direction, how?: How): Promise<boolean>
  /** The server answers once more, the client never reads it, and the connection is gone. */
  dropReply(how?: How): Promise<boolean>
  /** Ends all connections now. */
  cut(how?: How): Promise<void>
  /** Nothing passes, and nobody is told: the connection stays open. New ones too. */
  silence(direction: Direction | 'both'): void
  /** What comes from now on travels for `ms`, and by chance up to `jitterMs` longer. */
  delay(ms: number, jitterMs?: number): void
  /** Passes at most so many bytes at once. */
  fragment(bytes: number): void
  /** New connections lead there. */
  repoint(to: Address): void
  /** All as at first, except where it leads: what was held passes, no cut is due. */
  heal(): void
}

interface Due {
  readonly look: Look
  readonly direction: Direction
  readonly how: How
  readonly settle: (isCut: boolean) => void
}
interface Link {
  readonly flows: readonly Flow[]
  /** Those of the two that are open. */
  readonly sockets: Set<Socket>
  end(how: How): Promise<void>
}

export async function openProxy({
  to,
  seed = 1,
  clock = systemClock,
}: {
  readonly to: Address
  readonly seed?: number
  readonly clock?: Clock
}): Promise<Proxy> {
  const random = seeded(seed),
    links = new Set<Link>(),
    due = new Set<Due>(),
    passed = { up: 0, down: 0 },
    silent: Partial<Record<Direction, ReturnType<typeof gate<void>>>> = {}
  let target = to,
    delayMs = 0,
    jitterMs = 0,
    piece = Infinity,
    coming = gate(),
    leaving = gate()

  const server = createServer({ allowHalfOpen: true, noDelay: true }, client => {
    const upstream = connect({ host: '127.0.0.1', ...target, allowHalfOpen: true, noDelay: true })
    const link: Link = {
      flows: [
        flow(
          client,
          upstream,
          rules('up', () => link),
          clock,
        ),
        flow(
          upstream,
          client,
          rules('down', () => link),
          clock,
        ),
      ],
      sockets: new Set([client, upstream]),
      async end(how) {
        link.flows.forEach(({ stop }) => stop())
        await read() // Node shows a reset right behind bytes as an end
        for (const socket of link.sockets) {
          if (how === 'rst') socket.resetAndDestroy()
          else socket.removeAllListeners('data').resume().end() // what comes is read and dropped: to close over it would reset
        }
      },
    }
    links.add(link)
    for (const socket of link.sockets) keep(socket, link)
    coming.open()
    coming = gate()
  })

  function keep(socket: Socket, link: Link): void {
    socket.on('error', () => {}) // its flow passes it on
    socket.on('close', () => {
      link.sockets.delete(socket)
      if (link.sockets.size > 0) return
      links.delete(link)
      if (links.size > 0) return
      leaving.open()
      leaving = gate()
    })
  }

  function rules(direction: Direction, link: () => Link): Parameters<typeof flow>[2] {
    let isDue: Due | undefined
    return {
      held: () => silent[direction]?.opened,
      delayMs: () => delayMs + (jitterMs > 0 ? random() * jitterMs : 0),
      get piece() {
        return piece
      },
      pass(bytes) {
        for (const one of due) {
          const count = one.direction === direction ? one.look(bytes) : undefined
          if (count === undefined) continue
          due.delete(one)
          isDue = one
          return { count, isCut: true }
        }
        return { count: bytes.length, isCut: false }
      },
      passed(count) {
        passed[direction] += count
      },
      cut() {
        const { how, settle } = isDue!
        void link()
          .end(how)
          .then(() => settle(true))
      },
    }
  }

  function heal(): void {
    ;[delayMs, jitterMs, piece] = [0, 0, Infinity]
    for (const { settle } of due) settle(false)
    due.clear()
    for (const direction of ['up', 'down'] as const) {
      silent[direction]?.open()
      delete silent[direction]
    }
    look()
  }

  const look = () => links.forEach(({ flows }) => flows.forEach(flow => flow.look()))
  const cutWhen: Proxy['cutWhen'] = (look, direction, how = 'rst') =>
    new Promise(settle => {
      due.add({ look, direction, how, settle })
    })
  const cutAfter: Proxy['cutAfter'] = (bytes, direction, how) => {
    let left = bytes
    return cutWhen(
      ({ length }) => {
        if (length >= left) return left
        left -= length
        return undefined
      },
      direction,
      how,
    )
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  return {
    port: (server.address() as AddressInfo).port,
    get open() {
      return links.size
    },
    passed,
    connected: () => coming.opened,
    quiet: () => (links.size === 0 ? Promise.resolve() : leaving.opened),
    cutWhen,
    cutAfter,
    dropReply: how => cutAfter(0, 'down', how),
    async cut(how = 'rst') {
      await Promise.all([...links].map(link => link.end(how)))
    },
    silence(direction) {
      for (const one of direction === 'both' ? (['up', 'down'] as const) : [direction]) silent[one] ??= gate()
      look()
    },
    delay(ms, jitter = 0) {
      ;[delayMs, jitterMs] = [ms, jitter]
    },
    fragment(bytes) {
      piece = bytes
    },
    repoint(to) {
      target = to
    },
    heal,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      links.forEach(({ flows }) => flows.forEach(({ stop }) => stop()))
      heal()
      const gone = links.size === 0 ? undefined : leaving.opened
      links.forEach(({ sockets }) => sockets.forEach(socket => socket.destroy()))
      await Promise.all([gone, closed])
    },
  }
}
