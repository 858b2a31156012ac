/** Limits as functions: a ticket asks, the state is data. */
import t from 'tap'
import { acquire, release, SHORTEST_SLOT_WAIT_MS, TICKET_LEASE_MS } from '../../lib/limits.ts'
import type { LimitState } from '../../lib/limits.ts'
import type { Limit } from '../../lib/store.ts'

/** A limit whose state goes through JSON between any two calls, as in a store on disk. */
function kept(limit: Limit) {
  let json: string | undefined,
    keepMs = 0
  const state = () => (json === undefined ? undefined : (JSON.parse(json) as LimitState))
  return {
    ask(now: number, ticket: string, as = limit) {
      const answer = acquire(state(), ticket, as, now)
      json = JSON.stringify(answer.state)
      keepMs = answer.keepMs
      return answer.waitMs
    },
    release(now: number, ticket: string) {
      const left = release(state()!, ticket, now)
      json = left && JSON.stringify(left)
    },
    get state() {
      return state()
    },
    get keepMs() {
      return keepMs
    },
  }
}

const ONE = { kind: 'sliding', limit: 1, windowMs: 1_000 } as const

t.test('answers of each kind, call by call', async t => {
  for (const [name, limit, calls] of [
    [
      'a sliding window leaves with its first',
      { kind: 'sliding', limit: 2, windowMs: 100 },
      [
        [0, 'a', 0],
        [60, 'b', 0],
        [60, 'c', 40],
        [60, 'd', 100],
        [99, 'c', 1],
        [100, 'c', 0],
        [160, 'd', 0],
        [160, 'e', 40],
      ],
    ],
    [
      'a fixed window begins at multiples',
      { kind: 'fixed', limit: 1, windowMs: 100 },
      [
        [199, 'a', 0],
        [199, 'b', 1],
        [199, 'c', 101],
        [200, 'b', 0],
        [299, 'c', 1],
        [300, 'c', 0],
      ],
    ],
    [
      'a fixed window does not save up',
      { kind: 'fixed', limit: 2, windowMs: 100 },
      [
        [0, 'a', 0],
        [500, 'b', 0],
        [500, 'c', 0],
        [500, 'd', 100],
      ],
    ],
    [
      'a bucket fills up to its burst',
      { kind: 'bucket', rate: 1, perMs: 100, burst: 2 },
      [
        [0, 'a', 0],
        [0, 'b', 0],
        [0, 'c', 100],
        [100, 'c', 0],
        [1_000, 'd', 0],
        [1_000, 'e', 0],
        [1_000, 'f', 100],
      ],
    ],
    [
      'a bucket may have a rate that does not divide',
      { kind: 'bucket', rate: 3, perMs: 1_000, burst: 1 },
      [
        [0, 'a', 0],
        [0, 'b', 334],
        [333, 'b', 1],
        [334, 'b', 0],
        [334, 'c', 334],
      ],
    ],
    [
      'slots are held until they are given back',
      { kind: 'slots', max: 1, leaseMs: 1_000 },
      [
        [0, 'a', 0],
        [900, 'a', 0],
        [1_800, 'b', 50],
        [1_899, 'a', 0],
        [2_898, 'b', 50],
        [2_899, 'b', 0],
      ],
    ],
    [
      'a clock that is set back lets nobody through early',
      ONE,
      [
        [5_000, 'a', 0],
        [4_000, 'b', 2_000],
        [6_000, 'b', 0],
      ],
    ],
  ] as const satisfies readonly (readonly [string, Limit, readonly (readonly [number, string, number])[]])[]) {
    t.test(name, async t => {
      const { ask } = kept(limit)
      for (const [now, ticket, waitMs] of calls) t.equal(ask(now, ticket), waitMs, `${ticket} at ${now}`)
    })
  }
})

t.test('a thousand tickets come twice each, in order', async t => {
  const { ask } = kept({ kind: 'sliding', limit: 10, windowMs: 1_000 })
  const waits = Array.from({ length: 1_000 }, (_, n) => ask(0, `t${n}`))
  t.equal(waits.filter(waitMs => waitMs === 0).length, 10)
  t.equal(waits.at(-1), 99_000)
  for (const [n, waitMs] of waits.entries()) if (waitMs > 0) t.equal(ask(waitMs, `t${n}`), 0)
})

t.test('those who were held up queue up behind each other', async t => {
  const { ask } = kept(ONE),
    at = 10_000
  for (const [n, ticket] of ['a', 'b', 'c', 'd', 'e'].entries()) t.equal(ask(0, ticket), n * 1_000)
  // Everybody was away until now, and comes at once.
  t.strictSame(
    ['b', 'c', 'd', 'e'].map(ticket => ask(at, ticket)),
    [0, 1_000, 2_000, 3_000],
  )
  t.equal(ask(at + 1_000, 'c'), 0)
  t.equal(ask(at + 2_000, 'd'), 0)
})

t.test('a ticket that is too late stands at the end', async t => {
  const { ask } = kept(ONE)
  for (const ticket of ['a', 'late', 'c']) ask(0, ticket)
  const now = 1_000 + TICKET_LEASE_MS
  for (const ticket of ['x', 'y']) ask(now, ticket)
  t.equal(ask(now, 'late'), 2_000)
})

t.test('the waits for a slot follow how long slots are held', async t => {
  const limit = kept({ kind: 'slots', max: 2, leaseMs: 60_000 })
  t.strictSame(
    ['a', 'b', 'c', 'd'].map(ticket => limit.ask(0, ticket)),
    [0, 0, SHORTEST_SLOT_WAIT_MS, SHORTEST_SLOT_WAIT_MS],
  )
  limit.release(4_000, 'a')
  t.equal(limit.ask(4_000, 'c'), 0)
  t.equal(limit.ask(4_000, 'd'), 2_000, 'one place ahead of two slots that are held for 4 s')
  t.equal(limit.ask(4_000, 'e'), 4_000)
})

t.test('the state is kept as long as it matters', async t => {
  for (const limit of [
    ONE,
    { kind: 'fixed', limit: 1, windowMs: 1_000 },
    { kind: 'bucket', rate: 1, perMs: 1_000, burst: 1 },
    { kind: 'slots', max: 1, leaseMs: 1_000 },
  ] as const) {
    const one = kept(limit)
    one.ask(0, 'a')
    const waitMs = one.ask(0, 'b')
    t.ok(one.keepMs >= waitMs, `${limit.kind}: ${one.keepMs} ms for a place in ${waitMs} ms`)
  }
})

t.test('a release gives up a place, and leaves nothing when there is nothing', async t => {
  const limit = kept(ONE)
  limit.ask(0, 'a')
  limit.ask(0, 'b')
  limit.release(0, 'b')
  limit.release(0, 'nobody')
  t.equal(limit.ask(0, 'c'), 1_000)
  const slots = kept({ kind: 'slots', max: 1, leaseMs: 1_000 })
  slots.ask(0, 'a')
  slots.release(10, 'a')
  t.equal(slots.state, undefined, 'no holder, nobody waits')
})

t.test('a limit that was changed to another kind begins anew, and a smaller one counts at once', async t => {
  const limit = kept({ kind: 'sliding', limit: 3, windowMs: 1_000 })
  for (const ticket of ['a', 'b', 'c']) t.equal(limit.ask(0, ticket), 0)
  t.equal(limit.ask(10, 'd', { ...ONE }), 990)
  t.equal(limit.ask(10, 'd', { kind: 'fixed', limit: 1, windowMs: 1_000 }), 0)
})
