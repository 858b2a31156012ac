/**
 * One to four worker processes on one queue, concurrency 100 each, from the start of all until the last message was run. On a machine
 * with fewer cores than processes, and the server beside them, more of them are no faster.
 */
import { setTimeout } from 'node:timers/promises'
import { contest, list } from '../shared/contest.mjs'
import { isQuick, many } from '../shared/harness.mjs'
import { arena, meet } from './arena.mjs'
import { now, startWorker } from './worker.mjs'

const N = many(50_000)
const MOST = isQuick ? 2 : 4
/** The time is right to so many ms; a round takes hundreds. */
const LOOK_MS = 3
const LOST_MS = 20_000

export const processes = () =>
  arena(['ours', 'bare', 'bullmq', 'bee'], async (contenders, server) => {
    const workers = new Map()
    try {
      for (const [name, contender] of Object.entries(contenders)) {
        const mine = []
        workers.set(contender, mine)
        const start = async () => mine.push(await startWorker(name, server))
        await Promise.all(Array.from({ length: MOST }, start))
      }
      for (let count = 1; count <= MOST; count++)
        await meet(`runs, ${count === 1 ? '1 process' : `${count} processes`}`, contenders, one =>
          shared(one, workers.get(one).slice(0, count)),
        )
    } finally {
      for (const worker of [...workers.values()].flat()) await worker[Symbol.asyncDispose]()
    }
  })

/** A scenario: the same as `runs`, by these. */
function shared(contender, workers) {
  const { name, n, isPeer } = contest(contender).runs(N, 100)
  const ask = (what, value) => Promise.all(workers.map(worker => worker.ask(what, value)))
  const sum = answers => answers.reduce((all, { ran }) => all + ran, 0)
  let found
  return {
    name,
    n,
    isPeer,
    async before() {
      await contender.sendMany(list(n))
      await ask('prepare', { concurrency: 100 })
    },
    async run() {
      await ask('start')
      for (const start = now(); ; await setTimeout(LOOK_MS)) {
        found = sum(await ask('report'))
        if (found >= n || now() - start > LOST_MS) return found
      }
    },
    async after() {
      found = sum(await ask('close'))
      const left = await contender.clear()
      if (found !== n || left !== 0)
        throw new Error(`${name}: ${found} of ${n} were run, and ${left} were left; that is no measurement`)
    },
  }
}
