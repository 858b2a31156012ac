/**
 * Reads all of a namespace on a Redis server, key by key, and says where each message is. What is wrong is named: a key that the grammar
 * of brokers/redis/keys.ts does not know, a body without its member, a member without its body, a holder without its lease, a mark that
 * never expires, an id that is in two places. It knows the bytes of a frame and writes nothing. Not atomic: for when nobody moves anything.
 */
import { openLink } from '../../brokers/redis/connect.ts'
import { readFrame } from '../../brokers/redis/frame.ts'
import { queuesKey } from '../../brokers/redis/keys.ts'
import type { Link } from '../../brokers/redis/link.ts'
import { systemClock } from '../../lib/clock.ts'
import { systemRandom } from '../../lib/ids.ts'
import { noLog } from './no-log.ts'

export type Place = 'ready' | 'suspect' | 'delayed' | 'leased' | 'dead'

export interface Found {
  readonly id: string
  readonly queue: string
  readonly place: Place
  readonly attempt: number
  /** How often its lease lapsed. */
  readonly lapses: number
  /** Of a leased one: its incarnation. */
  readonly holder?: string
  /** Of a delayed one. */
  readonly due?: number
}

export interface Scan {
  /** Lists in the order in which they are taken. */
  readonly messages: readonly Found[]
  readonly wrong: readonly string[]
  /** The ids in a place, of all queues or one. */
  ids(place: Place, queue?: string): readonly string[]
  /** How many in each place where there are any. */
  readonly counts: Readonly<Partial<Record<Place, number>>>
}

/** @param server a port of this machine, or where a URL leads */
export async function scanRedis(server: number | string, namespace = 'greenroom'): Promise<Scan> {
  const url = typeof server === 'string' ? server : `redis://127.0.0.1:${server}`
  await using link = openLink({ url, log: noLog, clock: systemClock, random: systemRandom })
  await link.up()
  return await scanLink(link, namespace)
}

export async function scanLink(link: Link, namespace: string): Promise<Scan> {
  const messages: Found[] = [],
    wrong: string[] = [],
    seen = new Map<string, string>()
  const keys = new Set<string>()
  for (let cursor = '0', isFirst = true; isFirst || cursor !== '0'; isFirst = false) {
    const [next, some] = (await link.ask('SCAN', cursor, 'COUNT', 1_000)) as [Buffer, Buffer[]]
    for (const key of some) keys.add(key.toString('latin1'))
    cursor = next.toString()
  }
  const ask = async <T>(command: string, key: string, ...words: (string | number)[]) =>
    (await link.ask(command, key, ...words)) as T
  const known = new Set((await ask<Buffer[]>('SMEMBERS', queuesKey(namespace))).map(String))

  const place = (bytes: Buffer, found: Pick<Found, 'queue' | 'place' | 'holder' | 'due'>, member?: string): void => {
    const { id, attempt, lapses } = readFrame(bytes)
    if (member !== undefined && member !== id && !member.startsWith(`${id} `))
      wrong.push(`${found.place} of ${found.queue}: member ${member} has the body of ${id}`)
    const before = seen.get(id)
    if (before !== undefined) wrong.push(`${id} is in two places: ${before} and ${found.place} of ${found.queue}`)
    seen.set(id, `${found.place} of ${found.queue}`)
    messages.push({ id, attempt, lapses, ...found })
  }
  const hash = async (key: string): Promise<ReadonlyMap<string, Buffer>> => {
    const flat = await ask<Buffer[]>('HGETALL', key)
    return new Map(Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i]!.toString('latin1'), flat[2 * i + 1]!]))
  }
  const scores = async (key: string): Promise<ReadonlyMap<string, number>> => {
    const flat = await ask<Buffer[]>('ZRANGE', key, 0, -1, 'WITHSCORES')
    return new Map(Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i]!.toString('latin1'), Number(flat[2 * i + 1])]))
  }
  /** A zset and the hash of its bodies: each has what the other has. */
  async function pairs(
    tag: string,
    name: 'delayed' | 'dead',
    told: (member: string, body: Buffer, score: number) => void,
  ): Promise<void> {
    const [members, bodies] = [await scores(`${tag}${name}`), await hash(`${tag}${name}:b`)]
    for (const [member, score] of members) {
      const body = bodies.get(member)
      if (body) told(member, body, score)
      else wrong.push(`${tag}${name} has ${member} without a body`)
    }
    for (const member of bodies.keys())
      if (!members.has(member)) wrong.push(`${tag}${name}:b has a body of ${member}, which is nowhere`)
  }
  const expires = async (key: string) => {
    if ((await ask<number>('PTTL', key)) === -1) wrong.push(`${key} never expires`)
  }

  const isOfAnother = (key: string) => /^\{[^:}]+:/.test(key) && !key.startsWith(`{${namespace}:`)
  const queues = new Set<string>(),
    unreadable = new Set<string>()
  for (const key of keys) {
    if (key === `{${namespace}:}:queues` || isOfAnother(key)) continue
    if (key === `{${namespace}:}:sweep`) {
      await expires(key)
      continue
    }
    const [, queue, name = ''] = new RegExp(`^\\{${namespace}:([^}]+)\\}:(.*)$`, 's').exec(key) ?? []
    const type = TYPES.find(([pattern]) => pattern.test(name))?.[1]
    if (!queue || !type) wrong.push(`a key that nobody knows: ${key}`)
    else if (`${await link.ask('TYPE', key)}` === type) queues.add(queue)
    else {
      wrong.push(`${key} is no ${type}`)
      unreadable.add(queue)
    }
  }
  for (const queue of [...queues].toSorted()) {
    if (unreadable.has(queue)) continue
    const tag = `{${namespace}:${queue}}:`
    if (!known.has(queue)) wrong.push(`nobody looks after ${queue}: it is not in the set of queues`)
    const meta = await hash(`${tag}meta`)
    for (const name of ['again', 'r0', 'r1', 'r2']) {
      let holes = 0
      for (const frame of await ask<Buffer[]>('LRANGE', `${tag}${name}`, 0, -1)) {
        if (frame.length === 0) holes++
        else place(frame, { queue, place: name === 'again' ? 'suspect' : 'ready' })
      }
      const counted = Number(meta.get(`holes:${name}`) ?? 0)
      if (holes !== counted) wrong.push(`${tag}${name} has ${holes} holes, and ${counted} are counted`)
    }
    for (const field of meta.keys()) if (!/^(paused|holes:(again|r[012]))$/.test(field)) wrong.push(`${tag}meta has ${field}`)
    await pairs(tag, 'delayed', (member, body, due) => place(body, { queue, place: 'delayed', due }, member))
    await pairs(tag, 'dead', (member, letter) => {
      const start = 6 + letter.readUInt16BE(0) + letter.readUInt32BE(2)
      place(letter.subarray(start), { queue, place: 'dead' }, member)
    })
    const leases = await scores(`${tag}leases`)
    for (const holder of leases.keys())
      if (!keys.has(`${tag}leased:${holder}`)) wrong.push(`${tag}leases has ${holder}, which never joined`)
    for (const key of keys) {
      if (!key.startsWith(tag)) continue
      const name = key.slice(tag.length)
      if (/^(tok|once):|^onces$/.test(name)) await expires(key)
      if (name.startsWith('once:') && !keys.has(`${tag}onces`)) wrong.push(`${key} is there without ${tag}onces`)
      if (name.startsWith('tok:') && !/^\d+ [01]*$/.test(`${(await ask<Buffer | null>('GET', key)) ?? '1 '}`))
        wrong.push(`${key} is no token`)
      if (!name.startsWith('leased:')) continue
      const holder = name.slice('leased:'.length),
        held = await hash(key)
      if (!leases.has(holder)) wrong.push(`${key} is there without its row in ${tag}leases`)
      if (!/^(\d+|x)$/.test(`${held.get('#')}`)) wrong.push(`${key} has no number`)
      for (const [field, frame] of held) if (field !== '#') place(frame, { queue, place: 'leased', holder })
    }
  }
  const counts: Partial<Record<Place, number>> = {}
  for (const { place } of messages) counts[place] = (counts[place] ?? 0) + 1
  return {
    messages,
    wrong,
    counts,
    ids: (place, queue) =>
      messages.filter(found => found.place === place && (queue === undefined || found.queue === queue)).map(({ id }) => id),
  }
}

/** Of what stands behind the tag of a queue. */
const TYPES = [
  [/^(r[012]|again)$/, 'list'],
  [/^(delayed|dead|leases)$/, 'zset'],
  [/^(delayed:b|dead:b|meta|leased:[!-~]+)$/, 'hash'],
  [/^(tok:[!-~]+|once:[!-~]+|onces)$/, 'string'],
] as const
