/**
 * greenroom/conformance: the rules that every broker and store keeps, as tables. They use node:assert and no runner, so that
 * the author of an adapter can run them with any.
 * @module greenroom/conformance
 */
export { brokerRules, runBrokerRules } from './brokers/conformance/brokers.ts'
export { runStoreRules, storeRules } from './brokers/conformance/stores.ts'
export type { Bench, BrokerTarget } from './brokers/conformance/bench.ts'
export type { Need, Rule, RunOptions, Sizes, Verdict } from './brokers/conformance/rules.ts'
export type { StoreBench, StoreTarget } from './brokers/conformance/store-bench.ts'
