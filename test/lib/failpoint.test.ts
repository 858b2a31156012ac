/** Places where tests let a process die: none without the variable, exactly one with it. */
import t from 'tap'
import { FAILPOINTS, failpoint, failpointOf } from '../../lib/failpoint.ts'

t.test('without the variable there is nothing to call', async t => {
  t.equal(failpoint, undefined)
  for (const text of [undefined, ''])
    t.equal(
      failpointOf(text, () => t.fail()),
      undefined,
    )
})

t.test('the process dies at that pass of that place, and once', async t => {
  let died = 0
  const pass = failpointOf('after-take:3', () => died++)!
  for (const place of FAILPOINTS) if (place !== 'after-take') pass(place)
  pass('after-take')
  pass('after-take')
  t.equal(died, 0)
  pass('after-take')
  t.equal(died, 1)
  pass('after-take')
  t.equal(died, 1)
  failpointOf('before-run', () => died++)!('before-run')
  t.equal(died, 2)
})

t.test('a place that there is not is told, with all that there are', async t => {
  for (const text of ['after_take', 'after-take:0', 'after-take:x', ':1'])
    t.throws(() => failpointOf(text, () => {}), {
      code: 'OPTION_INVALID',
      message: /GREENROOM_FAIL cannot be .*before-push, after-push,/,
    })
})
