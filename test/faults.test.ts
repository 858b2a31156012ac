/** Faults of workers and senders on `file:`, through `app.work()` in real processes: killed at chosen moments, restarted, sending the same again. */
import t from 'tap'
import type { Program } from './cli/program.ts'
import { cli } from './cli/fake-io.ts'
import { folderOf } from './cli/folder.ts'
import { greenroom } from './cli/program.ts'
import { cast, EMPTY, kill, said, stop } from './helpers/cast.ts'
import { faultRows } from './helpers/fault-rows.ts'

const turn = () => new Promise(resolve => setImmediate(resolve))

faultRows(t, cast)

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
