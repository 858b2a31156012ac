/** The rules that every store keeps. */
import { runEach } from './rules.ts'
import type { Rule, RunOptions, Verdict } from './rules.ts'
import { makeStoreBench, missingInStore } from './store-bench.ts'
import type { StoreBench, StoreTarget } from './store-bench.ts'
import { limits } from './store-limits.ts'
import { topicRules } from './store-topics.ts'
import { sets, values } from './store-values.ts'

/** What every store keeps, a rule each. */
export const storeRules: readonly Rule<StoreBench>[] = [...values, ...sets, ...limits, ...topicRules]

/** Runs rules against a store, one after the other, and reports each verdict. */
export function runStoreRules(
  rules: readonly Rule<StoreBench>[],
  target: StoreTarget,
  report: (rule: string, verdict: Verdict) => unknown,
  options?: RunOptions,
): Promise<void> {
  return runEach(
    rules,
    { missing: needs => missingInStore(target, needs), bench: surroundings => makeStoreBench(target, surroundings) },
    report,
    options,
  )
}
