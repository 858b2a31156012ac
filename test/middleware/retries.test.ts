/** When a failure is the last, as a table; what the whole chain makes of it is in test/lib/outcomes.test.ts. */
import t from 'tap'
import { current, giveUp, greenroom, retryAfter, standard } from '../../index.ts'
import { backoffMs } from '../../lib/backoff.ts'
import { systemRandom } from '../../lib/ids.ts'
import { finalReason, retries } from '../../middleware/retries.ts'
import { hostileThrows } from '../helpers/hostile.ts'
import { open, openMoving } from '../helpers/open.ts'
import { pass, turns } from '../helpers/turns.ts'

class NotFound extends Error {}
class UserNotFound extends NotFound {}
const policy = (rest: Partial<Parameters<typeof finalReason>[2]> = {}) => ({
  maxRetries: 3,
  throws: [],
  retryWhen: undefined,
  ...rest,
})

t.test('a message is tried again maxRetries times, and the failure after that is the last', async t => {
  for (const [attempt, maxRetries, last] of [
    [0, 0, true],
    [0, 1, false],
    [1, 1, true],
    [19, 20, false],
    [20, 20, true],
  ] as const)
    t.equal(finalReason(new Error('x'), attempt, policy({ maxRetries })) !== undefined, last, `${attempt} of ${maxRetries}`)
})

t.test('a reason counts retries, as attempt and maxRetries do', async t => {
  for (const [attempt, text] of [
    [0, '0 retries'],
    [1, '1 retry'],
    [3, '3 retries'],
  ] as const) {
    t.equal(finalReason(new Error('x'), attempt, policy({ maxRetries: attempt })), `retries exhausted after ${text}: x`)
    const retryWhen = () => false
    t.equal(finalReason(new Error('x'), attempt, policy({ maxRetries: 9, retryWhen })), `retryWhen said no after ${text}: x`)
  }
})

t.test('giveUp comes first, then throws, then maxRetries, then retryWhen, which is not asked about retryAfter', async t => {
  const always = () => true
  const never = () => false
  for (const [what, error, attempt, given, reason] of [
    ['giveUp though retryWhen says yes', giveUp('no user'), 0, { retryWhen: always }, 'gave up: no user'],
    ['giveUp that throws also names', giveUp('no user'), 0, { throws: [Error] }, 'gave up: no user'],
    ['throws though retryWhen says yes', new NotFound('x'), 0, { throws: [NotFound], retryWhen: always }, /^threw NotFound/],
    ['a class below one that throws names', new UserNotFound('x'), 0, { throws: [NotFound] }, /^threw NotFound.*: x$/],
    ['a class above it', new NotFound('x'), 0, { throws: [UserNotFound] }, undefined],
    ['the first that fits', new NotFound('x'), 0, { throws: [TypeError, Error, NotFound] }, /^threw Error/],
    ['retryWhen says yes within maxRetries', new Error('x'), 2, { retryWhen: always }, undefined],
    ['retryWhen says yes for ever', new Error('x'), 3, { retryWhen: always }, /^retries exhausted/],
    ['retryWhen says no at once', new Error('x'), 0, { retryWhen: never }, 'retryWhen said no after 0 retries: x'],
    ['retryAfter is no promise of another attempt', retryAfter('5m'), 3, {}, /^retries exhausted/],
    ['retryAfter and retryWhen says no', retryAfter('5m'), 0, { retryWhen: never }, undefined],
  ] as const)
    t.match({ reason: finalReason(error, attempt, policy(given)) }, { reason }, what)
})

t.test('retryWhen is told the attempt that the handler saw, and what was thrown itself', async t => {
  const { app, clock } = await openMoving(t)
  const seen: unknown[] = []
  const told: unknown[] = []
  const fails = app.actor(
    () => {
      const error = new Error('x')
      seen.push({ attempt: current().attempt, error })
      throw error
    },
    { name: 'fails', retryWhen: asked => told.push(asked) < 3 },
  )
  await fails.send()
  await app.work()
  await pass(clock, 300_000)
  t.match(told, [{ attempt: 0 }, { attempt: 1 }, { attempt: 2 }])
  t.strictSame(told, seen)
})

t.test('retryAfter of a time is exact too, and retryWhen is not asked', async t => {
  const { app, clock, all } = await openMoving(t)
  const at = new Date(clock.now() + 90_000)
  const runs: number[] = []
  await app
    .actor(
      () => {
        runs.push(clock.now())
        if (runs.length === 1) throw retryAfter(at)
      },
      { name: 'fails', minBackoff: '1h', retryWhen: () => false },
    )
    .send()
  await app.work()
  await turns()
  await pass(clock, 90_000)
  t.equal(runs[1], at.getTime())
  t.match(all('settled'), [{ outcome: { kind: 'retry', afterMs: 90_000 } }, { outcome: { kind: 'done' } }])
})

t.test('whatever was thrown has a reason, also beside classes that look at it oddly', async t => {
  class Odd extends Error {
    static override [Symbol.hasInstance](): boolean {
      throw new Error('looked at')
    }
  }
  for (const [what, error] of hostileThrows) {
    t.type(finalReason(error, 3, policy({ throws: [Odd, NotFound] })), 'string', what)
    t.equal(finalReason(error, 0, policy({ throws: [Odd, NotFound] })), undefined, what)
  }
})

t.test('a retryWhen that answers with a promise is a mistake that is told, and never tried for ever', async t => {
  const { app, clock, all } = await openMoving(t)
  await app
    .actor(() => Promise.reject(new Error('x')), {
      name: 'fails',
      maxRetries: 1,
      retryWhen: (async () => false) as unknown as () => boolean,
    })
    .send()
  await app.work()
  await pass(clock, 120_000)
  t.match(
    all('settled').map(({ outcome }) => outcome),
    [
      { kind: 'retry', error: { code: 'MIDDLEWARE_FAILED', message: /retryWhen returned a promise/ } },
      { kind: 'dead', reason: 'retries exhausted after 1 retry: x' },
    ],
  )
  t.equal(all('settled').length, 2)
})

t.test('every wait is within the bounds of its message, actor or default, in this order', async t => {
  for (const [what, defaults, actor, message, low, high] of [
    ['the default', {}, {}, {}, 15_000, 30_000],
    ["the chain's", { minBackoff: '1s' }, {}, {}, 1_000, 2_000],
    ["the actor's", { minBackoff: '1s' }, { minBackoff: '2s' }, {}, 2_000, 4_000],
    ["the message's", { minBackoff: '1s' }, { minBackoff: '2s' }, { minBackoff: '3s', maxBackoff: '5s' }, 3_000, 5_000],
    ['none', {}, {}, { minBackoff: 0 }, 0, 0],
    ['a longest one below the shortest', {}, { maxBackoff: '1s' }, {}, 15_000, 15_000],
  ] as const)
    for (const [random, wanted] of [
      [() => 0, low],
      [() => 1 - Number.EPSILON, high],
    ] as const) {
      const { app, all } = await openMoving(t, { random, middleware: standard(defaults) })
      const fails = app.actor(() => Promise.reject(new Error('x')), { name: 'fails', ...actor })
      await fails.with(message).send()
      await app.work()
      await turns()
      t.match(all('settled'), [{ outcome: { kind: 'retry', afterMs: wanted } }], what)
    }
})

t.test('no attempt waits longer than its bounds, however often it failed', async t => {
  const options = { minBackoff: 15_000, maxBackoff: 7 * 86_400_000 }
  for (let attempt = 0; attempt <= 1_000; attempt++) {
    const ms = backoffMs(attempt, options, systemRandom)
    t.ok(ms >= 15_000 && ms <= Math.min(7 * 86_400_000, 15_000 * 2 ** (attempt + 1)), `attempt ${attempt}: ${ms} ms`)
  }
})

t.test('onExhausted is not told of what was released, done or tried again', async t => {
  const { app, clock, all } = await openMoving(t)
  const told: unknown[] = []
  const tell = app.actor(() => void told.push(1), { name: 'tell', queue: 'told' })
  let failed = false
  await app
    .actor(
      () => {
        if (failed) return
        failed = true
        throw new Error('x')
      },
      { name: 'recovers', onExhausted: tell as never },
    )
    .send()
  await app.work()
  await pass(clock, 60_000)
  t.strictSame([all('settled').map(({ outcome }) => outcome.kind), told], [['retry', 'done'], []])
})

t.test('defaults are checked when the middleware is made', async t => {
  for (const [defaults, code] of [
    [{ maxRetries: -1 }, 'OPTION_INVALID'],
    [{ maxRetries: 1.5 }, 'OPTION_INVALID'],
    [{ maxRetries: Infinity }, 'OPTION_INVALID'],
    [{ maxRetries: 1_001 }, 'OPTION_INVALID'],
    [{ minBackoff: 'soon' }, 'DURATION_INVALID'],
    [{ maxBackoff: '366d' }, 'DURATION_INVALID'],
  ] as const)
    t.throws(() => retries(defaults as never), { code }, JSON.stringify(defaults))
  for (const maxRetries of [0, 1_000, undefined]) t.doesNotThrow(() => greenroom({ middleware: [retries({ maxRetries })] }))
  const { app } = open(t, { middleware: [retries({ maxRetries: undefined })] })
  t.strictSame(app.chain, ['retries', 'watch'])
})
