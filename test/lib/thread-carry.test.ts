/** What travels between threads, without any: errors, facts, bytes. */
import t from 'tap'
import { GreenroomError } from '../../lib/errors.ts'
import { giveUp, isGiveUp, retryAfter, retryAfterOf } from '../../lib/failure.ts'
import { carry, carryFacts, unpack, withBuffers } from '../../lib/thread/carry.ts'
import { hostileThrows } from '../helpers/hostile.ts'

const over = (value: unknown, options = {}) => unpack(structuredClone(carry(value, options)), options)

t.test('anything that is thrown arrives as something', async t => {
  for (const [what, value] of hostileThrows) t.doesNotThrow(() => over(value), what)
})

t.test('brands, classes, fields and causes are kept', async t => {
  class Base extends Error {}
  class Nearer extends Base {
    readonly size = 3
  }
  const options = { throws: [Base, Nearer], retryWhen: () => true }
  const error = over(new Nearer('a', { cause: new Base('b') }), options) as Nearer & { cause: unknown }
  t.ok(error instanceof Nearer && error.cause instanceof Base && !(error.cause instanceof Nearer))
  t.match(error, { message: 'a', size: 3, cause: { message: 'b' } })
  t.notOk(over(new Nearer('a')) instanceof Base, 'a class that no option lists cannot be found')
  t.ok(over(new RangeError('r')) instanceof RangeError)
  t.ok(over(new GreenroomError('NOT_DATA', 'x', { help: 'y' })) instanceof GreenroomError)
  t.equal(retryAfterOf(over(retryAfter('1m')), 0), 60_000)
  t.equal(retryAfterOf(over(retryAfter(new Date(5_000))), 0), 5_000)
  t.ok(isGiveUp(over(giveUp('no'))))
  t.notOk(isGiveUp(over(new Error('no'))))
})

t.test('a field that could reach a prototype is left out', async t => {
  const error = Object.defineProperty(new Error('x'), '__proto__', { value: { polluted: true }, enumerable: true })
  const found = over(error) as Error
  t.equal(Object.getPrototypeOf(found), Error.prototype)
  t.notOk('polluted' in found)
})

t.test('facts travel each by itself, and bytes are Buffers again', async t => {
  const facts = unpack(structuredClone(carryFacts({ n: 1, fn() {}, err: new TypeError('x') }))) as Record<string, unknown>
  t.match(facts, { n: 1, fn: /fn\(\)/, err: { message: 'x' } })
  const data = withBuffers(structuredClone({ list: [Buffer.from('a')], at: new Date(1) })) as { list: Buffer[]; at: Date }
  t.equal(data.list[0]!.toString(), 'a')
  t.ok(data.at instanceof Date)
})
