/** What the tests of the Redis broker's faults share: brokers behind a proxy, logs that are waited for, cuts at chosen bytes. */
import type { Test } from 'tap'
import { type RedisOptions, redisBroker } from '../../brokers/redis/index.ts'
import { SCRIPTS } from '../../brokers/redis/scripts.ts'
import type { Broker, Consumer, Delivery } from '../../lib/broker.ts'
import type { GreenroomError } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import { noLog } from '../rig/no-log.ts'
import type { Direction, Proxy } from '../rig/proxy.ts'
import { FOREVER, never } from './embedded-target.ts'

/** A broker of a test, closed when it ends. */
export function brokerAt(
  t: Pick<Test, 'teardown'>,
  { port }: { readonly port: number },
  options: Omit<RedisOptions, 'url'> = {},
): Broker {
  const broker = redisBroker({ log: noLog, ...options, url: `redis://127.0.0.1:${port}` })
  t.teardown(() => broker[Symbol.asyncDispose]())
  return broker
}

/** A log, and when it says something. */
export function listening() {
  const lines: string[] = [],
    watchers = new Set<() => void>()
  const note = (facts: object | string, text = '') => {
    lines.push(`${JSON.stringify(facts)} ${text}`)
    for (const watcher of watchers) watcher()
  }
  const log: Logger = { debug: noLog.debug, info: note, warn: note, error: note }
  return {
    log,
    lines,
    /** The line, once it is there, of those that come after the first so many. */
    said: (pattern: RegExp, after = 0) =>
      new Promise<string>(resolve => {
        const look = () => {
          const line = lines.slice(after).find(one => pattern.test(one))
          if (line === undefined) return
          watchers.delete(look)
          resolve(line)
        }
        watchers.add(look)
        look()
      }),
  }
}

/** Exactly so many, waited for; a server that is away is waited for too. */
export async function receive(consumer: Consumer, count: number): Promise<readonly Delivery[]> {
  const found: Delivery[] = []
  while (found.length < count) {
    try {
      found.push(...(await consumer.take(count - found.length, { waitMs: FOREVER, signal: never })))
    } catch (error) {
      if ((error as GreenroomError).code !== 'BROKER_DOWN') throw error
    }
  }
  return found
}

/** What is recognised on its way through the proxy. */
export const PIECES = {
  push: { up: SCRIPTS.push.sha, down: /^\$\d+\r\n[01]*\r\n/ },
  exchange: { up: SCRIPTS.exchange.sha, down: /^\*8\r\n\$2\r\nOK/ },
  reconcile: { up: SCRIPTS.reconcile.sha, down: /^\*4\r\n\$2\r\nOK/ },
  giveback: { up: SCRIPTS.giveback.sha, down: /^:\d+\r\n/ },
} as const
export type Piece = keyof typeof PIECES

const isA = (bytes: Buffer, piece: Piece, direction: Direction) => {
  const text = bytes.toString('latin1')
  return direction === 'up' ? text.includes(PIECES[piece].up) : PIECES[piece].down.test(text)
}

/** Cuts the next request, or reply, of that kind after so many of its bytes. @returns whether it came, and how long it was */
export function cutPiece(proxy: Proxy, piece: Piece, direction: Direction, at: number) {
  let length = 0
  const cut = proxy.cutWhen(bytes => {
    if (!isA(bytes, piece, direction)) return undefined
    length = bytes.length
    return Math.min(at, length)
  }, direction)
  return cut.then(isCut => ({ isCut, length }))
}

/**
 * Plays an episode for each place where a request, and where its reply, may be cut: a reply at every byte or few, a request at every few of
 * them and at its last ones, as until then the server has done nothing. The episode arms the cut when what it cuts is next.
 */
export async function atEveryCut(
  t: Pick<Test, 'ok'>,
  proxy: Proxy,
  piece: Piece,
  episode: (name: string, arm: () => void) => Promise<void>,
  { step = 8, replyStep = 1 }: { readonly step?: number; readonly replyStep?: number } = {},
): Promise<number> {
  let episodes = 0
  for (const [direction, by] of [
    ['down', replyStep],
    ['up', step],
  ] as const) {
    let length = Infinity
    for (let at = 0; at <= length; at = at >= length - 2 ? at + 1 : Math.min(at + by, length - 2)) {
      let cut: ReturnType<typeof cutPiece> | undefined
      await episode(`${piece}-${direction}-${at}`, () => (cut = cutPiece(proxy, piece, direction, at)))
      proxy.heal()
      const done = await cut
      if (!done?.isCut) throw new Error(`${piece} ${direction} never came to be cut after ${at} bytes`)
      length = done.length
      episodes++
    }
  }
  t.ok(episodes >= 8, `${piece} was cut ${episodes} times`)
  return episodes
}
