/** Where the contenders meet: a server that is started for them, each of them opened on it, and all of it ended afterwards. */
import { install } from '../../scripts/ready.mjs'
import { needsPeers, open, present } from './contenders.mjs'
import { startServer } from './server.mjs'
import { compareSpeed } from '../shared/contest.mjs'
import { measure } from '../shared/harness.mjs'

if (needsPeers) install('benchmarks/peers')

/**
 * @param {readonly string[]} names those of them that come
 * @param {(contenders: Readonly<Record<string, import('../shared/contest.mjs').Contender>>, server) => Promise<void>} meet
 * @param settings of redis.conf
 */
export async function arena(names, meet, settings) {
  const server = await startServer(settings)
  const contenders = {}
  try {
    for (const name of present(names)) contenders[name] = await open(name, server)
    await meet(contenders, server)
  } finally {
    for (const contender of Object.values(contenders)) await contender.close()
    await server[Symbol.asyncDispose]()
  }
}

/** Measures one scenario of each, and compares us with the others; `goals` is how many times as fast we should be. */
export async function meet(title, contenders, make, goals = {}) {
  const made = Object.entries(contenders).map(([name, contender]) => [name, make(contender)])
  const medians = await measure(
    title,
    made.map(([, scenario]) => scenario),
  )
  const { ours } = Object.fromEntries(made)
  for (const [name, other] of made) {
    if (other === ours || ours === undefined) continue
    const goal = goals[name] === undefined ? {} : { atLeast: goals[name] }
    compareSpeed(medians, `${title}: ours to ${contenders[name].name}`, ours, other, goal)
  }
}
