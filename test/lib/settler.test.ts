import t from 'tap'
import type { Consumer, Settlement } from '../../lib/broker.ts'
import { movingClock } from '../../lib/moving-clock.ts'
import { createSettler } from '../../lib/settler.ts'
import { gate, pass, turns } from '../helpers/turns.ts'

const done = (token: string): Settlement => ({ token, kind: 'done' })
/** A settler on a consumer that answers when the test wants. */
function openSettler(settle: (batch: readonly Settlement[]) => Promise<readonly ('ok' | 'lost')[]>) {
  const batches: string[][] = []
  const failures: unknown[] = []
  const clock = movingClock()
  let ends = 0
  const consumer = {
    settle: (batch: readonly Settlement[]) => (batches.push(batch.map(({ token }) => token)), settle(batch)),
  } as unknown as Consumer
  const settler = createSettler({
    consumer,
    clock,
    turn: () => ends++,
    trip() {},
    failed: (error, count) => failures.push([error, count]),
  })
  const told: unknown[] = []
  const add = (token: string) => settler.add({ settlement: done(token), told: answer => told.push([token, answer]) })
  return { settler, batches, failures, told, add, clock, ends: () => ends }
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

t.test('a batch that fails is told once, and tried again one by one; others go on meanwhile', async t => {
  const error = new Error('away')
  const failsFor = new Map([
    ['a', 2],
    ['b', 3],
  ])
  const { batches, told, failures, add, settler, clock } = openSettler(async batch => {
    const left = batch.map(({ token }) => failsFor.get(token) ?? 0)
    for (const { token } of batch) failsFor.set(token, (failsFor.get(token) ?? 0) - 1)
    if (Math.max(...left) > 0) throw error
    return batch.map(() => 'ok')
  })
  for (const token of ['a', 'b', 'c']) add(token)
  await turns(2)
  t.strictSame([failures, told, settler.pending], [[[error, 3]], [], 3])
  add('d')
  await turns(2)
  t.strictSame(told, [['d', 'ok']])
  await pass(clock, 99)
  t.equal(batches.length, 2)
  await pass(clock, 1)
  t.strictSame(batches.slice(2), [['a'], ['b'], ['c']])
  t.strictSame(told.at(-1), ['c', 'ok'])
  await pass(clock, 200)
  t.strictSame(batches.slice(5), [['a'], ['b']])
  t.strictSame(told.at(-1), ['a', 'ok'])
  await pass(clock, 400)
  t.strictSame([told.at(-1), failures.length, settler.pending, clock.pending], [['b', 'ok'], 1, 0, 0])
})

t.test('who waits for the end has failed ones tried at once; an end forgets them', async t => {
  let away = true
  const { batches, told, add, settler, clock } = openSettler(async batch => {
    if (away) throw new Error('away')
    return batch.map(() => 'ok')
  })
  add('a')
  await turns(2)
  away = false
  await settler.idle()
  t.strictSame([told, settler.pending], [[['a', 'ok']], 0])
  away = true
  add('x')
  const waited = settler.idle() // before it fails
  await turns(2)
  t.strictSame(batches.slice(-2), [['x'], ['x']], 'once at once, then with waits')
  away = false
  await pass(clock, 200)
  await waited
  away = true
  add('b')
  await turns(2)
  const idle = settler.idle()
  await turns(2)
  settler.end()
  await idle
  const asked = batches.length
  await pass(clock, 60_000)
  t.strictSame([batches.length, clock.pending], [asked, 0])
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
