/** bee-queue as a contender, with what its documents advise for speed: no events, no jobs in memory, and what is done is removed. */
import { createRequire } from 'node:module'
import BeeQueue from 'bee-queue'
import { counter } from '../shared/contest.mjs'

const STEP = 1_000
const DAY_MS = 86_400_000

/** @returns {Promise<import('../shared/contest.mjs').Contender>} */
export async function open({ port, queue: name = 'noop', redis = { host: '127.0.0.1', port } }) {
  const settings = { redis, getEvents: false, sendEvents: false, storeJobs: false, removeOnSuccess: true }
  const queue = new BeeQueue(name, { ...settings, isWorker: false })
  await queue.ready()

  async function sendMany(all, prepare = job => job) {
    let stored = 0
    for (let from = 0; from < all.length; from += STEP) {
      const jobs = all.slice(from, from + STEP).map(data => prepare(queue.createJob(data)))
      const failed = await queue.saveAll(jobs)
      stored += jobs.length - failed.size
    }
    return stored
  }

  return {
    name: 'bee-queue',
    pace: 1 / 4,
    isPeer: true,
    send: async args => Boolean((await queue.createJob(args).save()).id),
    sendMany: all => sendMany(all),
    sendDelayed: all => sendMany(all, job => job.delayUntil(Date.now() + DAY_MS)),
    async worker(concurrency, onRun = () => {}) {
      const worker = new BeeQueue(name, settings)
      const settled = counter()
      worker.on('succeeded', settled.add)
      worker.on('error', () => {}) // what it does not run is seen by the count
      await worker.ready()
      return {
        start: () => worker.process(concurrency, async ({ data }) => onRun(data)),
        async settled(n) {
          await settled.until(n)
          return settled.count()
        },
        ran: settled.count,
        close: () => worker.close(),
      }
    },
    async clear() {
      const { waiting, active, delayed, failed } = await queue.checkHealth()
      await queue.destroy()
      return waiting + active + delayed + failed
    },
    close: () => queue.close(),
  }
}

/** One connection for all queues and workers; a worker still needs one of its own, to wait on. */
export function share(port) {
  const require = createRequire(createRequire(import.meta.url).resolve('bee-queue'))
  const redis = require('redis').createClient({ port })
  redis.setMaxListeners(0)
  return { options: { redis }, close: () => redis.quit() }
}
