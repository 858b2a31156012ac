/**
 * The model notices what is wrong: of the mutants that the conformance suite kills, it kills those that do wrong what it speaks of.
 * It does not speak of takes that wait.
 */
import t from 'tap'
import { memoryTarget } from '../brokers/memory-target.ts'
import { brokerMutants } from '../brokers/mutants.ts'
import { hold } from './hold.ts'

/** What only a take that waits can show, a settlement beside a disposal, or an id with a colon. All others are killed. */
const NOT_OF_THE_MODEL = new Set([
  'an aborted take swallows its batch',
  'an aborted take waits on',
  'nothing wakes a take',
  'a take that waits does not see a pause',
  'a settlement during a disposal is dropped',
  'an id ends at its colon',
])

for (const [mutant, disguise] of brokerMutants) {
  if (NOT_OF_THE_MODEL.has(mutant)) continue
  t.test(mutant, async t => {
    const { commands, difference } = await hold(async () => memoryTarget(disguise()), {
      seed: 1,
      times: 100,
      length: 150,
      shorten: false,
    })
    t.ok(difference, difference?.split('\n')[0] ?? `not noticed in ${commands} commands`)
  })
}
