/**
 * Scenarios of a broker's benchmark, the same for us and for others. A contender is a file that opens one of them and says how it sends,
 * what it holds, and how its worker runs; here that becomes what harness.mjs measures, and the sentences that compare medians.
 *
 * @typedef {object} Contender
 * @property {string} name
 * @property {number} pace how much of `n` gives it a round that is long enough: 1, or a part
 * @property {boolean} [isPeer] of others: what it loses costs it its figure, and nothing else
 * @property {(args: unknown[]) => Promise<boolean>} send stored, by its own promise
 * @property {(all: unknown[][]) => Promise<number>} sendMany stored, in batches as it likes them
 * @property {(n: number, atOnce: number, argsOf: (i: number) => unknown[]) => Promise<number>} [sendBatches] instead of `send` where many
 *   are in flight: what has no promise a message
 * @property {(concurrency: number, onRun?: (args: unknown[]) => void) => Promise<Running>} worker connected, and not yet at work
 * @property {() => Promise<number>} clear removes what waits, and says how many there were
 * @property {() => Promise<void>} close
 *
 * @typedef {object} Running
 * @property {() => void} start
 * @property {(n: number) => Promise<number>} settled when n were run and settled, or after a time without one; says how many were run
 * @property {() => number} ran so far
 * @property {() => Promise<void>} close
 */
import { inFlight, json } from './harness.mjs'

/** With an id, a queue and a name some 200 bytes. */
export const URL_ARGUMENT = 'https://example.com/photos/2026/11/24/some-picture-of-a-cat.jpg'
export const twoArguments = i => [URL_ARGUMENT, i]
/** Whoever runs nothing for so long has lost a message. */
const LOST_MS = 15_000

/** @param {Contender} contender */
export function contest(contender, { argsOf = twoArguments, keeps = false } = {}) {
  const { name, isPeer, pace } = contender
  const paced = n => Math.max(10, Math.round(n * pace))
  const check = (n, found, what) => {
    if (found !== n) throw new Error(`${name}: ${found} messages ${what}, not ${n}; that is no measurement`)
  }
  const clear = async (n, what) => {
    if (!keeps) check(n, await contender.clear(), what)
  }
  const stored = (what, n, run) => ({ name: `${name}: ${what}`, n, isPeer, run, after: () => clear(n, 'were stored') })
  return {
    /** Stored, each by its own promise. */
    sends(count, atOnce) {
      const n = paced(count)
      return stored(`sends, ${times(atOnce)}`, n, async () => {
        if (atOnce > 1 && contender.sendBatches) return contender.sendBatches(n, atOnce, argsOf)
        let stored = 0
        await inFlight(n, atOnce, async i => {
          if (await contender.send(argsOf(i))) stored++
        })
        return stored
      })
    },
    /** Stored by its way to send many. */
    bulk(count) {
      const n = paced(count)
      return stored('bulk', n, () => contender.sendMany(list(n, argsOf)))
    },
    /** Taken, run and settled; they wait beforehand. */
    runs(count, concurrency) {
      const n = paced(count)
      let worker
      return {
        name: `${name}: runs, concurrency ${concurrency.toLocaleString('en')}`,
        n,
        isPeer,
        async before() {
          check(n, await contender.sendMany(list(n, argsOf)), 'were stored')
          worker = await contender.worker(concurrency)
        },
        async run() {
          worker.start()
          const ran = await worker.settled(n)
          return keeps ? Math.min(ran, n) : ran
        },
        async after() {
          await worker.close()
          await clear(0, 'were left')
        },
      }
    },
  }
}

export const list = (n, argsOf = twoArguments) => Array.from({ length: n }, (_, i) => argsOf(i))
const times = atOnce => (atOnce === 1 ? 'one after the other' : `${atOnce.toLocaleString('en')} at once`)

/** Counts, and says when there are so many. For workers of contenders. */
export function counter() {
  let count = 0,
    wanted = Infinity,
    reached
  return {
    add() {
      if (++count === wanted) reached()
    },
    count: () => count,
    /** Resolves when there are n, or when for a long time none was added. */
    async until(n) {
      if (count >= n) return
      const all = new Promise(resolve => {
        wanted = n
        reached = resolve
      })
      let before = count
      const watch = setInterval(() => {
        if (count === before) reached()
        before = count
      }, LOST_MS)
      await all
      clearInterval(watch)
    },
  }
}

/** The goals that were compared with, in words. */
const goals = { reached: [], missed: [] }

/**
 * One line: what, the figure, and whether it is as good as it should be. `goal` is in the unit of the figure.
 * @param {number | undefined} value undefined where one of two has no figure
 */
export function compare(what, value, { unit = 'times', atLeast, atMost } = {}) {
  const goal = atLeast !== undefined ? `at least ${atLeast}` : atMost !== undefined ? `at most ${atMost}` : undefined
  if (value === undefined || Number.isNaN(value)) {
    if (goal !== undefined) goals.missed.push(`${what}: no figure`)
    console.log(`${what}: no figure`)
    return json(what, { failed: 'no figure' })
  }
  const isReached = value >= (atLeast ?? -Infinity) && value <= (atMost ?? Infinity)
  const verdict = goal === undefined ? '' : `   (goal: ${goal}; ${isReached ? 'reached' : 'MISSED'})`
  const digits = Number.isInteger(value) || Math.abs(value) >= 20 ? 0 : Math.abs(value) >= 2 ? 1 : 2
  const line = `${what}: ${value.toFixed(digits)} ${unit}${verdict}`
  if (goal !== undefined) goals[isReached ? 'reached' : 'missed'].push(line)
  console.log(line)
  json(what, { value, unit, ...(goal !== undefined && { goal, isReached }) })
}

/** How many of the goals were reached, and those that were not. */
export function printGoals() {
  const { reached, missed } = goals
  if (reached.length + missed.length === 0) return
  console.log(`\n${reached.length} goals reached, ${missed.length} missed${missed.map(line => `\n  ${line}`).join('')}`)
}

/** How many times as fast the first is as the second, and in how far that is what it should be. */
export function compareSpeed(medians, what, ours, theirs, goal) {
  const [a, b] = [ours, theirs].map(({ name }) => medians.get(name))
  compare(what, a === undefined || b === undefined ? undefined : b / a, goal)
}
