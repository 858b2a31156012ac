import t from 'tap'
import { systemClock } from '../../lib/clock.ts'
import { derivedId, systemId } from '../../lib/ids.ts'

t.test('ids are version 7 UUIDs, and none comes twice', async t => {
  const ids = Array.from({ length: 10_000 }, systemId)
  t.equal(new Set(ids).size, ids.length)
  for (const id of ids) if (!/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id)) t.fail(id)
})

t.test('an id begins with the time when it was made', async t => {
  const before = systemClock.now()
  const ids = Array.from({ length: 1_000 }, systemId)
  const after = systemClock.now()
  const times = ids.map(id => Number.parseInt(id.replace('-', '').slice(0, 12), 16))
  t.ok(times.every(time => time >= before && time <= after))
  t.strictSame(times, times.toSorted())
})

t.test('each digit after the time but the version and the variant takes every value', async t => {
  const ids = Array.from({ length: 2_000 }, systemId)
  for (let at = 14; at < 36; at++) {
    const values = new Set(ids.map(id => id[at]))
    const expected = at === 14 || [18, 23].includes(at) ? 1 : at === 19 ? 4 : 16
    t.equal(values.size, expected, `place ${at}`)
  }
})

t.test('the ids of follow-ups are the same each time, and differ by parent and number', async t => {
  t.equal(derivedId('a', 0), derivedId('a', 0))
  t.equal(new Set([derivedId('a', 0), derivedId('a', 1), derivedId('b', 0), derivedId('a', 'onSuccess')]).size, 4)
  t.equal(derivedId('a', 0).length, 22)
})
