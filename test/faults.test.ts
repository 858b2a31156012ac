/** Faults of workers and senders on `file:`, through `app.work()` in real processes: killed at chosen moments, restarted, sending the same again. */
import t from 'tap'
import type { Program } from './cli/program.ts'
import { cli } from './cli/fake-io.ts'
import { folderOf } from './cli/folder.ts'
import { greenroom } from './cli/program.ts'
import { cast, kill, said, stop } from './helpers/cast.ts'

const turn = () => new Promise(resolve => setImmediate(resolve))
const EMPTY = { ready: 0, delayed: 0, leased: 0, suspect: 0, dead: 0 }

t.test(
  'a worker killed in the middle of a message, again and again: each runs once more, with one delivery more, in the next',
  async t => {
    const { hire, push, ledger, inspector } = cast(t)
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
    t.match(await inspector.counts('default'), EMPTY)
  },
)

t.test('a worker killed between the effect and its settlement: exactly one rerun, which costs no attempt', async t => {
  for (const place of ['after-run', 'before-settle']) {
    const { hire, push, ledger, inspector } = cast(t)
    const doomed = await hire({ concurrency: 1 }, { GREENROOM_FAIL: place })
    await push([{ actor: 'quick', id: 'one' }])
    t.equal(await doomed.ended, 'SIGKILL', place)
    const next = await hire({ concurrency: 1 })
    await next.until(/settled .*"one","kind":"done","settled":"ok"/)
    t.equal(await stop(next), 0)
    const both = [doomed, next].map(({ pid }, n) => ({ id: 'one', attempt: 0, deliveries: n + 1, pid, actor: 'quick' }))
    t.strictSame(ledger('S'), both, place)
    t.strictSame(ledger('E'), both, place)
    t.match(await inspector.counts('default'), EMPTY)
  }
})

t.test('retries exhausted across two processes: maxRetries + 1 runs each, told once each, one dead letter each', async t => {
  const { hire, push, ledger, inspector } = cast(t)
  const COUNT = 30
  const workers = await Promise.all([hire({ concurrency: 2 }), hire({ concurrency: 2 })])
  const ids = Array.from({ length: COUNT }, (_, n) => `m-${n}`)
  await push(ids.map(id => ({ actor: 'fails', id })))
  while (ledger('E').filter(({ actor }) => actor === 'told').length < COUNT) await turn()
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
  const { entries } = await inspector.list('default', 'dead')
  t.strictSame(entries.map(({ envelope: { id } }) => id).toSorted(), ids.toSorted())
  for (const entry of entries) t.match(entry, { reason: /always/, envelope: { attempt: 3 } })
  t.match(await inspector.counts('default'), { ...EMPTY, dead: COUNT })
})

t.test('an id that is pushed again by other processes while it is live is one message, wherever that is', async t => {
  const { hire, sends, ledger, inspector, play } = cast(t)
  const again = (id: string) => sends([{ actor: 'first', id }])
  t.strictSame(await again('one'), [['one', true]])
  t.strictSame(await again('one'), [['one', false]], 'it waits')
  const worker = await hire({ concurrency: 1 })
  await worker.until(/started .*"one"/)
  t.strictSame(await again('one'), [['one', false]], 'it runs')
  await kill(worker)
  t.strictSame(await again('one'), [['one', false]], 'its worker is dead')
  t.strictSame(await sends([{ actor: 'quick', id: 'later', delay: '1h' }]), [['later', true]])
  t.strictSame(await sends([{ actor: 'quick', id: 'later' }]), [['later', false]], 'it is delayed')

  const ids = Array.from({ length: 40 }, (_, n) => `both-${n}`),
    messages = ids.map(id => ({ actor: 'quick', id }))
  const senders = [play('send', { messages }), play('send', { messages })]
  t.strictSame(await Promise.all(senders.map(({ ended }) => ended)), [0, 0])
  const stored = (sender: Program) => said(sender, 'sent').flatMap(({ id, stored }) => (stored === true ? [id] : []))
  t.strictSame(senders.flatMap(stored).toSorted(), ids.toSorted(), 'of two at the same time, one is stored')

  const next = await hire()
  await next.until(/settled /, 41)
  t.equal(await stop(next), 0)
  t.equal(ledger('E').length, 41, 'each had its effect once')
  t.strictSame(new Set(ledger('E').map(({ id }) => id)), new Set(['one', ...ids]))
  t.match(await inspector.counts('default'), { ...EMPTY, delayed: 1 })
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

t.test('a queue that is paused while its workers are killed stays paused in new ones, and all runs after the resume', async t => {
  const { hire, push, ledger, inspector } = cast(t)
  const queues = ['default', 'other']
  const victims = [await hire({ concurrency: 1, queues }), await hire({ concurrency: 1, queues })]
  await push(['held-0', 'held-1'].map(id => ({ actor: 'first', id })))
  for (const victim of victims) await victim.until(/started /)
  await inspector.pause('default')
  const waiting = ['late-0', 'late-1', 'late-2']
  await push(waiting.map(id => ({ actor: 'quick', id })))
  for (const victim of victims) await kill(victim)

  const next = await hire({ concurrency: 1, queues })
  // It takes from both queues: what it runs of the other one says that it looked.
  const others = Array.from({ length: 20 }, (_, n) => `other-${n}`)
  await push(others.map(id => ({ actor: 'other', queue: 'other', id })))
  await next.until(/settled .*"other-\d+"/, others.length)
  while ((await inspector.counts('default')).leased > 0) await turn() // until it is seen that the killed ones are gone
  t.match(
    await inspector.counts('default'),
    { ready: 5, leased: 0, suspect: 0, dead: 0, paused: true },
    'nothing ran, and nothing is lost',
  )
  t.strictSame(
    ledger('E').map(({ id }) => id),
    others,
  )

  await inspector.resume('default')
  await next.until(/settled .*"(held|late)-\d+"/, 5)
  t.equal(await stop(next), 0)
  t.strictSame(
    ledger('E')
      .slice(others.length)
      .map(({ id, deliveries }) => [id, deliveries])
      .toSorted(),
    [['held-0', 2], ['held-1', 2], ...waiting.map(id => [id, 1])],
    'each once; only what a killed one held was delivered again',
  )
  t.match(await inspector.counts('default'), { ...EMPTY, paused: false })
})

t.test('a process killed while it writes a pause: the queue is paused or not, and nothing is lost', async t => {
  for (const [place, paused] of [
    ['before-commit', false],
    ['after-commit', true],
  ] as const) {
    const { play, hire, push, ledger, inspector } = cast(t)
    await push([{ actor: 'quick', id: 'one' }])
    t.equal(await play('pause', {}, { GREENROOM_FAIL: place }).ended, 'SIGKILL', place)
    t.match(await inspector.counts('default'), { ready: 1, paused }, place)
    const worker = await hire({ queues: ['default', 'other'] })
    await push([{ actor: 'other', queue: 'other', id: 'beside' }])
    await worker.until(/settled .*"beside"/)
    t.strictSame(
      ledger('E').map(({ id }) => id),
      paused ? ['beside'] : ['one', 'beside'],
      place,
    )
    await inspector.resume('default')
    await worker.until(/settled .*"one"/)
    t.equal(await stop(worker), 0)
    t.match(await inspector.counts('default'), { ...EMPTY, paused: false })
  }
})

t.test(
  'a queue that no living worker serves keeps its messages ready and in sight, also those that its killed worker held',
  async t => {
    const module = (name: string, queue: string) => `
    import { actor, current } from 'greenroom'
    export const ${name} = actor(async () => {
      console.log('begun', current().deliveries)
      if (current().deliveries === 1 && '${queue}' === 'orphan') await new Promise(() => setInterval(() => {}, 1000))
    }, { name: '${name}', queue: '${queue}' })`
    const where = folderOf(t, { 'lonely.mjs': module('lonely', 'orphan'), 'mine.mjs': module('mine', 'default') })
    const queues = async () =>
      Object.fromEntries(
        (await cli(['queues', '--json'], { cwd: where })).out
          .split('\n')
          .map(line => JSON.parse(line) as { queue: string })
          .map(row => [row.queue, row]),
      ) as Record<string, object>
    for (const id of ['a', 'b', 'c', 'd']) await cli(['send', 'lonely', '--queue', 'orphan', '--id', id], { cwd: where })
    const victim = greenroom(where, ['worker', 'lonely.mjs', '--concurrency=2'])
    await victim.until(/begun/, 2)
    await kill(victim)

    const other = greenroom(where, ['worker', 'mine.mjs'])
    await other.until(/^ready;/m)
    t.match(other.output, /^ +waiting elsewhere: orphan [2-4] \(this worker does not serve it\)$/m)
    await cli(['send', 'mine'], { cwd: where })
    await other.until(/begun 1/)
    const sweptTo = { ready: 4, leased: 0, suspect: 0, dead: 0 }
    while (((await queues())['orphan'] as { leased: number }).leased > 0) await turn()
    t.match((await queues())['orphan'], sweptTo, 'a worker of another queue put back what the killed one held')
    t.match((await cli(['queues'], { cwd: where })).out, /^orphan +4 /m)
    t.match((await cli(['list', 'orphan', '--state', 'waiting'], { cwd: where })).out, /a.*\n.*b/)
    other.child.kill('SIGTERM')
    t.equal(await other.ended, 0)
    t.notMatch(other.output, /begun [2-9]/, 'it ran none of them')
    t.match((await queues())['orphan'], sweptTo)

    const back = greenroom(where, ['worker', 'lonely.mjs', '--concurrency=1'])
    await back.until(/begun 2/, 2)
    await back.until(/begun 1/)
    back.child.kill('SIGKILL')
    await back.ended
  },
)
