/**
 * The one thread of a process that owns LMDB on a folder. Requests come as messages; what came while a transaction was committed goes
 * into the next one, so one flush serves them all. It renews this process's leases in the same transactions, looks out for the dead,
 * and serves the takes that wait. The event loop of the process never waits for the lock or the disk, and its blocking blocks no lease.
 */
import { createHash } from 'node:crypto'
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { systemClock } from '../../lib/clock.ts'
import type { Timer } from '../../lib/clock.ts'
import { LAZY_COMMIT } from './database.ts'
import { LOW_SPACE, diskFull, failureOf, folderFull, freeBytes, looksFull, otherNamespace } from './failures.ts'
import { exchange } from './exchange.ts'
import type { Exchange } from './exchange.ts'
import { BALLAST_BYTES, openFolder } from './folder.ts'
import type { Folder } from './folder.ts'
import { inspecting } from './inspect.ts'
import type { Inspecting } from './inspect.ts'
import { ledger } from './ledger.ts'
import { leaseRows, leases, readLease } from './leases.ts'
import type { Consumer, Lease } from './leases.ts'
import { MOST } from './limits.ts'
import { liveIds } from './live-ids.ts'
import { TICK_MS, lookout, peerKey, peerRows, readPeer } from './lookout.ts'
import { messages } from './messages.ts'
import { sharedMonotonic, thisProcess } from './processes.ts'
import type { Answer, EngineData, Input, Op, Reply, Request, Said } from './protocol.ts'
import { expiring, shelf } from './shelf.ts'
import type { Shelf } from './shelf.ts'
import { inside } from './standstill.ts'
import { waiters } from './waiters.ts'
import { wakes } from './wakes.ts'

/** Waiting takes look by themselves so often, in case a wake was lost. */
const POLL_MS = 1_000
/** A line about dropped dead letters at most so often: a flood of them must not become a flood of lines. */
const WARN_EVERY_MS = 60_000
/** Rows of processes that are gone are looked for so often. */
const TIDY_MS = 10_000
/** Expired rows that one transaction sweeps on its way. */
const SWEEP = 64
const NOT_YET = Symbol('answered later'), AGAIN = Symbol('goes on in the next transaction')

/** What only looks: answered from a reading transaction, without the lock. */
const READS: ReadonlySet<Op> = new Set<Op>(['queues', 'counts', 'list', 'find', 'get', 'members'])
/** What is refused while the disk is full. */
const GROWS: ReadonlySet<Op> = new Set<Op>(['push', 'set', 'gather', 'append'])

const port = parentPort
if (port) void start(workerData as EngineData)

function say(said: Said, transfer: ArrayBuffer[] = []): void { port!.postMessage(said, transfer) }

async function start(data: EngineData): Promise<void> {
  const self = thisProcess(systemClock.now()), inbox: Request[] = []
  const arrived = (request: Request) => { inbox.push(request) }
  port!.on('message', arrived)
  try {
    const folder = await openFolder(data.path, data.sync, self, data.gate)
    port!.off('message', arrived)
    run(data, folder, self, inbox)
  } catch (error) {
    say({ kind: 'failed', failure: failureOf(error) })
    port!.close()
  }
}

interface Space { readonly exchange: Exchange, readonly inspect: Inspecting, readonly shelf: Shelf }

function run(data: EngineData, folder: Folder, self: ReturnType<typeof thisProcess>, inbox: Request[]): void {
  const { db } = folder, book = ledger(db), ids = liveIds(book), kept = messages(book, ids, data), rows = expiring(book)
  const calls = wakes(folder.wakeFolder), watch = lookout(book, self)
  let engine = 0, frozen: { now: number, mono: number } | undefined, closing = false, full = false, ticking: Timer | undefined, alarm: Timer | undefined, alarmAt = Infinity
  let sweptAt = -Infinity, polledAt = 0, tidiedAt = -Infinity, warnedAt = -Infinity, ceiling = Infinity
  const lease = leases(book, ids, kept, () => engine)
  const spaces = new Map<string, Space>(), progress = new Map<number, number>()
  const now = () => frozen?.now ?? systemClock.now(), mono = () => frozen?.mono ?? sharedMonotonic()
  const wait = waiters(book, lease, kept, () => engine, answer)

  let replies: Reply[] = [], transfers: ArrayBuffer[] = []
  function answer(id: number, value: unknown): void {
    replies.push({ id, value })
    if (value instanceof Uint8Array && value.buffer instanceof ArrayBuffer) transfers.push(value.buffer)
  }

  function space(namespace: string): Space {
    let found = spaces.get(namespace)
    if (!found) {
      found = {
        exchange: exchange(book, kept, lease, rows, namespace), inspect: inspecting(book, ids, kept, namespace),
        shelf: shelf(book, rows, namespace, text => createHash('sha256').update(text).digest('base64url')),
      }
      spaces.set(namespace, found)
    }
    return found
  }

  /** This engine's own number and row: only processes that take or wait need one. */
  function join(): void {
    if (engine > 0) return
    for (const { engine: other, deadline } of leaseRows(db)) {
      const peer = readPeer(db, other)
      if (peer && peer.boot === self.boot && peer.namespace !== self.namespace && deadline > mono()) throw otherNamespace(data.path, peer.namespace)
    }
    engine = book.nextNumber()
    book.onAbort(() => { engine = 0 })
    db.put(peerKey(engine), Buffer.from(JSON.stringify(self)))
    book.onCommit(() => {
      if (!calls.listen(engine, woken)) say({ kind: 'log', level: 'warn', facts: { path: data.path }, text: 'files cannot be watched here: idle workers look once a second' })
    })
  }

  function room(): void {
    const { bytes } = book.totals
    if (bytes >= data.maxBytes) throw folderFull(data.path, bytes, data.maxBytes)
    if (!full) return
    if (folder.recover()) {
      full = false
      say({ kind: 'log', level: 'info', facts: { path: data.path }, text: 'there is room on the disk again' })
    } else if (bytes > ceiling) throw diskFull(data.path)
  }

  const handlers: { readonly [O in Op]: (input: Input<O>, place: Space, request: Request<O>) => Answer<O> | typeof NOT_YET | typeof AGAIN } = {
    open({ queues }, _, { namespace }) { for (const name of queues) book.numberOf(namespace, name) },
    push: (batch, { exchange: to }) => to.push(batch),
    consume({ queues, credit, leaseMs }, _, { namespace }) {
      join()
      const consumer = lease.join(queues.map(name => ({ name, no: book.numberOf(namespace, name) })), credit, leaseMs)
      wait.add(consumer)
      book.onAbort(() => wait.delete(consumer.id))
      return consumer.id
    },
    take({ consumer, max, waitMs, room: limits }, _, { id }) {
      return wait.take(consumer, { id, max: Math.min(max, MOST), until: mono() + waitMs, room: limits }) ?? NOT_YET
    },
    cancel({ consumer }) { wait.cancel(consumer) },
    settle(input, { exchange: to }) {
      const consumer = wait.consumer(input.consumer)
      return consumer ? to.settle(consumer, input) : new Uint8Array(input.tokens.length).fill(1)
    },
    leave({ consumer: id }) {
      const consumer = wait.consumer(id)
      if (!consumer) return
      wait.cancel(id)
      lease.leave(consumer)
      wait.delete(id)
    },
    queues: (_, { inspect }) => inspect.queues(),
    counts: ({ queue }, { inspect }) => inspect.counts(queue),
    list: (input, { inspect }) => inspect.list(input),
    find: ({ id, queue }, { inspect }) => inspect.find(id, queue),
    remove: ({ queue, id }, { inspect }) => inspect.remove(queue, id),
    promote: ({ queue, id }, { inspect }) => inspect.promote(queue, id),
    reschedule: (input, { inspect }) => inspect.reschedule(input),
    revive: (input, { inspect }) => inspect.revive(input),
    drop: ({ queue, ids: wanted }, { inspect }) => inspect.drop(queue, wanted),
    purge({ queue }, { inspect }, { id }) {
      const purged = inspect.purge(queue, MOST), sum = (progress.get(id) ?? 0) + purged
      book.onCommit(() => { if (purged === MOST) progress.set(id, sum); else progress.delete(id) })
      return purged === MOST ? AGAIN : sum
    },
    pause: ({ queue, paused }, { inspect }) => inspect.pause(queue, paused),
    get: ({ keys }, { shelf: on }) => on.get(keys),
    set: ({ entries }, { shelf: on }) => on.set(entries),
    unset: ({ entries }, { shelf: on }) => on.unset(entries),
    gather: ({ entries }, { shelf: on }) => on.gather(entries),
    members: ({ key, cursor }, { shelf: on }) => on.members(key, cursor),
    acquire: ({ entries }, { shelf: on }) => on.acquire(entries),
    giveUp: ({ entries }, { shelf: on }) => on.giveUp(entries),
    append({ entries }, { shelf: on }) { wait.appended(on, on.append(entries), calls.wake) },
    read({ reader, topics, waitMs }, { shelf: on }, { id }) {
      const found = on.read(topics)
      if (waitMs <= 0 || found.some(entries => entries.length > 0)) return found
      join()
      wait.read({ id, reader, topics, shelf: on, until: mono() + waitMs })
      return NOT_YET
    },
    unread({ reader }) { wait.unread(reader) },
    advance() {},
    crash({ consumer }) { wait.stop(consumer) },
    close() { closing = true },
  }

  function handle(request: Request): boolean {
    const value = (handlers[request.op] as (input: unknown, place: Space, request: Request) => unknown)(request.input, space(request.namespace), request)
    if (value === AGAIN) return false
    if (value !== NOT_YET) answer(request.id, value)
    return true
  }

  /** Runs one transaction, or a reading one, and says what came of it once that is certain. */
  function transact(body: () => void, { lazy = false } = {}): void {
    replies = []
    transfers = []
    book.begin(now(), mono())
    try {
      const ran = inside(data.gate, () => db.transactionSync(() => {
        body()
        book.end()
      }, lazy ? LAZY_COMMIT : undefined))
      if (!ran) throw new Error('the process is ending')
    } catch (error) {
      book.aborted()
      replies = []
      throw error
    }
    book.committed()
    if (replies.length > 0) say({ kind: 'replies', replies }, transfers)
    warnOfForgotten()
  }

  function warnOfForgotten(): void {
    if (kept.forgotten.size === 0 || mono() - warnedAt < WARN_EVERY_MS) return
    warnedAt = mono()
    for (const [no, dropped] of kept.forgotten) say({ kind: 'log', level: 'warn', facts: { queue: nameOf(no), dropped }, text: 'dead letters were dropped: the queue keeps no more, or not for longer' })
    kept.forgotten.clear()
  }
  function nameOf(no: number): string {
    for (const namespace of spaces.keys()) for (const { name, no: known } of book.names(namespace)) if (known === no) return name
    return `${no}`
  }

  function look(requests: readonly Request[]): void {
    replies = []
    transfers = []
    db.resetReadTxn()
    book.begin(now(), mono())
    for (const request of requests) {
      try { handle(request) } catch (error) { replies.push({ id: request.id, failure: failureOf(error) }) }
    }
    book.committed()
    db.resetReadTxn()
    say({ kind: 'replies', replies }, transfers)
  }

  const isOld = ({ renewedAt, leaseMs }: Consumer, at: number) => renewedAt !== undefined && at - renewedAt >= leaseMs / 3

  /** What belongs to every transaction beside its requests. */
  function routine(group: readonly Request[] = []): void {
    const at = mono(), asking = new Set(group.map(({ input }) => 'consumer' in input ? input.consumer : 0))
    for (const { consumer, tokens } of wait.fenced(asking)) book.onCommit(() => say({ kind: 'lost', consumer, tokens }))
    for (const consumer of wait.living()) if (isOld(consumer, at)) lease.renew(consumer)
    if (at - sweptAt >= POLL_MS) {
      if (!rows.sweep(SWEEP)) sweptAt = at
    }
  }

  function work(group: readonly Request[]): void {
    const left: Request[] = []
    transact(() => {
      routine(group)
      for (const request of group) {
        if (GROWS.has(request.op)) {
          try { room() } catch (error) {
            replies.push({ id: request.id, failure: failureOf(error) })
            continue
          }
        }
        if (READS.has(request.op) && 'queue' in request.input && request.input.queue !== undefined) space(request.namespace).inspect.refresh(request.input.queue, MOST)
        if (!handle(request)) left.push(request)
      }
      wait.serve(calls.wake)
    })
    inbox.unshift(...left)
  }

  /** One by one when together they failed, so that one bad request fails alone. */
  function attempt(group: readonly Request[]): void {
    try { work(group) } catch (error) {
      const isFull = looksFull(error) && (freeBytes(data.path) < LOW_SPACE || /MAP_FULL|EFBIG|too large/i.test((error as Error).message))
      if (isFull && !full) {
        full = true
        // LMDB's file never shrinks, but what was removed makes room inside: enough of it stands in for the ballast.
        ceiling = usedBytes() - BALLAST_BYTES
        folder.giveWay()
        say({ kind: 'log', level: 'error', facts: { path: data.path }, text: 'the disk is full: messages are refused until there is room, those that are there still run' })
        return attempt(group)
      }
      if (group.length > 1) return group.forEach(request => attempt([request]))
      const failure = failureOf(isFull ? diskFull(data.path, error) : error)
      if (group[0]) say({ kind: 'replies', replies: [{ id: group[0].id, failure }] })
      else say({ kind: 'log', level: 'error', facts: { path: data.path, error: failure.what }, text: 'the embedded broker could not serve those who wait: it tries again' })
    }
  }

  function usedBytes(): number {
    db.resetReadTxn()
    book.begin(now(), mono())
    const { bytes } = book.totals
    db.resetReadTxn()
    return bytes
  }

  function weight(request: Request): number {
    if (request.op === 'push') return request.input.count
    if (request.op === 'settle') return request.input.tokens.length
    return request.op === 'take' ? Math.min(request.input.max, MOST) : 1
  }

  function isLook(request: Request): boolean {
    if (!READS.has(request.op)) return false
    if (!('queue' in request.input) || request.input.queue === undefined) return true
    db.resetReadTxn()
    book.begin(now(), mono())
    const stale = space(request.namespace).inspect.stale(request.input.queue)
    db.resetReadTxn()
    return !stale
  }

  let scheduled = false
  /** Does one group, and comes back after the event loop had its turn: ticks and wakes must not starve. */
  function turn(): void {
    scheduled = false
    for (let more = receiveMessageOnPort(port!); more; more = receiveMessageOnPort(port!)) inbox.push(more.message as Request)
    const group: Request[] = []
    if (inbox[0]?.op === 'advance') leap(inbox[0].input.ms)
    if (inbox[0] && isLook(inbox[0])) {
      while (inbox[0] && isLook(inbox[0])) group.push(inbox.shift()!)
      look(group)
    } else {
      for (let sum = 0; inbox[0] && !READS.has(inbox[0].op) && (group.length === 0 || (inbox[0].op !== 'advance' && sum + weight(inbox[0]) <= MOST));) {
        sum += weight(inbox[0])
        group.push(inbox.shift()!)
      }
      if (group.length === 0 && inbox[0]) group.push(inbox.shift()!)
      if (group.length > 0 || wait.eager()) attempt(group)
    }
    if (closing) return void close()
    if (inbox.length > 0 || wait.eager()) schedule()
    else arm()
  }
  function schedule(): void {
    if (scheduled) return
    scheduled = true
    setImmediate(turn)
  }

  /** Ticks while there is somebody to tick for; an alarm for what is due before the next tick. */
  function arm(): void {
    tickLater()
    const at = wait.nextAt(now(), mono())
    if (at >= alarmAt && alarm) return
    alarm?.cancel()
    alarm = undefined
    alarmAt = at
    if (at === Infinity) return
    alarm = systemClock.after(Math.max(0, at - mono()), () => {
      alarm = undefined
      alarmAt = Infinity
      wait.expire()
      schedule()
    })
  }
  let ticked = false
  function tickLater(): void {
    if (ticking || closing) return
    if (!wait.busy()) {
      ticked = false
      return
    }
    // The pause before the first tick is no standstill.
    if (!ticked) watch.start(mono())
    ticked = true
    ticking = systemClock.after(Math.min(TICK_MS, wait.shortestLease() / 6), () => {
      ticking = undefined
      tick()
      tickLater()
    })
  }

  function tick(): void {
    const at = mono()
    db.resetReadTxn()
    book.begin(now(), at)
    const lapsed = watch.lapsed(at, wait.owns), isTime = at - polledAt >= POLL_MS, due = isTime && rows.due()
    if (isTime) {
      polledAt = at
      wait.poll()
    }
    db.resetReadTxn()
    if (isTime) db.readerCheck()
    if (wait.living().some(consumer => isOld(consumer, at))) safely(() => transact(routine, { lazy: true }))
    for (const each of lapsed) safely(() => reap(each))
    if (due) safely(() => transact(() => { if (!rows.sweep(MOST)) sweptAt = at }))
    if (at - tidiedAt >= TIDY_MS) safely(tidy)
    if (wait.eager() || inbox.length > 0) schedule()
    else arm()
  }
  /** For tests: from the first one on the clock stands still between leaps. A leap is no standstill: what lapses by it is reaped. */
  function leap(ms: number): void {
    frozen = { now: now() + ms, mono: mono() + ms }
    watch.start(mono())
    wait.wake()
    tick()
  }
  function safely(act: () => void): void {
    try { act() } catch (error) {
      say({ kind: 'log', level: 'warn', facts: { path: data.path, error: (error as Error).message }, text: 'the embedded broker could not tidy up: it tries again' })
    }
  }

  function reap({ row, deadline }: Lease): void {
    for (let through = false; !through;) {
      transact(() => {
        const current = readLease(db, row)
        // It was renewed, or somebody else was faster.
        through = !current || (current.deadline !== deadline && !current.marked) || lease.reap(current, MOST)
        wait.serve(calls.wake)
      })
    }
    tidy()
  }

  /** Rows and files of engines that are gone: whoever sends would go on waking them. */
  function tidy(): void {
    tidiedAt = mono()
    db.resetReadTxn()
    const gone = [...new Set([...peerRows(db), ...calls.engines()])].filter(other => other !== engine && !watch.mayLive(readPeer(db, other)))
    db.resetReadTxn()
    if (gone.length === 0) return
    transact(() => {
      for (const other of gone) {
        wait.forget(other)
        db.remove(peerKey(other))
        book.onCommit(() => calls.forget(other))
      }
    }, { lazy: true })
  }

  function woken(): void {
    wait.wake()
    schedule()
  }

  async function close(): Promise<void> {
    ticking?.cancel()
    alarm?.cancel()
    safely(() => transact(() => {
      wait.forget(engine)
      if (engine > 0) db.remove(peerKey(engine))
    }))
    calls[Symbol.dispose]()
    await folder.close()
    port!.close()
  }

  port!.on('message', (request: Request) => {
    inbox.push(request)
    if (!scheduled) turn()
  })
  if (folder.warning !== undefined) say({ kind: 'log', level: 'warn', facts: { path: data.path }, text: folder.warning })
  say({ kind: 'ready' })
  if (inbox.length > 0) schedule()
}
