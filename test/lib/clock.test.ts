import { getEventListeners } from 'node:events'
import t from 'tap'
import { sleep, systemClock, within } from '../../lib/clock.ts'
import { movingClock } from '../../lib/moving-clock.ts'
import { onAbort } from '../../lib/on-abort.ts'
import { turns } from '../helpers/turns.ts'

t.test('a moving clock stands still until it is moved, and fires what falls due in order, each at its own time', async t => {
  const clock = movingClock(1_000)
  const fired: unknown[] = []
  const fire = (what: string) => () => void fired.push([what, clock.now(), clock.monotonic()])
  clock.after(20, fire('b'))
  clock.after(10, () => {
    fire('a')()
    clock.after(5, fire('a2'))
    clock.after(500, fire('never'))
  })
  clock.after(-5, fire('at once'))
  const cancelled = clock.after(15, fire('cancelled'))
  cancelled.cancel()
  cancelled.cancel()
  t.equal(clock.next(), 0)
  t.strictSame([clock.now(), clock.monotonic(), fired], [1_000, 0, []])
  clock.advance(20)
  t.strictSame(fired, [
    ['at once', 1_000, 0],
    ['a', 1_010, 10],
    ['a2', 1_015, 15],
    ['b', 1_020, 20],
  ])
  t.strictSame([clock.pending, clock.next()], [1, 490])
})

t.test('a timer of the real clock never fires early, and one of a year does not fire at once', async t => {
  const warnings: string[] = [],
    warned = ({ name }: Error) => void warnings.push(name)
  process.on('warning', warned)
  const start = systemClock.monotonic()
  await new Promise<void>(resolve => systemClock.after(15, resolve))
  t.ok(systemClock.monotonic() - start >= 15)
  let fired = false
  const far = systemClock.after(365 * 86_400_000, () => (fired = true))
  const endless = systemClock.after(Infinity, () => (fired = true))
  await new Promise<void>(resolve => systemClock.after(5, resolve))
  t.notOk(fired)
  far.cancel()
  endless.cancel()
  process.off('warning', warned)
  t.strictSame(warnings, [], 'nor again and again until then, as Node would have it')
})

t.test('a timer that was cancelled does not fire; ref: false does not hold the process', async t => {
  let fired = false
  systemClock.after(1, () => (fired = true)).cancel()
  systemClock.after(3_600_000, () => {}, { ref: false })
  await new Promise<void>(resolve => systemClock.after(10, resolve))
  t.notOk(fired)
})

t.test('sleep ends in time or with the reason of its signal, and leaves nothing behind', async t => {
  const clock = movingClock()
  const controller = new AbortController()
  const slept = sleep(clock, 10, { signal: controller.signal })
  clock.advance(10)
  await slept
  const stopped = sleep(clock, 10, { signal: controller.signal })
  controller.abort(new Error('mine'))
  await t.rejects(stopped, { message: 'mine' })
  await t.rejects(sleep(clock, 10, { signal: controller.signal }), { message: 'mine' }, 'aborted already')
  t.strictSame([clock.pending, getEventListeners(controller.signal, 'abort').length], [0, 0])
})

t.test('within is the promise, or what is late', async t => {
  const clock = movingClock()
  const never = new Promise<number>(() => {})
  t.equal(await within(Promise.resolve(5), 10, clock, () => new Error('late')), 5)
  await t.rejects(
    within(Promise.reject(new Error('own')), 10, clock, () => new Error('late')),
    { message: 'own' },
  )
  const late = within(never, 10, clock, () => new Error('late'))
  clock.advance(9)
  await turns(2)
  t.equal(clock.pending, 1)
  clock.advance(1)
  await t.rejects(late, { message: 'late' })
  t.equal(clock.pending, 0)
})

t.test('many wait for one signal with one listener', async t => {
  const controller = new AbortController()
  const { signal } = controller
  const told: number[] = []
  const ends = Array.from({ length: 100 }, (_, i) => onAbort(signal, () => told.push(i)))
  t.equal(getEventListeners(signal, 'abort').length, 1)
  for (const end of ends.slice(0, 98)) end()
  ends[0]!()
  controller.abort()
  t.strictSame(told, [98, 99])
  t.equal(getEventListeners(signal, 'abort').length, 0)
  const other = new AbortController()
  for (const end of [1, 2, 3].map(() => onAbort(other.signal, () => {}))) end()
  t.equal(getEventListeners(other.signal, 'abort').length, 0, 'and none when nobody waits')
})
