/**
 * One harness for all benchmarks: scenarios take turns, round after round, so that a machine whose speed drifts treats them
 * alike; the first rounds warm up and are not counted; a scenario that does not account for every message has no figure.
 * What counts is the ratio between scenarios of one run; absolute figures are this machine's, today.
 *
 * `--json` prints a line of JSON a scenario as well. `--quick` runs a hundredth once: to see that a benchmark works.
 */
import { availableParallelism } from 'node:os'

const isQuick = process.argv.includes('--quick')
const ROUNDS = isQuick ? 1 : 5
const WARM_UP = isQuick ? 0 : 2

/** So many, or a hundredth of it for `--quick`. */
export const many = n => (isQuick ? Math.max(10, Math.round(n / 100)) : n)

/**
 * @typedef {object} Scenario
 * @property {string} name
 * @property {number} n messages a round: enough for a tenth of a second, else it is the garbage collector that is measured
 * @property {() => Promise<number> | number} run works through `n` messages and says how many it accounts for
 * @property {() => Promise<void> | void} [before] not timed
 * @property {() => Promise<void> | void} [after] not timed
 */

/** Runs the scenarios in turn. @param {readonly Scenario[]} scenarios @returns medians by name, µs a message */
export async function measure(title, scenarios) {
  const times = new Map(scenarios.map(({ name }) => [name, []]))
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    for (const { name, n, run, before, after } of scenarios) {
      await before?.()
      const start = performance.now()
      const accounted = await run()
      const ms = performance.now() - start
      await after?.()
      if (accounted !== n) throw new Error(`${name}: ${accounted} of ${n} messages are accounted for; that is no measurement`)
      if (round >= 0) times.get(name).push((ms * 1_000) / n)
    }
  }
  const rows = scenarios.map(({ name, n }) => ({ name, n, ...spread(times.get(name)) }))
  print(title, rows)
  return new Map(rows.map(row => [row.name, row.median]))
}

export function spread(found) {
  const sorted = found.toSorted((a, b) => a - b)
  return { median: sorted[sorted.length >> 1], low: sorted[0], high: sorted.at(-1) }
}

function print(title, rows) {
  const width = Math.max(...rows.map(({ name }) => name.length))
  heading(title)
  console.log(`${''.padEnd(width)}    µs a message   (lowest .. highest)      a second`)
  for (const { name, median, low, high } of rows) {
    const range = `(${low.toFixed(2)} .. ${high.toFixed(2)})`
    const perSecond = Math.round(1e6 / median).toLocaleString('en')
    console.log(`${name.padEnd(width)}  ${median.toFixed(2).padStart(12)}   ${range.padEnd(22)}  ${perSecond.padStart(10)}`)
  }
  for (const row of rows) json(title, row)
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
