/**
 * One harness for all benchmarks: scenarios take turns, round after round, so that a machine whose speed drifts treats them
 * alike; the first rounds warm up and are not counted; a scenario that does not account for every message has no figure.
 * What counts is the ratio between scenarios of one run; absolute figures are this machine's, today.
 *
 * `--json` prints a line of JSON a scenario as well. `--quick` runs a hundredth once: to see that a benchmark works.
 * `--scale=10` runs a tenth, in all rounds.
 */
import { availableParallelism } from 'node:os'

export const isQuick = process.argv.includes('--quick')
const ROUNDS = isQuick ? 1 : 5
const WARM_UP = isQuick ? 0 : 2
const SCALE = isQuick ? 100 : Number(process.argv.find(flag => flag.startsWith('--scale='))?.slice(8) ?? 1)

/** So many, or the part of it that was asked for. */
export const many = n => (SCALE === 1 ? n : Math.max(10, Math.round(n / SCALE)))

/**
 * @typedef {object} Scenario
 * @property {string} name
 * @property {number} n messages a round: enough for a tenth of a second, else it is the garbage collector that is measured
 * @property {() => Promise<number> | number} run works through `n` messages and says how many it accounts for
 * @property {() => Promise<void> | void} [before] not timed
 * @property {() => Promise<void> | void} [after] not timed; throws when it finds that messages are lost
 * @property {boolean} [isPeer] of others: when it fails it has no figure, and the rest goes on
 */

/** Runs the scenarios in turn. @param {readonly Scenario[]} scenarios @returns medians by name, µs a message */
export async function measure(title, scenarios) {
  const times = new Map(scenarios.map(({ name }) => [name, []]))
  const failed = new Map()
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    for (const scenario of scenarios) {
      const { name, n, isPeer } = scenario
      if (failed.has(name)) continue
      try {
        const ms = await timed(scenario)
        if (round >= 0) times.get(name).push((ms * 1_000) / n)
      } catch (error) {
        if (!isPeer) throw error
        failed.set(name, error.message)
      }
    }
  }
  const rows = scenarios.filter(({ name }) => !failed.has(name)).map(({ name, n }) => ({ name, n, ...spread(times.get(name)) }))
  print(title, rows, failed)
  return new Map(rows.map(row => [row.name, row.median]))
}

async function timed({ name, n, run, before, after }) {
  await before?.()
  const start = performance.now()
  const accounted = await run()
  const ms = performance.now() - start
  await after?.()
  if (accounted !== n) throw new Error(`${name}: ${accounted} of ${n} messages are accounted for; that is no measurement`)
  return ms
}

export function spread(found) {
  const sorted = found.toSorted((a, b) => a - b)
  return { median: sorted[sorted.length >> 1], low: sorted[0], high: sorted.at(-1) }
}

function print(title, rows, failed) {
  const width = Math.max(...[...rows.map(({ name }) => name), ...failed.keys()].map(name => name.length))
  heading(title)
  console.log(`${''.padEnd(width)}    µs a message   (lowest .. highest)      a second`)
  for (const { name, median, low, high } of rows) {
    const range = `(${low.toFixed(2)} .. ${high.toFixed(2)})`
    const perSecond = Math.round(1e6 / median).toLocaleString('en')
    console.log(`${name.padEnd(width)}  ${median.toFixed(2).padStart(12)}   ${range.padEnd(22)}  ${perSecond.padStart(10)}`)
  }
  for (const [name, why] of failed) console.log(`${name.padEnd(width)}  no figure: ${why}`)
  for (const row of rows) json(title, row)
  for (const [name, why] of failed) json(title, { name, failed: why })
}

export function heading(title) {
  console.log(`\n${title}   node ${process.version}, ${availableParallelism()} cores, ${ROUNDS} rounds`)
}

/** A line of JSON, for `--json`. */
export function json(title, row) {
  if (!process.argv.includes('--json')) return
  console.log(JSON.stringify({ bench: title, ...row, node: process.version, cores: availableParallelism() }))
}

/** Calls `send` n times, so many at once. */
export async function inFlight(n, atOnce, send) {
  let next = 0
  const lane = async () => {
    while (next < n) await send(next++)
  }
  await Promise.all(Array.from({ length: Math.min(n, atOnce) }, lane))
}

export const rounds = ROUNDS
