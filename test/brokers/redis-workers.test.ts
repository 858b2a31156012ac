/** Faults of workers on Redis, in real processes: killed, stopped and resumed, asked to end at every moment. */
import t from 'tap'
import { cast as fileCast, EMPTY, kill, redisCast, said, stop } from '../helpers/cast.ts'
import { faultRows } from '../helpers/fault-rows.ts'
import { turns } from '../helpers/turns.ts'
import { type Daemon, startDaemon } from '../rig/daemon.ts'
import { redis } from '../rig/redis.ts'

let server: Daemon,
  db = 0
t.before(async () => {
  server = await startDaemon(redis({ databases: 64 }))
})
t.teardown(() => server[Symbol.asyncDispose]())
const cast = (t: Parameters<typeof fileCast>[0]) => redisCast(t, `redis://127.0.0.1:${server.port}/${db++}`)

faultRows(t, cast)

t.test(
  'a worker killed around the settlement of a failed attempt: one script stores the retry, so there is one copy',
  async t => {
    for (const [place, attempts] of [
      ['before-settle', [0, 0, 1, 2, 3]],
      ['after-settle', [0, 1, 2, 3]],
    ] as const) {
      const { hire, push, ledger, counts, dead } = cast(t)
      const doomed = await hire({ concurrency: 1 }, { GREENROOM_FAIL: place })
      await push([{ actor: 'fails', id: 'one' }])
      t.equal(await doomed.ended, 'SIGKILL')
      const next = await hire({ concurrency: 1 })
      await next.until(/settled .*"kind":"dead"/)
      await next.until(/settled .*"kind":"done"/) // told
      t.equal(await stop(next), 0)
      t.strictSame(
        ledger('S').flatMap(({ actor, attempt }) => (actor === 'fails' ? [attempt] : [])),
        attempts,
        place,
      )
      t.strictSame(await dead('default'), ['one'])
      t.match(await counts('default'), { ...EMPTY, dead: 1 })
    }
  },
)

t.test('workers asked to end under load, one after the other: exit 0, each message runs once, and in order', async t => {
  const { hire, push, ledger, counts } = cast(t)
  const ids = Array.from({ length: 600 }, (_, n) => `m-${n}`)
  await push(ids.map(id => ({ actor: 'quick', id })))
  const shares: number[] = []
  for (const upTo of [30, 150, 300, 600]) {
    const before = ledger('E').length
    const worker = await hire({ concurrency: 1 })
    while (ledger('E').length < upTo) await turns(1)
    t.equal(await stop(worker), 0)
    shares.push(ledger('E').length - before)
    t.match(await counts('default'), { leased: 0, ready: ids.length - ledger('E').length })
  }
  t.ok(shares.filter(share => share > 0).length >= 2, `several had a part: ${shares}`)
  t.strictSame(
    ledger('S').map(({ id, deliveries }) => [id, deliveries]),
    ids.map(id => [id, 1]),
  )
  t.match(await counts('default'), EMPTY)
})

t.test(
  'a message that lasts longer than the grace: its signal is aborted, it goes back uncounted, and runs in the next worker',
  async t => {
    const { hire, push, ledger, scan } = cast(t)
    const worker = await hire({ concurrency: 1, grace: 0 })
    await push([
      { actor: 'heeds', id: 'long' },
      { actor: 'quick', id: 'waits' },
    ])
    await worker.until(/started .*"long"/)
    t.equal(await stop(worker), 0)
    t.strictSame(
      (await scan()).messages.map(({ id, place, attempt, lapses }) => [id, place, attempt, lapses]),
      [
        ['long', 'ready', 0, 0],
        ['waits', 'ready', 0, 0],
      ],
    )
    const next = await hire({ concurrency: 2 })
    await next.until(/started .*"long"/)
    await kill(next)
    t.strictSame(
      ledger('S').flatMap(({ id, attempt, deliveries }) => (id === 'long' ? [[attempt, deliveries]] : [])),
      [
        [0, 1],
        [0, 1],
      ],
    )
  },
)

t.test(
  'a worker that stood still longer than its lease: what it held runs elsewhere, and what it says later changes nothing',
  async t => {
    const { hire, push, ledger, counts } = cast(t)
    const frozen = await hire({ concurrency: 2 })
    const ids = ['heeds-0', 'heeds-1', 'held-0', 'held-1', 'held-2']
    await push(ids.map(id => ({ actor: id.startsWith('heeds') ? 'firsts' : 'quick', id })))
    await frozen.until(/started .*"heeds-\d"/, 2)
    frozen.child.kill('SIGSTOP')
    const next = await hire({ concurrency: 4 })
    await next.until(/settled .*"kind":"done","settled":"ok"/, 5)
    frozen.child.kill('SIGCONT')
    await frozen.until(/aborted .*"heeds-\d"/, 2)
    t.equal(await stop(frozen), 0)
    t.equal(await stop(next), 0)
    t.strictSame(
      ledger('E')
        .map(({ id, pid }) => [id, pid])
        .toSorted(),
      ids.map(id => [id, next.pid]).toSorted(),
      'each had its effect once, in the other worker',
    )
    t.strictSame(
      said(frozen, 'settled').filter(({ settled }) => settled === 'ok'),
      [],
    )
    t.match(await counts('default'), EMPTY)
  },
)
