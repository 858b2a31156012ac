/** The Redis broker keeps all the rules of brokers, on a real server. */
import t from 'tap'
import { brokerRules, runBrokerRules } from '../../conformance.ts'
import type { Verdict } from '../../conformance.ts'
import { redisAt } from '../rig/redis-at.ts'
import { redisTarget } from './redis-target.ts'

type Tap = typeof t
/** Each rule as a test. Only those about the uniqueness of ids may be left out: a list does not know what is in it. */
const reporter = (t: Tap) => (rule: string, verdict: Verdict) =>
  t.test(rule, async t => {
    if (verdict.kind === 'excluded') return t.ok(verdict.missing.every(need => need === 'uniqueIds'))
    if (verdict.kind === 'failed') throw verdict.error
    t.pass()
  })

t.test('every rule of brokers', async t => {
  await using server = await redisAt()
  await runBrokerRules(brokerRules, redisTarget(server), reporter(t as Tap))
})
