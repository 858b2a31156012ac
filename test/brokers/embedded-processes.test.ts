/** Several processes on one folder: killed, stopped, blocked, and ending by themselves. What was acknowledged is never lost. */
import { readFileSync } from 'node:fs'
import { open } from 'lmdb'
import t from 'tap'
import { embeddedBroker } from '../../brokers/embedded/index.ts'
import { systemClock } from '../../lib/clock.ts'
import { FOREVER, consume, envelope, folder, ids, never, noted, play, receive } from './embedded-target.ts'

t.test('what a killed worker held runs again in an idle one at once, however often', async t => {
  const path = folder(t),
    late: number[] = []
  await using broker = embeddedBroker({ path })
  const survivor = await consume(broker)
  for (let round = 0; round < 20; round++) {
    using victim = play(t, 'hold', { path, count: 3 })
    await broker.open(['q'])
    const names = [`${round}a`, `${round}b`, `${round}c`]
    const ready = victim.says('holding')
    await broker.push(names.map(name => envelope(name)))
    await ready
    const taking = receive(survivor, 3),
      killed = systemClock.monotonic()
    victim.kill('SIGKILL')
    const found = await taking
    late.push(systemClock.monotonic() - killed)
    t.strictSame(
      found.map(({ envelope: { id }, deliveries }) => [id, deliveries]),
      names.map(name => [name, 2]),
    )
    await survivor.settle(found.map(({ token }) => ({ token, kind: 'done' })))
  }
  late.sort((a, b) => a - b)
  t.comment(`after ${late[10]!.toFixed(0)} ms, ${late.at(-1)!.toFixed(0)} at most`)
  t.ok(late[10]! < 100, 'half of them within 100 ms')
})

t.test('a take that does not wait finds what a process held that has died by then', async t => {
  const path = folder(t)
  await using broker = embeddedBroker({ path })
  await broker.open(['q'])
  const old = await consume(broker)
  for (let round = 0; round < 4; round++) {
    using victim = play(t, 'hold', { path, count: 3 })
    const ready = victim.says('holding')
    await broker.push(['a', 'b', 'c'].map(name => envelope(name)))
    await ready
    victim.kill('SIGKILL')
    await victim.ended
    const consumer = round % 2 === 0 ? old : await consume(broker)
    const found = await consumer.take(10, { waitMs: 0, signal: never })
    t.strictSame(ids(found), ['a', 'b', 'c'])
    await consumer.settle(found.map(({ token }) => ({ token, kind: 'done' })))
    if (consumer !== old) await consumer[Symbol.asyncDispose]()
  }
})

t.test('whoever asks is told that what a killed worker held waits again, also where nobody works', async t => {
  const path = folder(t)
  await using broker = embeddedBroker({ path })
  const inspector = broker.inspector!
  await broker.open(['q'])
  await broker.push(['a', 'b', 'c'].map(name => envelope(name)))
  using victim = play(t, 'hold', { path, count: 3 })
  await victim.says('holding')
  t.match(await inspector.counts('q'), { ready: 0, leased: 3 }, 'of a process that lives nothing is taken')
  victim.kill('SIGKILL')
  await victim.ended
  while ((await inspector.counts('q')).leased > 0) await new Promise(setImmediate) // it looks once a second
  t.match(await inspector.counts('q'), { ready: 3, leased: 0 })
  t.strictSame(ids((await inspector.list('q', 'ready')).entries).toSorted(), ['a', 'b', 'c'])
  t.equal(await inspector.remove('q', 'a'), 'removed')
  const found = await receive(await consume(broker), 2)
  t.strictSame(
    found.map(({ deliveries }) => deliveries),
    [2, 2],
    'it counts as a delivery',
  )
})

t.test('the first question to a folder is answered with the truth, whatever it asks', async t => {
  for (const ask of ['find', 'list', 'remove'] as const) {
    const path = folder(t)
    using victim = play(t, 'hold', { path, count: 1 })
    {
      await using sender = embeddedBroker({ path })
      await sender.open(['q'])
      await sender.push([envelope('a')])
      await victim.says('holding')
    }
    victim.kill('SIGKILL')
    await victim.ended
    await using broker = embeddedBroker({ path })
    const inspector = broker.inspector!
    if (ask === 'find') t.match(await inspector.find('a'), { place: 'ready' })
    else if (ask === 'list') t.strictSame(ids((await inspector.list('q', 'ready')).entries), ['a'])
    else t.equal(await inspector.remove('q', 'a'), 'removed')
  }
})

t.test('workers killed under load: every id runs, and a second run has a killed worker for its reason', async t => {
  const path = folder(t),
    ledger = `${path}.ledger`,
    total = 3_000
  await using broker = embeddedBroker({ path })
  const hire = async () => {
    const worker = play(t, 'work', { path, ledger, size: 16 })
    await worker.says('ready')
    return worker
  }
  const workers = [await hire(), await hire()],
    killed = new Set<number>()
  let stored = 0
  const sending = (async () => {
    for (; stored < total; stored += 50) await broker.push(Array.from({ length: 50 }, (_, n) => envelope(`${stored + n}`)))
  })()
  for (let round = 0; round < 8; round++) {
    const at = round % 2,
      before = noted(ledger, 'E').length
    while (noted(ledger, 'E').length === before && stored < total) await new Promise(setImmediate)
    killed.add(workers[at]!.pid)
    workers[at]!.kill('SIGKILL')
    await workers[at]!.ended
    workers[at] = await hire()
  }
  await sending
  const idle = async () => {
    const { ready, leased, suspect } = await broker.inspector!.counts('q')
    return ready + leased + suspect === 0
  }
  while (!(await idle())) await new Promise(setImmediate)
  t.equal(new Set(noted(ledger, 'E')).size, total, 'all have run')
  const runs = new Map<string, number[]>()
  for (const line of readFileSync(ledger, 'utf8').split('\n')) {
    const [letter, id, , pid] = line.split(' ')
    if (letter === 'S') runs.set(id!, [...(runs.get(id!) ?? []), Number(pid)])
  }
  for (const [id, pids] of runs)
    for (const pid of pids.slice(0, -1)) if (!killed.has(pid)) t.fail(`${id} ran twice, and nobody was killed`)
})

t.test('two processes that do everything, killed in turn: each message is in one place, and counts and index say so', async t => {
  const path = folder(t)
  await using broker = embeddedBroker({ path, maxDead: 50 })
  await broker.open(['q', 'r'])
  const start = () => play(t, 'mixed', { path, sync: 'none' })
  const processes = [start(), start()]
  for (let round = 0; round < 8; round++) {
    const victim = processes[round % 2]!
    await victim.says('warm')
    victim.kill('SIGKILL')
    await victim.ended
    processes[round % 2] = start()
  }
  for (const each of processes) {
    each.kill('SIGKILL')
    await each.ended
  }
  // Whoever looks around puts back what they held.
  const consumer = await consume(broker),
    inspector = broker.inspector!
  const moving = async () => {
    const both = await Promise.all(['q', 'r'].map(queue => inspector.counts(queue)))
    return both.some(({ leased, delayed }) => leased + delayed > 0)
  }
  while (await moving()) await new Promise(setImmediate)
  let total = 0
  for (const queue of ['q', 'r']) {
    const counts = await inspector.counts(queue),
      found = new Set<string>()
    for (const place of ['ready', 'suspect', 'dead'] as const) {
      const before = found.size
      for (let cursor: string | undefined = '0.0.0'; cursor !== undefined;) {
        const page = await inspector.list(queue, place, { limit: 1_000, ...(cursor !== '0.0.0' && { cursor }) })
        for (const id of ids(page.entries)) found.add(id)
        cursor = page.cursor
      }
      t.equal(found.size - before, counts[place], `${place} in ${queue}`)
    }
    total += found.size
  }
  await consumer[Symbol.asyncDispose]()
  await broker[Symbol.asyncDispose]()
  const db = open<Buffer, Buffer>({
    path,
    noSubdir: false,
    encoding: 'binary',
    keyEncoding: 'binary',
    maxDbs: 1,
    overlappingSync: false,
  } as never)
  const rows = (letter: string) =>
    [...db.getKeys({ start: Buffer.from(letter), end: Buffer.from(String.fromCharCode(letter.charCodeAt(0) + 1)) })].length
  t.strictSame(
    { messages: rows('M'), ids: rows('I'), leases: rows('C'), engines: rows('E') },
    { messages: total, ids: total, leases: 0, engines: 0 },
  )
  await db.close()
})

t.test('a sender killed at any moment: what was acknowledged is there', async t => {
  const path = folder(t),
    ledger = `${path}.ledger`
  for (let round = 0; round < 6; round++) {
    using sender = play(t, 'flood', { path, ledger, size: 1 + 40 * round, prefix: `r${round}` })
    await sender.says('flooding')
    const before = noted(ledger, 'A').length
    while (noted(ledger, 'A').length < before + 300) await new Promise(setImmediate)
    sender.kill('SIGKILL')
    await sender.ended
  }
  await using broker = embeddedBroker({ path })
  const acknowledged = noted(ledger, 'A'),
    consumer = await consume(broker, { credit: 100_000 }),
    there = new Set<string>()
  for (
    let found = await consumer.take(500, { waitMs: 0, signal: never });
    found.length > 0;
    found = await consumer.take(500, { waitMs: 0, signal: never })
  ) {
    for (const id of ids(found)) there.add(id)
    await consumer.settle(found.map(({ token }) => ({ token, kind: 'done' })))
  }
  t.strictSame(
    acknowledged.filter(id => !there.has(id)),
    [],
  )
  const counts = await broker.inspector!.counts('q')
  t.match(counts, { ready: 0, leased: 0, delayed: 0 }, 'and counts are exact')
})

t.test('a worker that was stopped for longer than its lease is fenced', async t => {
  const path = folder(t)
  await using broker = embeddedBroker({ path })
  await broker.push([envelope('a'), envelope('b')])
  using victim = play(t, 'hold', { path, count: 2, leaseMs: 600 })
  await victim.says('holding')
  const survivor = await consume(broker),
    taking = receive(survivor, 2)
  victim.kill('SIGSTOP')
  const found = await taking
  t.strictSame(
    found.map(({ envelope: { id }, deliveries }) => [id, deliveries]),
    [
      ['a', 2],
      ['b', 2],
    ],
  )
  victim.kill('SIGCONT')
  victim.tell('settle')
  t.match(await victim.says('lost'), { count: 2 })
  t.match(await victim.says('settled'), { verdicts: ['lost', 'lost'] })
  t.strictSame(await survivor.settle(found.map(({ token }) => ({ token, kind: 'done' }))), ['ok', 'ok'])
  t.equal((await victim.ended).code, 0)
})

t.test('a worker whose event loop is blocked for longer than its lease keeps it', async t => {
  const path = folder(t)
  await using broker = embeddedBroker({ path })
  await broker.push([envelope('a')])
  using blocked = play(t, 'hold', { path, count: 1, leaseMs: 400, blockMs: 1_600 })
  await blocked.says('holding')
  const other = await consume(broker),
    stop = new AbortController(),
    taking = other.take(1, { waitMs: FOREVER, signal: stop.signal })
  await blocked.says('unblocked')
  stop.abort()
  t.strictSame(await taking, [])
  blocked.tell('settle')
  t.match(await blocked.says('settled'), { verdicts: ['ok'] })
  t.equal((await blocked.ended).code, 0)
})

t.test('nobody loses a lease because a third process held the lock for longer than it', async t => {
  const path = folder(t),
    lost: string[] = []
  await using broker = embeddedBroker({ path })
  const consumer = await consume(broker, { leaseMs: 500, onLost: tokens => lost.push(...tokens) })
  await broker.push([envelope('a')])
  const [held] = await receive(consumer, 1)
  using other = play(t, 'work', { path, ledger: `${path}.ledger` })
  await other.says('ready')
  using holder = play(t, 'lock', { path, blockMs: 1_500 })
  await holder.says('locked')
  await holder.ended
  // It can be settled by whoever holds it, and by nobody else.
  await broker.push([envelope('b')])
  while (noted(`${path}.ledger`, 'E').length < 1) await new Promise(setImmediate)
  t.strictSame(await consumer.settle([{ token: held!.token, kind: 'done' }]), ['ok'])
  t.strictSame(lost, [])
  t.strictSame(noted(`${path}.ledger`, 'S'), ['b'])
})

t.test('a pid that was given to another process since does not keep a lease alive', async t => {
  const path = folder(t)
  await using sender = embeddedBroker({ path })
  await sender.push([envelope('a')])
  using victim = play(t, 'hold', { path, count: 1, leaseMs: 3_600_000 })
  await victim.says('holding')
  victim.kill('SIGKILL')
  await victim.ended
  await sender[Symbol.asyncDispose]()
  const db = open<Buffer, Buffer>({
    path,
    noSubdir: false,
    encoding: 'binary',
    keyEncoding: 'binary',
    maxDbs: 1,
    overlappingSync: false,
  } as never)
  for (const { key, value } of db.getRange({ start: Buffer.from('E'), end: Buffer.from('F') })) {
    await db.put(key, Buffer.from(JSON.stringify({ ...JSON.parse(value.toString()), pid: process.pid })))
  }
  await db.close()
  await using broker = embeddedBroker({ path })
  const [found] = await receive(await consume(broker), 1)
  t.equal(found!.deliveries, 2)
})

t.test('an idle worker is woken by another process, and by what that one delays', async t => {
  const path = folder(t)
  await using broker = embeddedBroker({ path })
  const consumer = await consume(broker),
    ledger = `${path}.ledger`
  const taking = receive(consumer, 5)
  using sender = play(t, 'send', { path, ledger, count: 5 })
  t.strictSame(ids(await taking), ['m-0', 'm-1', 'm-2', 'm-3', 'm-4'])
  t.equal((await sender.ended).code, 0)
})

t.test('a process that only sends ends by itself soon after, and what it sent is there', async t => {
  const path = folder(t),
    ledger = `${path}.ledger`,
    after: number[] = []
  for (let round = 0; round < 5; round++) {
    using sender = play(t, 'send', { path, ledger, count: 20, size: 5, prefix: `r${round}` })
    // It is not the channel of this test that keeps it.
    sender.child.channel?.unref()
    const { code } = await sender.ended
    after.push(systemClock.now() - Number(noted(ledger, 'T').at(-1)))
    t.equal(code, 0)
  }
  t.comment(`after ${after} ms`)
  await using broker = embeddedBroker({ path })
  t.equal((await broker.inspector!.counts('q')).ready, 100)
  t.ok(Math.min(...after) < 100)
})

t.test('process.exit() with a push under way leaves the folder whole and unlocked', async t => {
  const path = folder(t)
  await using broker = embeddedBroker({ path })
  for (let round = 0; round < 10; round++) {
    using sender = play(t, 'sendAndExit', { path, count: 3, prefix: `r${round}` })
    t.equal((await sender.ended).code, 7)
  }
  t.strictSame(await broker.push([envelope('last')]), ['stored'])
  const { ready } = await broker.inspector!.counts('q')
  t.ok(ready >= 31 && ready <= 41, `${ready} messages`)
})

t.test('whoever waits for the lock for too long says which process holds it', async t => {
  const path = folder(t),
    lines: { readonly pid?: number }[] = []
  const log = {
    debug() {},
    info() {},
    error() {},
    warn: (facts: object) => {
      lines.push(facts)
    },
  }
  await using broker = embeddedBroker({ path, log, lockTimeoutMs: 200 })
  await broker.push([envelope('a')])
  using holder = play(t, 'lock', { path, blockMs: 2_000 })
  await holder.says('locked')
  t.strictSame(await broker.push([envelope('b')]), ['stored'])
  if (process.platform === 'linux') t.ok(lines.some(({ pid }) => pid === holder.pid))
  t.ok(lines.length > 0)
  t.equal((await holder.ended).code, 0)
})
