/** BullMQ as a contender, as its documents set it up, and told to forget what is done, as we do. */
import { Queue, Worker } from 'bullmq'
import { Redis } from 'ioredis'
import { counter } from '../shared/contest.mjs'

const STEP = 1_000
const DAY_MS = 86_400_000
const WAITING = ['waiting', 'prioritized', 'delayed', 'active', 'paused', 'failed', 'completed', 'waiting-children']

/** @returns {Promise<import('../shared/contest.mjs').Contender>} */
export async function open({ port, queue: name = 'noop', connection = { host: '127.0.0.1', port, maxRetriesPerRequest: null } }) {
  const queue = new Queue(name, { connection, defaultJobOptions: { removeOnComplete: true } })
  await queue.waitUntilReady()

  async function sendMany(all, opts) {
    let stored = 0
    for (let from = 0; from < all.length; from += STEP) {
      const jobs = all.slice(from, from + STEP).map(data => ({ name: 'noop', data, opts }))
      for (const { id } of await queue.addBulk(jobs)) if (id !== undefined) stored++
    }
    return stored
  }

  return {
    name: 'BullMQ',
    pace: 1 / 5,
    isPeer: true,
    send: async args => (await queue.add('noop', args)).id !== undefined,
    sendMany: all => sendMany(all),
    sendDelayed: all => sendMany(all, { delay: DAY_MS }),
    async worker(concurrency, onRun = () => {}) {
      const worker = new Worker(name, async ({ data }) => onRun(data), {
        connection,
        concurrency,
        autorun: false,
        removeOnComplete: { count: 0 },
      })
      const settled = counter()
      worker.on('completed', settled.add)
      worker.on('error', () => {}) // what it does not run is seen by the count
      await worker.waitUntilReady()
      return {
        start: () => void worker.run(),
        async settled(n) {
          await settled.until(n)
          return settled.count()
        },
        ran: settled.count,
        close: () => worker.close(),
      }
    },
    async clear() {
      const left = Object.values(await queue.getJobCounts(...WAITING)).reduce((sum, count) => sum + count, 0)
      await queue.drain(true)
      return left
    },
    close: () => queue.close(),
  }
}

/** One connection for all queues and workers; a worker still needs one of its own, to wait on. */
export function share(port) {
  const connection = new Redis({ port, maxRetriesPerRequest: null })
  return { options: { connection }, close: () => connection.disconnect() }
}
