import t from 'tap'
import type { Consumer, Settlement } from '../../lib/broker.ts'
import { movingClock } from '../../lib/moving-clock.ts'
import { createSettler } from '../../lib/settler.ts'
import { gate, turns } from '../helpers/turns.ts'

const done = (token: string): Settlement => ({ token, kind: 'done' })
/** A settler on a consumer that answers when the test wants. */
function openSettler(settle: (batch: readonly Settlement[]) => Promise<readonly ('ok' | 'lost')[]>) {
  const batches: string[][] = []
  const failures: unknown[] = []
  let ends = 0
  const consumer = {
    settle: (batch: readonly Settlement[]) => (batches.push(batch.map(({ token }) => token)), settle(batch)),
  } as unknown as Consumer
  const settler = createSettler({
    consumer,
    clock: movingClock(),
    turn: () => ends++,
    trip() {},
    failed: (error, count) => failures.push([error, count]),
  })
  const told: unknown[] = []
  const add = (token: string) => settler.add({ settlement: done(token), told: answer => told.push([token, answer]) })
  return { settler, batches, failures, told, add, ends: () => ends }
}

t.test('what ends in one turn is settled together, and each is told its own', async t => {
  const { settler, batches, told, add, ends } = openSettler(async batch =>
    batch.map(({ token }) => (token === 'b' ? 'lost' : 'ok')),
  )
  for (const token of ['a', 'b', 'c']) add(token)
  t.equal(settler.pending, 3)
  t.strictSame(batches, [])
  await turns(3)
  t.strictSame(batches, [['a', 'b', 'c']])
  t.strictSame(told, [
    ['a', 'ok'],
    ['b', 'lost'],
    ['c', 'ok'],
  ])
  t.strictSame([settler.pending, ends()], [0, 1])
})

t.test('one batch is under way at a time; what ends meanwhile is the next', async t => {
  const answers = [gate(), gate()]
  let asked = 0
  const { settler, batches, add } = openSettler(async batch => {
    await answers[asked++]!.opened
    return batch.map(() => 'ok')
  })
  add('a')
  await turns(2)
  add('b')
  add('c')
  await turns(2)
  t.strictSame(batches, [['a']])
  answers[0]!.open()
  await turns(2)
  t.strictSame(batches, [['a'], ['b', 'c']])
  let idle = false
  void settler.idle().then(() => (idle = true))
  await turns(2)
  t.notOk(idle)
  answers[1]!.open()
  await turns(2)
  t.ok(idle)
  await settler.idle()
})

t.test('a batch that fails is told once, its messages hear that nobody knows, and the next goes on', async t => {
  const error = new Error('away')
  let fails = 1
  const { batches, told, failures, add, settler } = openSettler(async batch => {
    if (fails-- > 0) throw error
    return batch.map(() => 'ok')
  })
  add('a')
  add('b')
  await turns(2)
  t.strictSame(failures, [[error, 2]])
  t.strictSame(told, [
    ['a', undefined],
    ['b', undefined],
  ])
  add('c')
  await settler.idle()
  t.strictSame(batches.at(-1), ['c'])
  t.strictSame(told.at(-1), ['c', 'ok'])
})

t.test('a nudge ends a turn though nothing is settled; a flush does not wait for the turn', async t => {
  const { settler, batches, add, ends } = openSettler(async batch => batch.map(() => 'ok'))
  settler.nudge()
  await turns(2)
  t.strictSame([batches, ends()], [[], 1])
  add('a')
  settler.flush()
  t.strictSame(batches, [['a']])
  await settler.idle()
})
