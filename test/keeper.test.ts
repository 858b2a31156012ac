/**
 * What becomes of messages whose worker's event loop stands still, or whose process does: real processes, checked by a ledger file.
 * Who else would run them is a consumer of this process, or another worker.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { embeddedBroker } from '../brokers/embedded/index.ts'
import { greenroom } from '../index.ts'
import { FOREVER, folder } from './brokers/embedded-target.ts'
import { program, type Program } from './cli/program.ts'
import { freeze } from './helpers/freeze.ts'
import { root } from './root.ts'

interface Run {
  readonly id: string
  readonly pid: number
  readonly rest: string
}

/** A folder, who sends to it, who else may run what is there, and what the ledger says. */
function scene(t: Test) {
  const path = folder(t),
    broker = embeddedBroker({ path })
  const app = greenroom({ broker })
  t.teardown(async () => {
    await app.close()
    await broker[Symbol.asyncDispose]()
  })
  return {
    path,
    broker,
    counts: () => broker.inspector!.counts('default'),
    send: async (...messages: readonly (readonly [actor: string, ...args: unknown[]])[]) =>
      app.send(messages.map(([actor, ...args]) => app.declare<(...args: never[]) => void>(actor).message(...(args as never[])))),
    hire: async (options: object, flags: readonly string[] = []): Promise<Program> => {
      const worker = program([...flags, join(root, 'test/fixtures/keeper-worker.mjs'), path, JSON.stringify(options)], {
        env: { BUILD: new URL('../', import.meta.url).href },
      })
      t.teardown(() => worker.child.kill('SIGKILL'))
      await worker.until(/ready/)
      return worker
    },
    /** Takes whatever another worker is not entitled to any more, until `end` is called. */
    async prey() {
      const consumer = await broker.consume({ queues: ['default'], credit: 100, leaseMs: 30_000, onLost() {} }),
        stop = new AbortController()
      const taking = consumer.take(100, { waitMs: FOREVER, signal: stop.signal })
      return { consumer, taking, end: () => stop.abort() }
    },
    ledger: (letter: string): readonly Run[] =>
      readFileSync(`${path}.ledger`, 'utf8')
        .split('\n')
        .slice(0, -1)
        .map(line => line.split(' '))
        .filter(([first]) => first === letter)
        .map(([, id, pid, ...rest]) => ({ id: id!, pid: Number(pid), rest: rest.join(' ') })),
  }
}

/** The lines of one kind that a worker printed. */
const said = (worker: Program, kind: string): readonly Record<string, unknown>[] =>
  [...worker.output.matchAll(new RegExp(`^${kind} (\\{.*\\})$`, 'gm'))].map(
    ([, json]) => JSON.parse(json!) as Record<string, unknown>,
  )

async function end(worker: Program): Promise<void> {
  worker.child.kill('SIGTERM')
  await worker.ended
}

t.test(
  'a handler that blocks the loop for three leases is run once, and reported with its name and the top of the stack',
  async t => {
    const { send, hire, prey, ledger } = scene(t)
    const worker = await hire({ lease: '1s', concurrency: 2 })
    await send(['hold'])
    await worker.until(/started/)
    const [handle] = await send(['spin', 3_200])
    await worker.until(/started .*"spin"/)
    const other = await prey()
    await worker.until(/settled \{.*"ok"/)
    await worker.until(/blocked \{/)
    other.end()
    t.strictSame(await other.taking, [], 'nobody else was given anything')
    t.strictSame(
      ledger('S')
        .filter(({ id }) => id === handle!.id)
        .map(({ pid }) => pid),
      [worker.pid],
    )
    t.match(
      worker.output,
      /^greenroom warning: the event loop has been blocked for [\d.]+m?s by the actor spin, at spin \(.*keeper-worker\.mjs:\d+:\d+\)/m,
    )
    const [blocked] = said(worker, 'blocked')
    t.match(blocked, { actors: ['spin'], stack: [/^spin \(.*keeper-worker\.mjs:\d+:\d+\)$/] })
    t.ok((blocked!['blockedMs'] as number) >= 3_000)
    t.notMatch(worker.output, /blocked .*lib\//, 'frames of the library say nothing')
    worker.child.kill('SIGUSR2')
    await end(worker)
  },
)

t.test('a continuation is told from the handlers beside it; a native call has the names of all that run', async t => {
  const { send, hire } = scene(t)
  const worker = await hire({ lease: '1s', concurrency: 2 })
  await send(['hold'])
  await worker.until(/started/)
  await send(['spinLater', 1_600])
  await worker.until(/blocked \{/, 1)
  await send(['native', 4_500])
  await worker.until(/blocked \{/, 2)
  t.match(said(worker, 'blocked'), [{ actors: ['spinLater'] }, { actors: ['hold', 'native'], stack: [] }])
  t.match(
    worker.output,
    /^greenroom warning: .* in a native call or unseen, while hold, native ran; isolate: 'thread' gives an actor a thread of its own$/m,
  )
  worker.child.kill('SIGUSR2')
  await end(worker)
})

t.test(
  'where nobody renews, a handler that blocks for longer than its lease is fenced: others run it, and its late success is lost',
  async t => {
    const { send, hire, prey, counts } = scene(t)
    const worker = await hire({ lease: '1s', unrenewed: true })
    const [handle] = await send(['spin', 3_200])
    await worker.until(/started/)
    const other = await prey()
    const found = await other.taking
    t.strictSame(
      found.map(({ envelope: { id }, deliveries }) => [id, deliveries]),
      [[handle!.id, 2]],
    )
    await worker.until(/settled \{/)
    t.match(said(worker, 'settled'), [{ id: handle!.id, kind: 'done', settled: 'lost' }])
    t.match(await counts(), { ready: 0, delayed: 0, leased: 1, dead: 0 }, 'it is in one place')
    t.strictSame(await other.consumer.settle(found.map(({ token }) => ({ token, kind: 'done' }))), ['ok'])
    t.match(await counts(), { ready: 0, delayed: 0, leased: 0, dead: 0 })
    await end(worker)
  },
)

t.test('a loop that never moves again ends with its process after maxBlock, and the message is run by another', async t => {
  const { send, hire, ledger } = scene(t)
  const worker = await hire({ lease: '1s', maxBlock: '1500ms' })
  const [handle] = await send(['spin', 600_000])
  t.equal(await worker.ended, 'SIGKILL')
  t.match(
    worker.output,
    new RegExp(`^greenroom error: .* by the actor spin, at spin .*; process ${worker.pid} kills itself \\(maxBlock\\)`, 'm'),
  )
  const next = await hire({ lease: '1s', maxBlock: '1500ms' })
  t.equal(await next.ended, 'SIGKILL')
  t.strictSame(
    ledger('S'),
    [worker, next].map(({ pid }) => ({ id: handle!.id, pid, rest: '' })),
  )
})

t.test('the time limit of the actor that blocks counts, and not that of another which runs beside it', async t => {
  const { send, hire } = scene(t)
  const worker = await hire({ lease: '1s', grace: '1s', concurrency: 2 })
  await send(['hold'])
  await worker.until(/started .*"hold"/)
  await send(['brief', 600_000])
  t.equal(await worker.ended, 'SIGKILL')
  t.match(worker.output, /^greenroom error: .* by the actor brief, at anonymous \(.* kills itself \(maxBlock\)/m)
})

t.test('a process that is debugged is neither paused nor killed', async t => {
  const { send, hire } = scene(t)
  const worker = await hire({ lease: '1s', maxBlock: '1s' }, ['--inspect=127.0.0.1:0'])
  await send(['spin', 2_500])
  await worker.until(/settled \{.*"ok"/)
  await worker.until(/blocked \{/)
  t.match(said(worker, 'blocked'), [{ actors: ['spin'], stack: [] }])
  await end(worker)
})

t.test(
  'a process that is stopped for longer than its lease is fenced: it aborts what runs, drops the rest, and forks nothing',
  async t => {
    const { send, hire, ledger, counts, broker } = scene(t)
    const victim = await hire({ lease: '1s', concurrency: 2 })
    // Quick ones first, so that it holds some ahead; two that stay fill it, and those behind them wait in its hands.
    const quick = (count: number) => Array.from({ length: count }, () => ['quick'] as const)
    const handles = await send(...quick(300), ['hold'], ['stubborn'], ...quick(40))
    await victim.until(/started .*"hold"/)
    await victim.until(/started .*"stubborn"/)
    await victim.until(/settled \{/, 300)
    await freeze(victim.pid, broker)
    t.ok((await counts()).leased > 2, 'it holds more than it runs')
    const survivor = await hire({ lease: '1s', concurrency: 4 })
    await survivor.until(/started .*"hold"/)
    await survivor.until(/started .*"stubborn"/)
    await survivor.until(/settled \{/, 40)
    victim.child.kill('SIGCONT')
    await victim.until(/aborted \{.*LEASE_LOST/, 2)
    await victim.until(/settled \{.*"lost"/, 2)
    survivor.child.kill('SIGUSR2')
    await survivor.until(/settled \{/, 42)
    await end(victim)
    await end(survivor)

    const held = new Set([handles[300]!.id, handles[301]!.id])
    const runs = new Map<string, number[]>()
    for (const { id, pid } of ledger('S')) runs.set(id, [...(runs.get(id) ?? []), pid])
    t.equal(runs.size, handles.length, 'nothing is lost')
    for (const [id, pids] of runs) t.strictSame(pids, held.has(id) ? [victim.pid, survivor.pid] : [pids[0]], `runs of ${id}`)
    t.strictSame(
      ledger('A')
        .filter(({ id, pid }) => held.has(id) && pid === victim.pid)
        .map(({ rest }) => rest)
        .toSorted(),
      ['done lost', 'release lost'],
    )
    const ended = ledger('A').filter(({ rest }) => rest === 'done ok')
    t.equal(ended.length, handles.length, 'each ended once')
    t.match(await counts(), { ready: 0, delayed: 0, leased: 0, suspect: 0, dead: 0 })
    t.notMatch(victim.output, /has been blocked/, 'a process that stood still is not a loop that did')
  },
)

t.test('pauses for garbage in a small heap: every run beyond the first is of a lease that was lost', async t => {
  const { send, hire, ledger, counts } = scene(t)
  const worker = await hire({ lease: '1s', concurrency: 4, ballastMb: 30 }, ['--max-old-space-size=64'])
  const other = await hire({ lease: '1s', concurrency: 1 })
  const handles = await send(...Array.from({ length: 20 }, () => ['garbage', 200] as const))
  while (ledger('A').filter(({ rest }) => rest === 'done ok').length < handles.length) await new Promise(setImmediate)
  await end(worker)
  await end(other)
  const lost = ledger('A').filter(({ rest }) => rest.endsWith('lost')).length
  t.equal(ledger('S').length, handles.length + lost)
  t.strictSame(new Set(ledger('S').map(({ id }) => id)), new Set(handles.map(({ id }) => id)))
  t.match(await counts(), { ready: 0, delayed: 0, leased: 0, suspect: 0, dead: 0 })
})
