/** When a message is too old, as a table, by the middleware alone. */
import t from 'tap'
import { ageLimit } from '../../index.ts'
import type { Context } from '../../lib/middleware.ts'
import type { Outcome } from '../../lib/outcome.ts'
import type { AgeLimitSpecs } from '../../middleware/age-limit.ts'
import { openMoving } from '../helpers/open.ts'
import { turns } from '../helpers/turns.ts'

t.test('the limit itself is still in time, and nothing younger is dead', async t => {
  const { before } = ageLimit()
  for (const [ageMs, maxAge, outcome] of [
    [1_000, 1_000, undefined],
    [1_001, 1_000, { kind: 'dead', reason: 'expired: 1s old, maxAge is 1s' }],
    [0, 0, undefined],
    [1, 0, { kind: 'dead', reason: 'expired: 1ms old, maxAge is 0ms' }],
    [86_400_000, 3_600_000, { kind: 'dead', reason: 'expired: 1d old, maxAge is 1h' }],
    [1e15, Infinity, undefined],
  ] as readonly [number, number, Outcome | undefined][]) {
    const context = { ageMs, options: { maxAge } } as Context<AgeLimitSpecs>
    t.strictSame(before!(context), outcome, `${ageMs} ms, limit ${maxAge}`)
  }
})

t.test('age counts from when the message was made: a delay and a stay in an outbox count', async t => {
  for (const [what, send, kind] of [
    ['a delay as long', { delay: '1m', maxAge: '1m' }, 'done'],
    ['a longer delay', { delay: '61s', maxAge: '1m' }, 'dead'],
    ['none at all', { delay: '61s', maxAge: Infinity }, 'done'],
  ] as const) {
    const { app, clock, all } = await openMoving(t, { middleware: [ageLimit({ maxAge: '1s' })] })
    await app
      .actor(() => {}, { name: 'news', maxAge: '2s' })
      .with(send)
      .send()
    clock.advance(send.delay === '1m' ? 60_000 : 61_000)
    await app.work()
    await turns()
    t.match(all('settled'), [{ outcome: { kind } }], what)
  }
  const { app, clock, all } = await openMoving(t)
  const stored = app.actor(() => {}, { name: 'news', maxAge: '1m' }).message()
  clock.advance(61_000)
  await app.send([stored])
  await app.work()
  await turns()
  t.match(all('settled'), [{ outcome: { kind: 'dead', reason: /^expired/ } }], 'an outbox')
})

t.test('clocks apart never bury: an age is not below 0', async t => {
  const { app, all } = await openMoving(t, { middleware: [ageLimit({ maxAge: 0 })] })
  const news = app.actor(() => {}, { name: 'news' })
  for (const timestamp of [Date.UTC(2030, 0), Number.MAX_SAFE_INTEGER]) await app.send([{ ...news.message(), timestamp }])
  await app.work()
  await turns()
  t.match(
    all('settled').map(({ outcome }) => outcome.kind),
    ['done', 'done'],
  )
})
