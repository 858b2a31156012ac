/** Faults of workers and senders that every broker outlives alike: through `app.work()` in real processes, killed at chosen moments. */
import type { Test } from 'tap'
import { type Cast, EMPTY, kill, stop } from './cast.ts'
import { turns } from './turns.ts'

export function faultRows(t: Test, cast: (t: Test) => Cast): void {
  t.test(
    'a worker killed in the middle of a message, again and again: each runs once more, with one delivery more, in the next',
    async t => {
      const { hire, push, ledger, counts } = cast(t)
      const ids = Array.from({ length: 8 }, (_, n) => `m-${n}`),
        pids: number[] = []
      let worker = await hire({ concurrency: 1 })
      for (const id of ids) {
        await push([{ actor: 'first', id }])
        await worker.until(new RegExp(`started .*"${id}"`))
        const next = await hire({ concurrency: 1 })
        await kill(worker)
        pids.push(worker.pid)
        await next.until(new RegExp(`settled .*"${id}","kind":"done","settled":"ok"`))
        worker = next
      }
      t.equal(await stop(worker), 0)
      pids.push(worker.pid)
      t.strictSame(
        ledger('S'),
        ids.flatMap((id, n) =>
          [1, 2].map(deliveries => ({ id, attempt: 0, deliveries, pid: pids[n + deliveries - 1]!, actor: 'first' })),
        ),
      )
      t.strictSame(
        ledger('E').map(({ id }) => id),
        ids,
      )
      t.match(await counts('default'), EMPTY)
    },
  )

  t.test('a worker killed between the effect and its settlement: exactly one rerun, which costs no attempt', async t => {
    for (const place of ['after-run', 'before-settle']) {
      const { hire, push, ledger, counts } = cast(t)
      const doomed = await hire({ concurrency: 1 }, { GREENROOM_FAIL: place })
      await push([{ actor: 'quick', id: 'one' }])
      t.equal(await doomed.ended, 'SIGKILL', place)
      const next = await hire({ concurrency: 1 })
      await next.until(/settled .*"one","kind":"done","settled":"ok"/)
      t.equal(await stop(next), 0)
      const both = [doomed, next].map(({ pid }, n) => ({ id: 'one', attempt: 0, deliveries: n + 1, pid, actor: 'quick' }))
      t.strictSame(ledger('S'), both, place)
      t.strictSame(ledger('E'), both, place)
      t.match(await counts('default'), EMPTY)
    }
  })

  t.test('retries exhausted across two processes: maxRetries + 1 runs each, told once each, one dead letter each', async t => {
    const { hire, push, ledger, counts, dead } = cast(t)
    const COUNT = 30
    const workers = await Promise.all([hire({ concurrency: 2 }), hire({ concurrency: 2 })])
    const ids = Array.from({ length: COUNT }, (_, n) => `m-${n}`)
    await push(ids.map(id => ({ actor: 'fails', id })))
    while (ledger('E').filter(({ actor }) => actor === 'told').length < COUNT) await turns(1)
    for (const worker of workers) t.equal(await stop(worker), 0)

    const runs = ledger('S').filter(({ actor }) => actor === 'fails')
    for (const id of ids)
      t.strictSame(
        runs.filter(run => run.id === id).map(({ attempt, deliveries }) => [attempt, deliveries]),
        [0, 1, 2, 3].map(attempt => [attempt, 1]),
        id,
      )
    t.equal(runs.length, 4 * COUNT)
    t.equal(new Set(runs.map(({ pid }) => pid)).size, 2, 'both had a part')
    t.equal(ledger('S').filter(({ actor }) => actor === 'told').length, COUNT, 'onExhausted, once for each')
    t.strictSame((await dead('default')).toSorted(), ids.toSorted())
    t.match(await counts('default'), { ...EMPTY, dead: COUNT })
  })

  t.test('once: within its time an id runs once, whoever sends it again, also after everything was restarted', async t => {
    const { hire, sends, ledger, broker } = cast(t)
    await broker[Symbol.asyncDispose]() // nobody of this test holds the folder open
    const send = (id: string, once = '1h') => sends([{ actor: 'quick', id, once }])
    t.strictSame(await send('one'), [['one', true]])
    const worker = await hire()
    await worker.until(/settled .*"one"/)
    t.strictSame(await send('one'), [['one', false]], 'it is done')
    t.equal(await stop(worker), 0)
    t.strictSame(await send('one'), [['one', false]], 'no process was there')
    const killed = await hire()
    t.strictSame(await send('two'), [['two', true]])
    await killed.until(/settled .*"two"/)
    await kill(killed)
    const last = await hire()
    for (const id of ['one', 'two']) t.strictSame(await send(id), [[id, false]], 'the last one was killed')
    t.strictSame(await send('three'), [['three', true]])
    await last.until(/settled .*"three"/)
    t.equal(await stop(last), 0)
    t.strictSame(
      ledger('E').map(({ id }) => id),
      ['one', 'two', 'three'],
    )
  })
}
