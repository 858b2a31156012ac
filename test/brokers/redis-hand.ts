/** Queues of Redis worked by hand, one script at a time: a bare link over the driver, pushes, and consumers that do what a test says. */
import { Command, Redis } from 'ioredis'
import type { Envelope } from '../../lib/broker.ts'
import { frameLength, readFrame, writeFrame } from '../../brokers/redis/frame.ts'
import { keysOf } from '../../brokers/redis/keys.ts'
import { type Argument, type Link, LinkError } from '../../brokers/redis/link.ts'
import { SCRIPTS } from '../../brokers/redis/scripts.ts'

export interface Hand extends AsyncDisposable {
  readonly redis: Redis
  readonly link: Link
  /** In the order of what it is given; `due` and `onceMs` as in an envelope. */
  push(queue: string, ...messages: readonly (string | Partial<Envelope>)[]): Promise<void>
  /** The same of what `recordsOf` made. */
  pushed(queue: string, records: Buffer): Promise<void>
  consumer(queue: string, name: string): Taker
}

export interface Taker {
  /** Takes so many and settles before: kind, id, then ms or reason, then a new body or an error. Says the ids, suspects first. */
  trip(max: number, ...settled: readonly Settled[]): Promise<readonly string[]>
  /** What it holds goes back: by itself, or counted as lapsed. */
  giveBack(counted: boolean): Promise<void>
}
type Settled = readonly [kind: 'done' | 'retry' | 'release' | 'dead', id: string, x?: string | number, y?: string]

export const NAMESPACE = 'hand'

export async function openHand(port: number): Promise<Hand> {
  const redis = new Redis(port, { lazyConnect: true })
  await redis.connect()
  const hand = handOver(redis, `redis://127.0.0.1:${port}`)
  for (const { lua } of Object.values(SCRIPTS)) await redis.script('LOAD', lua)
  return hand
}

function handOver(redis: Redis, name: string): Hand {
  const ask = async (command: string, ...args: readonly Argument[]) => {
    try {
      return await redis.sendCommand(new Command(command, args as (string | Buffer | number)[], { replyEncoding: null }))
    } catch (error) {
      throw new LinkError('broken', 'maybe', (error as Error).message)
    }
  }
  const link: Link = {
    name,
    oneSlot: true,
    isUp: true,
    lives: 1,
    up: async () => {},
    ask,
    run: (script, keys, args) => ask('EVALSHA', SCRIPTS[script].sha, keys.length, ...keys, ...args),
    listen: () => () => {},
    [Symbol.asyncDispose]: async () => {},
  }
  let calls = 0
  const r0 = (queue: string) => [keysOf(NAMESPACE, queue).ready[0]]
  const pushed = async (queue: string, records: Buffer) => void (await link.run('push', r0(queue), [`t${calls++}`, 1, records]))
  return {
    redis,
    link,
    pushed,
    async push(queue, ...messages) {
      for (let at = 0; at < messages.length; at += 1_000) {
        await pushed(queue, recordsOf(queue, messages.slice(at, at + 1_000)))
      }
    },
    consumer(queue, incarnation) {
      const held: { readonly id: string; readonly field: string }[] = []
      let number = 0
      const drop = (id: string) =>
        held.splice(
          held.findIndex(one => one.id === id),
          1,
        )[0]!.field
      return {
        async trip(max, ...settled) {
          const five = settled.flatMap(([kind, id, x = '', y = '']) => [kind, drop(id), x, y, ''])
          const args = [incarnation, ++number, 60_000, max, '1', 1e9, 1e6, 1e12, '', ...five]
          const reply = (await link.run('exchange', r0(queue), args)) as readonly unknown[],
            frames = reply[7] as readonly Buffer[]
          const ids = frames.map(frame => readFrame(frame).id)
          ids.forEach((id, i) => held.push({ id, field: `${number}.${i}` }))
          return ids
        },
        async giveBack(counted) {
          while (Number(await link.run('giveback', r0(queue), [incarnation, 256, counted ? '1' : '0'])) > 0);
        },
      }
    },
    [Symbol.asyncDispose]: async () => redis.disconnect(),
  }
}

/** As scripts/shared/write.lua reads it. */
export const recordsOf = (queue: string, messages: readonly (string | Partial<Envelope>)[]): Buffer =>
  Buffer.concat(messages.map(message => record(queue, message)))
function record(queue: string, message: string | Partial<Envelope>): Buffer {
  const given = typeof message === 'string' ? { id: message } : message
  const envelope: Envelope = { id: '', queue, body: Buffer.from(given.id ?? ''), attempt: 0, priority: 1, ...given }
  const { due } = envelope,
    head = Buffer.alloc(due ? 17 : 5),
    frame = Buffer.alloc(frameLength(envelope))
  head.writeUInt32BE(frame.length)
  if (due) {
    head[4] = 'at' in due ? 2 : 1
    head.writeUIntBE('at' in due ? due.at : due.afterMs, 5, 6)
  }
  writeFrame(frame, 0, envelope)
  return Buffer.concat([head, frame])
}
