import t from 'tap'
import { decodeFailure } from '../../lib/failure.ts'
import { rescued, settlementOf } from '../../lib/settlement.ts'
import { hostileThrows } from '../helpers/hostile.ts'

const error = new TypeError('x')
const follow = [{ id: 'f', queue: 'q', body: new Uint8Array(), attempt: 0, priority: 1 as const }]

t.test('each outcome has its settlement', async t => {
  for (const [outcome, then, wanted] of [
    [{ kind: 'done', result: 5 }, [], { token: 't', kind: 'done' }],
    [{ kind: 'done' }, follow, { token: 't', kind: 'done', then: follow }],
    [{ kind: 'retry', afterMs: 5, error }, [], { token: 't', kind: 'retry', afterMs: 5 }],
    [{ kind: 'release', afterMs: 0, reason: 'x' }, [], { token: 't', kind: 'release', afterMs: 0 }],
    [{ kind: 'dead', reason: 'x' }, [], { token: 't', kind: 'dead', reason: 'x' }],
  ] as const)
    t.strictSame(settlementOf('t', outcome, then), wanted)
})

t.test('a dead letter keeps its last error; a failure that nobody mapped is one', async t => {
  const dead = settlementOf('t', { kind: 'dead', reason: 'x'.repeat(1_000), error }, follow) as {
    reason: string
    error: Uint8Array
    then: unknown
  }
  t.equal(dead.reason.length, 500)
  t.match(decodeFailure(dead.error), { type: 'TypeError', message: 'x' })
  t.equal(dead.then, follow)
  for (const [what, thrown] of hostileThrows) {
    const failed = settlementOf('t', { kind: 'failed', error: thrown }, []) as { kind: string; reason: string; error: Uint8Array }
    t.match(failed, { kind: 'dead', reason: /^failed, and no middleware retries it: / }, what)
    t.ok(decodeFailure(failed.error))
  }
})

t.test('what a bug costs: an attempt, with the default back-off, until maxRetries', async t => {
  for (const [attempt, maxRetries, kind] of [
    [0, 3, 'retry'],
    [2, 3, 'retry'],
    [3, 3, 'dead'],
    [0, 0, 'dead'],
    [19, undefined, 'retry'], // a chain without retries: the default of 20
    [20, undefined, 'dead'],
  ] as const)
    t.match(
      rescued(error, attempt, maxRetries, () => 0),
      { kind, error, ...(kind === 'retry' && { afterMs: 15_000 }) },
      `${attempt} of ${maxRetries}`,
    )
})
