/** The rules of brokers as tests of a Redis broker. */
import type { Test } from 'tap'
import { brokerRules, runBrokerRules } from '../../conformance.ts'
import type { BrokerTarget } from '../../conformance.ts'

/** Each rule is one. Only those about the uniqueness of ids may be left out: a list does not know what is in it. */
export const everyRule = (t: Test, target: BrokerTarget) =>
  runBrokerRules(brokerRules, target, (rule, verdict) =>
    t.test(rule, async t => {
      if (verdict.kind === 'excluded') return t.ok(verdict.missing.every(need => need === 'uniqueIds'))
      if (verdict.kind === 'failed') throw verdict.error
      t.pass()
    }),
  )
