/** The conformance suites notice every mutant: a rule that nothing can break proves nothing. */
import t from 'tap'
import { brokerRules, runBrokerRules, runStoreRules, storeRules } from '../../conformance.ts'
import type { RunOptions, Verdict } from '../../conformance.ts'
import { memoryStoreTarget, memoryTarget } from './memory-target.ts'
import { brokerMutants, storeMutants } from './mutants.ts'

/** A mutant that makes something hang costs so long a rule. */
const OPTIONS: RunOptions = { patienceMs: 400 }
/** Enough to see a wrong step; the real sizes are for the real brokers. */
const SIZES = { batch: 2_000, soak: 1_000, bodyBytes: 10_000 }

class Killed extends Error {
  readonly rule: string
  readonly why: unknown
  constructor(rule: string, why: unknown) {
    super(rule)
    this.rule = rule
    this.why = why
  }
}

/** Runs a suite until a rule fails. */
async function killer(run: (report: (rule: string, verdict: Verdict) => void) => Promise<void>): Promise<Killed | undefined> {
  try {
    await run((rule, verdict) => {
      if (verdict.kind === 'failed') throw new Killed(rule, verdict.error)
    })
  } catch (error) {
    if (error instanceof Killed) return error
    throw error
  }
  return undefined
}

t.test('what is not mutated passes', async t => {
  t.equal(await killer(report => runBrokerRules(brokerRules, memoryTarget(undefined, SIZES), report)), undefined)
  t.equal(await killer(report => runStoreRules(storeRules, memoryStoreTarget(), report)), undefined)
})

for (const [mutant, disguise] of brokerMutants) {
  t.test(mutant, async t => {
    const killed = await killer(report => runBrokerRules(brokerRules, memoryTarget(disguise(), SIZES), report, OPTIONS))
    t.ok(killed, killed ? `noticed by: ${killed.rule}` : 'no rule noticed it')
  })
}

for (const [mutant, disguise] of storeMutants) {
  t.test(mutant, async t => {
    const target = memoryStoreTarget()
    const killed = await killer(report =>
      runStoreRules(storeRules, { ...target, open: async () => disguise(await target.open()) }, report, OPTIONS),
    )
    t.ok(killed, killed ? `noticed by: ${killed.rule}` : 'no rule noticed it')
  })
}

t.test('two namespaces share a queue', async t => {
  const target = memoryTarget(undefined, SIZES),
    shared = await target.open(),
    store = memoryStoreTarget(),
    sharedStore = await store.open()
  const kept = { async [Symbol.asyncDispose]() {} }
  const brokers = await killer(report =>
    runBrokerRules(
      brokerRules,
      { ...target, open: async namespace => (namespace ? { ...shared, ...kept } : target.open()) },
      report,
      OPTIONS,
    ),
  )
  t.equal(brokers?.rule, 'two namespaces share nothing')
  const stores = await killer(report =>
    runStoreRules(
      storeRules,
      { ...store, open: async namespace => (namespace ? { ...sharedStore, ...kept } : store.open()) },
      report,
      OPTIONS,
    ),
  )
  t.equal(stores?.rule, 'two namespaces share nothing')
})
