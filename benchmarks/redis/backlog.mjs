/** What a million messages that wait, or are delayed, in the same queue cost those of ours that are sent and run beside them. */
import { compare, contest, list } from '../shared/contest.mjs'
import { many, measure } from '../shared/harness.mjs'
import { open } from './contenders.mjs'
import { startServer } from './server.mjs'

const BACKLOG = many(1_000_000)
const N = many(20_000)
const STEP = 10_000
const MOST_SLOWER = 20
const COUNT = BACKLOG.toLocaleString('en')

export async function backlog() {
  const all = []
  try {
    const none = await beside('nothing waits', all),
      waiting = await beside(`${COUNT} wait`, all, { keeps: true, fillBy: one => one.sendMany }),
      delayed = await beside(`${COUNT} are delayed`, all, { fillBy: one => one.sendDelayed })
    for (const kind of ['sends', 'runs']) {
      const medians = await measure(
        `beside a backlog: ${kind}`,
        [none, waiting, delayed].map(each => each[kind]),
      )
      for (const each of [waiting, delayed]) {
        const slower = (medians.get(each[kind].name) / medians.get(none[kind].name) - 1) * 100
        compare(`while ${each.label}: ${kind} slower by`, slower, { unit: '%', atMost: MOST_SLOWER })
      }
    }
  } finally {
    for (const one of all.reverse()) await one()
  }
}

/** Scenarios on a server of its own, with a backlog in their queue. */
async function beside(label, ends, { keeps = false, fillBy } = {}) {
  const server = await startServer()
  ends.push(() => server[Symbol.asyncDispose]())
  const ours = await open('ours', server)
  ends.push(ours.close)
  const fill = fillBy?.(ours)
  for (let from = 0; fill && from < BACKLOG; from += STEP) await fill(list(Math.min(STEP, BACKLOG - from)))
  const made = contest({ ...ours, name: label }, { keeps })
  return { label, sends: made.sends(N, 1_000), runs: made.runs(N, 100) }
}
