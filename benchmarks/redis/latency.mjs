/**
 * How soon a message that is sent to an idle queue starts in another process. An open loop: 50 a second leave when it is time, however
 * long the ones before take; the contenders take turns, a second each, with all workers waiting.
 */
import { setTimeout } from 'node:timers/promises'
import { compare, twoArguments } from '../shared/contest.mjs'
import { heading, json, many } from '../shared/harness.mjs'
import { arena } from './arena.mjs'
import { now, startWorker } from './worker.mjs'

const A_SECOND = 50
const TURNS = Math.ceil(many(2_000) / 100)
const A_TURN = Math.min(A_SECOND, many(1_000))
const LATE_MS = 10_000

export const latency = () =>
  arena(['ours', 'bare', 'bullmq', 'bee'], async (contenders, server) => {
    const title = 'from the send to the start in another process, an idle worker, ms'
    const workers = {}
    try {
      for (const name of Object.keys(contenders)) {
        workers[name] = await startWorker(name, server)
        await workers[name].ask('prepare', { concurrency: 10, isTimed: true })
        await workers[name].ask('start')
      }
      for (const [name, contender] of Object.entries(contenders)) {
        await turn(contender) // warms up
        await all(workers[name], A_TURN)
      }
      for (let i = 0; i < TURNS; i++) for (const contender of Object.values(contenders)) await turn(contender)
      heading(title)
      const rows = {}
      for (const [name, contender] of Object.entries(contenders)) {
        const n = A_TURN * TURNS
        const waits = (await all(workers[name], A_TURN + n)).slice(A_TURN)
        rows[name] = report(title, contender, n, waits)
      }
      for (const [name, row] of Object.entries(rows)) {
        if (name === 'ours' || !rows.ours) continue
        for (const share of ['p50', 'p99'])
          compare(
            `idle latency, ${share}: ours to ${contenders[name].name}`,
            rows.ours[share] / row[share],
            name === 'bullmq' ? { atMost: 0.5 } : {},
          )
      }
    } finally {
      for (const worker of Object.values(workers)) await worker[Symbol.asyncDispose]()
    }
  })

/** A second of messages, each at its time. */
async function turn(contender) {
  const start = now()
  const sending = []
  for (let i = 0; i < A_TURN; i++) {
    await setTimeout(Math.max(0, start + (i * 1_000) / A_SECOND - now()))
    sending.push(contender.send(twoArguments(now())))
  }
  await Promise.all(sending)
}

/** How long each of so many was on its way, when all have come, or none comes any more. */
async function all(worker, n) {
  for (const start = now(); ; await setTimeout(50)) {
    const { waits } = await worker.ask('report')
    if (waits.length >= n || now() - start > LATE_MS) return waits
  }
}

function report(title, { name, isPeer }, n, waits) {
  if (waits.length !== n) {
    const failed = `${waits.length} of ${n} messages came; that is no measurement`
    if (!isPeer) throw new Error(failed)
    console.log(`${name}: no figure: ${failed}`)
    json(title, { name, failed })
    return {}
  }
  const sorted = waits.toSorted((a, b) => a - b)
  const at = share => Number(sorted[Math.min(n - 1, Math.floor(n * share))].toFixed(3))
  const row = { p50: at(0.5), p90: at(0.9), p99: at(0.99), longest: at(1) }
  console.log(`${name}: half within ${row.p50}, 90% within ${row.p90}, 99% within ${row.p99}, all within ${row.longest}`)
  json(title, { name, n, ...row })
  return row
}
