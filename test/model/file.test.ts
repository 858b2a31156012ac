/** `file:` does what the reference does, whatever the commands. */
import t from 'tap'
import { fileTarget } from './file-target.ts'
import { hold, newSeed } from './hold.ts'

t.test('random commands do the same to file: and to the reference', async t => {
  const seed = newSeed()
  await using target = await fileTarget()
  const { commands, difference } = await hold(async () => target, { seed, times: 20, length: 150 })
  t.comment(`${commands} commands, GREENROOM_SEED=${seed}`)
  if (difference !== undefined) throw new Error(difference)
  t.ok(commands > 200)
})
