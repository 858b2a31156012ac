import t from 'tap'
import type { Delivery } from '../../lib/broker.ts'
import { createSlots, type Slots } from '../../lib/slots.ts'

let made = 0
const delivery = (queue = 'q'): Delivery => ({
  token: `${++made}`,
  deliveries: 1,
  envelope: { id: `${made}`, queue, body: new Uint8Array(), attempt: 0, priority: 1 },
})
/** Starts and ends so many handlers, each within `everyMs`; the time it is afterwards. */
function runMany(slots: Slots<undefined>, count: number, everyMs: number, from = 0): number {
  let now = from
  for (let i = 0; i < count; i++) {
    slots.hold(delivery(), now, undefined)
    slots.next()
    slots.end('q')
    now += everyMs
  }
  return now
}

t.test('a worker holds ahead what its handlers run while the broker answers', async t => {
  for (const [handlerMs, tripMs, ahead] of [
    [50, 1, 0], // slow handlers hold nothing
    [50, 10, 0],
    [1, 1, 5], // short ones as much as runs in 5 ms
    [1, 10, 20], // a disk that flushes for 10 ms: a settle and a take
    [0.01, 1, 256], // never more than 256
    [1, 10_000, 100], // a broker that hangs is no reason to hoard
  ] as const) {
    const slots = createSlots<undefined>(1, undefined)
    for (let i = 0; i < 100; i++) slots.trip(tripMs)
    const now = runMany(slots, Math.ceil(200 / handlerMs), handlerMs)
    t.equal(slots.wanted(now).max, 1 + ahead, `handlers of ${handlerMs} ms, answers after ${tripMs} ms`)
  }
})

t.test('concurrency and the limits of queues are never exceeded, and a full queue does not hold back another', async t => {
  const slots = createSlots<undefined>(
    3,
    new Map([
      ['a', 1],
      ['b', 2],
    ]),
  )
  t.match(slots.wanted(0), { max: 3, room: { a: 1, b: 2 } })
  for (const queue of ['a', 'a', 'b', 'b', 'b']) slots.hold(delivery(queue), 0, undefined)
  const started = [slots.next(), slots.next(), slots.next(), slots.next()].map(found => found?.delivery.envelope.queue)
  t.strictSame(started, ['a', 'b', 'b', undefined])
  t.match(slots.wanted(0), { max: 0, room: { a: 0, b: 0 } })
  slots.end('b')
  t.equal(slots.next()?.delivery.envelope.queue, 'b', 'the second of a waits for the first, b goes on')
  t.equal(slots.running, 3)
  t.equal(slots.held, 1)
  const wide = createSlots<undefined>(1, new Map([['a', 5]]))
  for (const queue of ['a', 'a']) wide.hold(delivery(queue), 0, undefined)
  t.strictSame(
    [wide.next(), wide.next()].map(found => found?.delivery.envelope.queue),
    ['a', undefined],
    'a limit above all of them is none',
  )
})

t.test('what could not start for a second goes back; what lost its lease is forgotten', async t => {
  const slots = createSlots<undefined>(1, undefined)
  const [first, second, third] = [delivery(), delivery(), delivery()]
  slots.hold(first, 0, undefined)
  slots.hold(second, 0, undefined)
  slots.hold(third, 500, undefined)
  t.equal(slots.next()?.delivery, first)
  t.strictSame(slots.overdue(1_000), [], 'a second is not over yet')
  t.strictSame(slots.overdue(1_001), [second])
  slots.forget(new Set([third.token]))
  t.equal(slots.held, 0)
  t.strictSame(slots.all(), [])
})

t.test('bodies that are no messages are made up for: by their share, and twice as many after a take of nothing else', async t => {
  const asked = (...takes: readonly (readonly [count: number, rejected: number])[]) => {
    const slots = createSlots<undefined>(10, undefined)
    for (const [count, rejected] of takes) slots.took(count, rejected)
    return slots.wanted(0).max
  }
  t.equal(asked([10, 0]), 10, 'no more where all can run')
  t.equal(asked([10, 5]), 20, 'one of two: twice as many')
  t.equal(asked([100, 50], [10, 10]), 10 + 2 * 12)
  t.equal(asked([100, 50], [10, 10], [10, 10]), 10 + 4 * 14)
  t.equal(asked([100, 50], [10, 10], [10, 10], [10, 5]), 10 + 14, 'until there are others')
  t.equal(asked([10, 10]), 10 + 256, 'nothing but those: never more than 256 beyond')
  t.equal(asked([512, 512], [512, 0]), 10, 'what came long ago does not count')
  const full = createSlots<undefined>(1, new Map([['q', 1]]))
  full.took(2, 1)
  t.match(full.wanted(0), { max: 2, room: { q: 2 } })
  full.hold(delivery(), 0, undefined)
  t.match(full.wanted(0), { max: 0, room: { q: 0 } }, 'none for nobody')
})
