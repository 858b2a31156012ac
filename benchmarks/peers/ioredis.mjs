/**
 * The bare driver as a contender: what a program that builds a message, gives it an id and stringifies it could do with lists alone, in
 * the batches that ours make. It keeps what it took in a hash until it has run, and nobody would ever put that back.
 *
 *   pipelines   one RPUSH a message, in one pipeline a batch
 *   one command one RPUSH a batch: the least that the server could be asked
 */
import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { counter } from '../shared/contest.mjs'

const KEY = 'bare:ready',
  LEASED = 'bare:leased'
/** What 1,000 in flight come to with us: two batches, each on its way while the other is made. */
const BATCH = 500
const MOST_TAKEN = 128

function build(args) {
  return JSON.stringify({ id: randomUUID(), queue: 'noop', actor: 'noop', args, options: {}, timestamp: Date.now() })
}

/** @returns {Promise<import('../shared/contest.mjs').Contender>} */
export async function open({ port, kind = 'pipelines' }) {
  const redis = new Redis({ port })

  async function push(bodies) {
    if (kind === 'one command') return void (await redis.rpush(KEY, ...bodies))
    const pipeline = redis.pipeline()
    for (const body of bodies) pipeline.rpush(KEY, body)
    for (const [error] of await pipeline.exec()) if (error) throw error
  }
  async function sendBatches(n, atOnce, argsOf) {
    const batch = Math.max(1, Math.min(BATCH, Math.floor(atOnce / 2)))
    let next = 0
    const lane = async () => {
      while (next < n) {
        const bodies = []
        for (const end = Math.min(n, next + batch); next < end; next++) bodies.push(build(argsOf(next)))
        await push(bodies)
      }
    }
    await Promise.all([lane(), lane()])
    return n
  }

  return {
    name: kind === 'pipelines' ? 'bare ioredis' : 'bare ioredis, a command a batch',
    pace: 1,
    send: async args => (await redis.rpush(KEY, build(args))) > 0,
    sendBatches,
    sendMany: all => sendBatches(all.length, 2 * BATCH, i => all[i]),
    worker: (concurrency, onRun) => worker(port, concurrency, onRun),
    async clear() {
      const left = (await redis.llen(KEY)) + (await redis.hlen(LEASED))
      await redis.del(KEY, LEASED)
      return left
    },
    close: async () => void (await redis.quit()),
  }
}

/** One trip a batch: what has run goes, the batch that was taken before is noted down, the next one is taken. */
async function worker(port, concurrency, onRun = async () => {}) {
  const lanes = concurrency > 1 ? 2 : 1
  const batch = Math.min(MOST_TAKEN, Math.ceil(concurrency / lanes))
  const connections = Array.from({ length: lanes }, () => new Redis({ port }))
  await Promise.all(connections.map(redis => redis.ping()))
  const settled = counter()
  let isStopping = false

  async function lane(redis) {
    let held = [],
      done = []
    while (!isStopping) {
      const pipeline = redis.pipeline()
      if (done.length > 0) pipeline.hdel(LEASED, ...done)
      if (held.length > 0) pipeline.hset(LEASED, ...held.flatMap(({ id, body }) => [id, body]))
      pipeline.lpop(KEY, batch)
      const replies = await pipeline.exec()
      for (const [error] of replies) if (error) throw error
      for (let i = 0; i < done.length; i++) settled.add()
      await Promise.all(held.map(async ({ args }) => onRun(args)))
      done = held.map(({ id }) => id)
      held = (replies.at(-1)[1] ?? []).map(read)
      if (held.length > 0 || done.length > 0) continue
      const [, body] = (await redis.blpop(KEY, 0).catch(() => undefined)) ?? []
      if (body !== undefined) held = [read(body)]
    }
  }

  let working
  return {
    start() {
      working = Promise.all(connections.map(lane)).catch(error => {
        if (!isStopping) throw error
      })
    },
    async settled(n) {
      await settled.until(n)
      return settled.count()
    },
    ran: settled.count,
    async close() {
      isStopping = true
      for (const redis of connections) redis.disconnect()
      await working
    },
  }
}

function read(body) {
  const { id, args } = JSON.parse(body)
  return { id, args, body }
}
