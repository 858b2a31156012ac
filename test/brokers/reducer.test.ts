/** The state machine by itself: random commands keep its invariants, and the same commands make the same state. */
import * as fc from 'fast-check'
import t from 'tap'
import { heap } from '../../brokers/memory/heap.ts'
import { list } from '../../brokers/memory/list.ts'
import type { Linked } from '../../brokers/memory/list.ts'
import { reducer } from '../../brokers/memory/reducer.ts'
import type { Reducer } from '../../brokers/memory/reducer.ts'
import type { Holder } from '../../brokers/memory/state.ts'
import { SUSPECT_FROM } from '../../lib/broker.ts'
import type { Envelope, Place, Settlement } from '../../lib/broker.ts'
import type { Band } from '../../lib/message.ts'

const QUEUES = ['a', 'b'],
  PLACES: readonly Place[] = ['ready', 'delayed', 'leased', 'suspect', 'dead'],
  CONSUMERS = 3
const CREDIT = 6,
  LEASE_MS = 100

/** A command as plain data, so that a failing run can be read and shortened. */
type Command = readonly [
  kind: 'push' | 'take' | 'settle' | 'renew' | 'reap' | 'leave' | 'wait' | 'inspect',
  who: number,
  what: number,
  ms: number,
]
const command: fc.Arbitrary<Command> = fc.tuple(
  fc.constantFrom('push', 'push', 'take', 'take', 'settle', 'settle', 'renew', 'reap', 'leave', 'wait', 'inspect'),
  fc.nat(CONSUMERS - 1),
  fc.nat(30),
  fc.nat(150),
)

/** Runs commands on a new reducer; `after` looks at it after each. What comes out is all that was answered. */
function run(commands: readonly Command[], after: (state: Reducer, now: number) => void = () => {}): unknown[] {
  const state = reducer({ prefix: 't', maxDead: 3, maxDeadMs: 500 }),
    answers: unknown[] = []
  const join = () => state.join({ queues: QUEUES, credit: CREDIT, leaseMs: LEASE_MS })
  const holders: Holder[] = Array.from({ length: CONSUMERS }, join)
  let now = 1_000
  for (const [kind, who, what, ms] of commands) {
    answers.push(step(kind, who, what, ms))
    after(state, now)
    for (const { held, suspect } of holders) {
      const suspects = [...held].filter(([, { deliveries }]) => deliveries >= SUSPECT_FROM)
      if (held.size > CREDIT || suspects.length > 1 || suspects[0]?.[0] !== suspect)
        throw new Error(`holds ${held.size}, suspects ${suspects.map(([token]) => token)}, noted ${suspect}`)
    }
  }
  return answers

  function step(kind: Command[0], who: number, what: number, ms: number): unknown {
    const holder = holders[who]!,
      queue = QUEUES[what % 2]!,
      id = `m${what}`
    switch (kind) {
      case 'push':
        return state.push([envelope(queue, id, what, ms)], now)
      case 'take':
        return state.take(holder, what % 5, what % 3 === 0 ? { a: 1 } : undefined, now)
      case 'settle':
        return state.settle(
          holder,
          [...holder.held.keys()].slice(0, what % 4).map(token => settlement(token, what, ms)),
          now,
        )
      case 'renew':
        return state.renew(holder, now)
      case 'reap':
        // Half of the time everything has lapsed: suspects are what lapsed twice, and must not be rare here.
        if (what % 2 === 0) now += LEASE_MS
        return state.reap(now).map(({ tokens }) => tokens)
      case 'wait':
        return void (now += ms)
      case 'leave':
        state.leave(holder)
        return void (holders[who] = join())
      case 'inspect':
        return [
          () => state.remove(now, queue, id),
          () => state.promote(now, queue, id),
          () => state.reschedule(now, queue, id, { due: { afterMs: ms }, priority: 0 }),
          () => state.revive(now, queue, [id], { to: QUEUES[who % 2]! }),
          () => state.drop(now, queue, [id]),
          () => (what > 28 ? state.purge(now, queue) : 0),
          () => (who === 0 ? state.pause(now, queue) : state.resume(now, queue)),
        ][what % 7]!()
      default:
        return kind satisfies never
    }
  }
}

const envelope = (queue: string, id: string, what: number, ms: number): Envelope => ({
  id,
  queue,
  body: new Uint8Array(0),
  attempt: 0,
  priority: (what % 3) as Band,
  ...(ms > 100 && { due: { afterMs: ms } }),
  ...(ms < 20 && { onceMs: ms + 1 }),
})

function settlement(token: string, what: number, ms: number): Settlement {
  const afterMs = ms > 75 ? ms : 0,
    then = [envelope(QUEUES[ms % 2]!, `then${what}`, what, ms)]
  return (
    [
      { token, kind: 'done', then },
      { token, kind: 'retry', afterMs },
      { token, kind: 'release', afterMs },
      { token, kind: 'dead', reason: 'test', then },
    ] as const
  )[what % 4]!
}

t.test('every message is in exactly one place, and the counts are exact, after any commands', async () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 200, size: 'max' }), commands => {
      run(commands, (state, now) => {
        for (const queue of QUEUES) {
          const counts = state.counts(now, queue),
            seen = new Set<string>()
          for (const place of PLACES) {
            const { entries } = state.list(now, queue, place, { limit: 1_000 })
            if (entries.length !== counts[place])
              throw new Error(`${entries.length} are listed as ${place}, and ${counts[place]} counted`)
            for (const {
              envelope: { id },
              dueAt,
              deliveries,
            } of entries) {
              const isSuspect = deliveries >= SUSPECT_FROM
              if (place === (isSuspect ? 'ready' : 'suspect')) throw new Error(`${id} is ${place} after ${deliveries} deliveries`)
              if (seen.has(id)) throw new Error(`${id} is in two places`)
              if (place === 'delayed' && dueAt! <= now) throw new Error(`${id} is late`)
              if (state.find(now, id, queue)?.place !== place) throw new Error(`${id} is not found where it is`)
              seen.add(id)
            }
          }
        }
      })
    }),
    { numRuns: 150 },
  )
})

t.test('the same commands make the same state and the same answers', async () => {
  fc.assert(
    fc.property(
      fc.array(command, { maxLength: 100, size: 'max' }),
      commands => JSON.stringify(run(commands)) === JSON.stringify(run(commands)),
    ),
    { numRuns: 50 },
  )
})

t.test('pages of any size list what one page lists', async () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 100, size: 'max' }), fc.integer({ min: 1, max: 5 }), (commands, limit) => {
      let last: readonly [Reducer, number] | undefined
      run(commands, (state, now) => {
        last = [state, now]
      })
      if (!last) return
      const [state, now] = last
      for (const queue of QUEUES)
        for (const place of PLACES) {
          const all = state.list(now, queue, place, { limit: 1_000 }).entries,
            paged: unknown[] = []
          for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
            const page = state.list(now, queue, place, { limit, ...(cursor !== undefined && { cursor }) })
            paged.push(...page.entries)
            cursor = page.cursor
          }
          if (JSON.stringify(paged) !== JSON.stringify(all)) throw new Error(`pages of ${limit} list ${place} differently`)
        }
    }),
    { numRuns: 50 },
  )
})

t.test('a heap gives in the order of times, equals as they came, whatever is removed', async () => {
  interface Node {
    when: number
    order: number
    index: number
    readonly name: number
  }
  fc.assert(
    fc.property(fc.array(fc.nat(20)), fc.array(fc.nat(100)), (times, removals) => {
      const nodes = times.map((when, name): Node => ({ when, order: 0, index: -1, name })),
        made = heap<Node>(),
        gone = new Set<Node>()
      for (const node of nodes) made.add(node)
      for (const at of removals) {
        const node = nodes[at]
        if (!node || gone.has(node)) continue
        gone.add(node)
        made.remove(node)
      }
      const expected = nodes.filter(node => !gone.has(node)).sort((a, b) => a.when - b.when || a.name - b.name)
      for (const node of expected) {
        if (made.first !== node) throw new Error(`${made.first?.name} came instead of ${node.name}`)
        made.remove(node)
      }
      return made.size === 0 && made.first === undefined
    }),
  )
})

t.test('a list is taken from both ends and from the middle, and its order numbers rise', async t => {
  interface Node extends Linked<Node> {
    readonly name: string
  }
  const node = (name: string): Node => ({ name, prev: undefined, next: undefined, order: 0 })
  const made = list<Node>(),
    [a, b, c, d] = [node('a'), node('b'), node('c'), node('d')] as const
  const names = () => {
    const found: string[] = []
    for (let at = made.first, order = -Infinity; at; at = at.next) {
      t.ok(at.order > order)
      order = at.order
      found.push(at.name)
    }
    t.equal(made.size, found.length)
    return found.join('')
  }
  for (const one of [b, c]) made.addLast(one)
  made.addFirst(a)
  made.addLast(d)
  t.equal(names(), 'abcd')
  made.remove(b)
  t.equal(names(), 'acd')
  made.remove(a)
  made.remove(d)
  t.equal(names(), 'c')
  made.remove(c)
  t.equal(names(), '')
  const { order } = d
  made.addLast(a)
  t.ok(a.order > order, 'also after it was empty')
  t.equal(names(), 'a')
})
