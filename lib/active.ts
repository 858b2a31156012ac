/**
 * The runs under way, each with its delivery. Arrays in which a run knows its place, and not a Map: one that is filled and emptied all
 * the time is made anew again and again, and the old tables, which have grown old, keep what was in them from being young garbage.
 */
import type { Delivery } from './broker.ts'
import type { Run } from './run.ts'

export interface ActiveRuns {
  add(run: Run, delivery: Delivery): void
  /** Its delivery; undefined when it is no longer here. */
  remove(run: Run): Delivery | undefined
  find(token: string): Run | undefined
  /** All of them now, in any order. */
  all(): readonly Run[]
}

export function activeRuns(): ActiveRuns {
  const runs: Run[] = [],
    deliveries: Delivery[] = []
  return {
    add(run, delivery) {
      run.place = runs.length
      runs.push(run)
      deliveries.push(delivery)
    },
    remove(run) {
      const { place } = run
      if (runs[place] !== run) return undefined
      const delivery = deliveries[place],
        lastRun = runs.pop()!,
        lastDelivery = deliveries.pop()!
      if (lastRun !== run) {
        lastRun.place = place
        runs[place] = lastRun
        deliveries[place] = lastDelivery
      }
      run.place = -1
      return delivery
    },
    find: token => runs[deliveries.findIndex(delivery => delivery.token === token)],
    all: () => [...runs],
  }
}
