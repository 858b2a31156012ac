/** A real Redis whose clock stands still, and an inspector of it: what its tests have in common. */
import type t from 'tap'
import type { Entry, Inspector, ListOptions, Place } from '../../lib/broker.ts'
import { redisInspector } from '../../brokers/redis/inspect.ts'
import { keysOf } from '../../brokers/redis/keys.ts'
import type { Link } from '../../brokers/redis/link.ts'
import { redisAt } from '../rig/redis-at.ts'
import { NAMESPACE, openHand } from './redis-hand.ts'

export const idsOf = (entries: readonly Entry[]): string[] => entries.map(({ envelope }) => envelope.id)
export const range = (count: number, prefix = 'm'): string[] => Array.from({ length: count }, (_, n) => `${prefix}${n}`)

let random = 0
export const inspectorOf = (link: Link): Inspector =>
  redisInspector({ link, namespace: NAMESPACE, random: () => (random = (random + 0.37) % 1) })

/** Ends with the test file. */
export async function inspected(test: typeof t) {
  const server = await redisAt({ appendonly: 'no' })
  const hand = await openHand(server.port)
  test.teardown(async () => {
    await hand[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })
  const { redis, push, consumer } = hand,
    inspector = inspectorOf(hand.link)
  let undertakers = 0
  return {
    ...hand,
    server,
    inspector,
    list: async (queue: string, place: Place) => idsOf((await inspector.list(queue, place, { limit: 1_000 })).entries),
    /** All pages; `between` two of them something happens. */
    async pages(
      queue: string,
      place: Place,
      limit: number,
      between: (page: number, found: readonly string[]) => Promise<unknown> = async () => {},
    ) {
      const found: string[] = []
      for (let options: ListOptions = { limit }, page = 1; ; page++) {
        const { entries, cursor } = await inspector.list(queue, place, options)
        found.push(...idsOf(entries))
        if (cursor === undefined) return found
        await between(page, found)
        options = { limit, cursor }
      }
    },
    async where(queue: string) {
      const { ready, delayed, leased, suspect, dead } = await inspector.counts(queue)
      return { ready, delayed, leased, suspect, dead }
    },
    /** How often somebody was woken. */
    async wakes(queue: string, what: () => Promise<unknown>): Promise<number> {
      const ear = redis.duplicate(),
        { wake } = keysOf(NAMESPACE, queue)
      let heard = 0
      ear.on('smessage', (_, text) => (text === 'end' ? ear.disconnect() : heard++))
      await ear.connect()
      await ear.ssubscribe(wake)
      const ended = new Promise(resolve => ear.once('end', resolve))
      await what()
      await redis.spublish(wake, 'end')
      await ended
      return heard
    },
    /** By a consumer of its own. */
    async bury(queue: string, ...ids: readonly string[]) {
      const one = consumer(queue, `undertaker-${undertakers++}`)
      await push(queue, ...ids.map(id => ({ id, attempt: 4 })))
      await one.trip(1_000)
      await one.trip(0, ...ids.map(id => ['dead', id, 'a “reason”', `error of ${id}`] as const))
    },
  }
}
