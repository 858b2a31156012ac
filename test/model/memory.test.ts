/** `memory:` does what the reference does, whatever the commands. */
import t from 'tap'
import { memoryTarget } from '../brokers/memory-target.ts'
import { hold, newSeed } from './hold.ts'

t.test('random commands do the same to memory: and to the reference', async t => {
  const seed = newSeed()
  const { commands, difference } = await hold(async () => memoryTarget(), { seed, times: 200, length: 150 })
  t.comment(`${commands} commands, GREENROOM_SEED=${seed}`)
  if (difference !== undefined) throw new Error(difference)
  t.ok(commands > 1_000)
})
