import t from 'tap'
import {
  asksForRetry,
  decodeFailure,
  encodeFailure,
  failureOf,
  giveUp,
  isGiveUp,
  retryAfter,
  retryAfterOf,
} from '../../lib/failure.ts'
import { GreenroomError } from '../../lib/errors.ts'
import { hostileThrows } from '../helpers/hostile.ts'

t.test('anything that is thrown has a picture that can be stored', async t => {
  for (const [what, value] of hostileThrows)
    t.test(what, async t => {
      const failure = failureOf(value)
      t.type(failure.type, 'string')
      t.type(failure.message, 'string')
      t.ok(failure.message.length <= 8_192)
      t.strictSame(decodeFailure(encodeFailure(value)), JSON.parse(JSON.stringify(failure)))
      t.ok(encodeFailure(value).length < 500_000, 'bounded')
    })
})

t.test('the picture of an error', async t => {
  const error = Object.assign(new TypeError('outer', { cause: new RangeError('inner') }), { code: 'E_X' })
  t.match(failureOf(error), {
    type: 'TypeError',
    message: 'outer',
    code: 'E_X',
    stack: /outer/,
    cause: { type: 'RangeError', message: 'inner' },
  })
  t.strictSame(failureOf('text'), { type: 'string', message: 'text' })
  t.strictSame(failureOf(undefined), { type: 'undefined', message: 'undefined' })
})

t.test('a chain of causes is cut', async t => {
  let error = new Error('0')
  for (let i = 1; i < 100; i++) error = new Error(`${i}`, { cause: error })
  let depth = 0
  for (let at = failureOf(error).cause; at; at = at.cause) depth++
  t.equal(depth, 5)
})

t.test('what is not a failure reads as none', async t => {
  t.equal(decodeFailure(undefined), undefined)
  t.equal(decodeFailure(Buffer.from('{')), undefined)
})

t.test('retryAfter and giveUp are known by their brand, also from another copy of the library', async t => {
  const copy = (await import(
    `../../lib/failure.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}?copy`
  )) as typeof import('../../lib/failure.ts')
  t.not(copy.giveUp, giveUp, 'it is a copy')
  for (const make of [{ retryAfter, giveUp }, copy]) {
    t.equal(retryAfterOf(make.retryAfter('5m'), 0), 300_000)
    t.equal(isGiveUp(make.giveUp('no such user')), true)
    t.equal(make.giveUp('no such user').message, 'no such user')
  }
  t.equal(isGiveUp(new Error('gave up')), false)
  t.equal(retryAfterOf(new Error('asked to be tried again after 5 ms'), 0), undefined)
  for (const [what, value] of hostileThrows) {
    t.equal(retryAfterOf(value, 0), undefined, what)
    t.equal(isGiveUp(value), false, what)
  }
})

t.test('retryAfter takes a duration or a time', async t => {
  for (const wrong of [-1, NaN, 'soon', undefined, new Date(NaN)] as never[])
    t.throws(() => retryAfter(wrong), { code: 'DURATION_INVALID' })
  t.equal(retryAfterOf(retryAfter(0), 0), 0)
  const at = retryAfter(new Date('Wed, 21 Oct 2026 07:28:00 GMT')),
    time = Date.UTC(2026, 9, 21, 7, 28)
  t.equal(at.message, 'asked to be tried again at 2026-10-21T07:28:00.000Z')
  for (const [now, ms] of [
    [time - 90_000, 90_000],
    [time, 0],
    [time + 1, 0],
    [0, 365 * 86_400_000],
  ] as const)
    t.equal(retryAfterOf(at, now), ms)
  t.ok(asksForRetry(at))
  t.notOk(asksForRetry(new Error('no')))
})

t.test('an error is known by its brand, also from another copy, and nothing else is', async t => {
  const copy = (await import(
    `../../lib/errors.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}?copy`
  )) as typeof import('../../lib/errors.ts')
  const error = new copy.GreenroomError('NOT_DATA', 'what', { help: 'help' })
  t.not(copy.GreenroomError, GreenroomError)
  t.ok(error instanceof GreenroomError)
  t.equal(error.message, 'what. help [NOT_DATA]')
  for (const [what, value] of hostileThrows) t.equal(value instanceof GreenroomError, false, what)
})
