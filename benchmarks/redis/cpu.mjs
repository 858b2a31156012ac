/**
 * What a message costs the server and this process: microseconds of CPU, in all their threads, for a send and for a run. It is what is left
 * to compare on a machine that is busy with something else.
 */
import { compare, contest } from '../shared/contest.mjs'
import { heading, json, many, rounds, spread } from '../shared/harness.mjs'
import { arena } from './arena.mjs'

const N = many(20_000)

export const cpu = () =>
  arena(['ours', 'least', 'bare', 'bullmq', 'bee'], async (contenders, server) => {
    heading('CPU, µs a message')
    await spent('a send, 1,000 at once', contenders, server, one => contest(one).sends(N, 1_000))
    const { least: _, ...others } = contenders
    await spent('taken, run and settled, concurrency 100', others, server, one => contest(one).runs(N, 100))
  })

async function spent(what, contenders, server, make) {
  const all = Object.values(contenders).map(one => ({ name: one.name, scenario: make(one), found: [], why: undefined }))
  for (let round = -1; round < rounds; round++) {
    for (const each of all) {
      if (each.why) continue
      try {
        const used = await during(server, each.scenario)
        if (round >= 0) each.found.push(used)
      } catch (error) {
        if (!each.scenario.isPeer) throw error
        each.why = error.message
      }
    }
  }
  for (const { name, scenario, why, found } of all) {
    for (const [place, who] of ['the server', 'this process'].entries()) {
      const { median, low, high } = why ? {} : spread(found.map(used => used[place]))
      compare(`${what}, ${who}: ${name}`, median, { unit: 'µs' })
      json(what, { name, who, ...(why ? { failed: why } : { n: scenario.n, median, low, high }) })
    }
  }
}

/** µs a message of the server and of this process, while it runs. */
async function during(server, { n, before, run, after }) {
  await before?.()
  const start = await server.cpu()
  const mine = process.cpuUsage()
  const accounted = await run()
  const { user, system } = process.cpuUsage(mine)
  const seconds = (await server.cpu()) - start
  await after?.()
  if (accounted !== n) throw new Error(`${accounted} of ${n} messages are accounted for; that is no measurement`)
  return [(seconds * 1e6) / n, (user + system) / n]
}
