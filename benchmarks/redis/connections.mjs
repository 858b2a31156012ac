/**
 * How many connections a process holds that sends to so many queues and serves them all: the most that were seen for a while, in which ours
 * renews its leases. Each of the queues has one message run.
 */
import { setTimeout } from 'node:timers/promises'
import { greenroom } from 'greenroom'
import { compare, counter, twoArguments } from '../shared/contest.mjs'
import { heading, json, many } from '../shared/harness.mjs'
import { arena } from './arena.mjs'
import { present } from './contenders.mjs'

const QUEUES = [1, Math.max(2, many(100))]
const MOST = 3
/** A third of a lease and more. */
const WATCH_MS = 1_500
const LEASE = '3s'

export async function connections() {
  const title = 'connections of a process'
  heading(title)
  for (const name of present(['ours', 'bullmq', 'bullmq shared', 'bee', 'bee shared'])) {
    for (const queues of QUEUES) {
      await arena([], async (_contenders, server) => {
        const holding = await (name === 'ours' ? openAll(server, queues) : openEach(name, server, queues))
        const count = await most(server)
        await holding.close()
        const what = `${LABELS[name]}, ${queues} ${queues === 1 ? 'queue' : 'queues'}`
        compare(what, count, { unit: count === 1 ? 'connection' : 'connections', ...(name === 'ours' && { atMost: MOST }) })
        json(title, { name: what, queues, connections: count })
      })
    }
  }
}

const LABELS = {
  ours: 'greenroom',
  bullmq: 'BullMQ',
  'bullmq shared': 'BullMQ, given one connection to share',
  bee: 'bee-queue',
  'bee shared': 'bee-queue, given one connection to share',
}

async function openAll({ url }, queues) {
  const app = greenroom({ broker: url })
  const ran = counter()
  const actors = Array.from({ length: queues }, (_, i) => app.actor(async () => ran.add(), { name: `a${i}`, queue: `q${i}` }))
  const worker = await app.work({ lease: LEASE })
  await Promise.all(actors.map(actor => actor.send()))
  await ran.until(queues)
  if (ran.count() !== queues) throw new Error(`${ran.count()} runs of ${queues} messages; that is no measurement`)
  return {
    async close() {
      await worker.close()
      await app.close()
    },
  }
}

async function openEach(name, { port }, queues) {
  const [kind, isShared] = name.split(' ')
  const peer = await import(kind === 'bee' ? '../peers/bee-queue.mjs' : '../peers/bullmq.mjs')
  const shared = isShared ? await peer.share(port) : undefined
  const opened = []
  for (let i = 0; i < queues; i++) {
    const contender = await peer.open({ port, queue: `q${i}`, ...shared?.options })
    const worker = await contender.worker(1)
    worker.start()
    await contender.send(twoArguments(i))
    opened.push({ contender, worker })
  }
  for (const { worker } of opened) await worker.settled(1)
  return {
    async close() {
      for (const { worker } of opened) await worker.close()
      for (const { contender } of opened) await contender.close()
      await shared?.close()
    },
  }
}

async function most(server) {
  let count = 0
  for (const end = performance.now() + WATCH_MS; performance.now() < end; await setTimeout(50))
    count = Math.max(count, await server.clients())
  return count
}
