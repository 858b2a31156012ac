/** The rules that every broker keeps. docs/brokers.md is printed from this table. */
import { makeBench, missingIn } from './bench.ts'
import type { Bench, BrokerTarget } from './bench.ts'
import { deadLetters } from './dead-letters.ts'
import { delays } from './delays.ts'
import { inspecting } from './inspecting.ts'
import { leases } from './leases.ts'
import { lifetime } from './lifetime.ts'
import { pushing } from './pushing.ts'
import { runEach } from './rules.ts'
import type { Rule, RunOptions, Verdict } from './rules.ts'
import { settling } from './settling.ts'
import { soak } from './soak.ts'
import { taking } from './taking.ts'
import { waiting } from './waiting.ts'

/** What every broker keeps, a rule each. */
export const brokerRules: readonly Rule<Bench>[] = [
  ...taking,
  ...waiting,
  ...settling,
  ...leases,
  ...delays,
  ...pushing,
  ...deadLetters,
  ...inspecting,
  ...lifetime,
  ...soak,
]

/**
 * Runs rules against a broker, one after the other, and reports each verdict.
 * @example
 * await runBrokerRules(brokerRules, target, (rule, verdict) => console.log(verdict.kind, rule))
 */
export function runBrokerRules(
  rules: readonly Rule<Bench>[],
  target: BrokerTarget,
  report: (rule: string, verdict: Verdict) => unknown,
  options?: RunOptions,
): Promise<void> {
  return runEach(
    rules,
    { missing: needs => missingIn(target, needs), bench: surroundings => makeBench(target, surroundings) },
    report,
    options,
  )
}
