/**
 * The worker of a contender in a process of its own. It is told what to do, one thing after the other, and answers each:
 *
 *   prepare <concurrency>   connects
 *   start                   goes to work
 *   report                  how many it has run, and how long each was on its way, if its sender wrote down the time
 *   close
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** One clock for all processes of a machine, ms. */
export const now = () => Number(process.hrtime.bigint()) / 1e6
const SELF = fileURLToPath(import.meta.url)

/** Starts one. `ask` resolves to its answer. */
export async function startWorker(name, { url, port }) {
  const child = fork(SELF, ['worker', name, url, `${port}`])
  const exited = once(child, 'exit')
  const heard = async () => {
    const [answer] = await Promise.race([once(child, 'message'), exited.then(([code]) => [{ failed: `it ended with ${code}` }])])
    if (answer.failed) throw new Error(`the worker of ${name}: ${answer.failed}`)
    return answer
  }
  await heard()
  return {
    ask(what, value) {
      child.send({ what, value })
      return heard()
    },
    async [Symbol.asyncDispose]() {
      if (child.connected) child.disconnect()
      await exited
    },
  }
}

if (process.argv[1] === SELF && process.argv[2] === 'worker') {
  const [, , , name, url, port] = process.argv
  const { open } = await import('./contenders.mjs')
  const contender = await open(name, { url, port: Number(port) })
  let worker
  let waits = []
  const deeds = {
    async prepare({ concurrency, isTimed }) {
      worker = await contender.worker(concurrency, isTimed ? ([, sentAt]) => void waits.push(now() - sentAt) : undefined)
    },
    start: () => worker.start(),
    report: () => ({ ran: worker.ran(), waits }),
    async close() {
      const ran = worker.ran()
      await worker.close()
      waits = []
      return { ran: Math.max(ran, worker.ran()) }
    },
  }
  process.on('message', async ({ what, value }) => {
    try {
      process.send({ ...(await deeds[what](value)) })
    } catch (error) {
      process.send({ failed: error.stack })
    }
  })
  process.once('disconnect', async () => {
    await worker?.close()
    await contender.close()
    process.exit() // a peer may hold a connection open
  })
  process.send({})
}
