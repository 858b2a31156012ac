/**
 * The one thread of a process that owns LMDB on a folder. Requests come as messages; what came while a transaction was committed goes
 * into the next one, so one flush serves them all. It renews this process's leases in the same transactions, looks out for the dead,
 * and serves the takes that wait. The event loop of the process never waits for the lock or the disk, and its blocking blocks no lease.
 */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { machineMs, systemClock } from '../../lib/clock.ts'
import { failpoint } from '../../lib/failpoint.ts'
import { LAZY_COMMIT } from './database.ts'
import { FolderError, diskFull, failureOf, folderFull, isFull, otherNamespace } from './failures.ts'
import { BALLAST_BYTES, openFolder } from './folder.ts'
import type { Folder } from './folder.ts'
import { ledger } from './ledger.ts'
import { leaseRows, leases } from './leases.ts'
import { MOST } from './limits.ts'
import { liveIds } from './live-ids.ts'
import { lookout, peerKey, readPeer } from './lookout.ts'
import { messages } from './messages.ts'
import { AGAIN, ASKS_AROUND, GROWS, LIGHT, NOT_YET, READS, operations } from './operations.ts'
import type { Peer } from './processes.ts'
import { thisProcess } from './processes.ts'
import type { EngineData, Reply, Request, Said } from './protocol.ts'
import { expiring } from './shelf.ts'
import { inside } from './standstill.ts'
import { upkeep } from './upkeep.ts'
import { waiters } from './waiters.ts'
import { wakes } from './wakes.ts'

/** A sender that never looks around would go on writing to a file that was deleted: it looks so often. */
const CHECK_MS = 1_000
/** A line about dropped dead letters at most so often: a flood of them must not become a flood of lines. */
const WARN_EVERY_MS = 60_000

const port = parentPort
if (port) void start(workerData as EngineData)

function say(said: Said, transfer: ArrayBuffer[] = []): void {
  port!.postMessage(said, transfer)
}
const log = (level: 'info' | 'warn' | 'error', facts: object, text: string) =>
  say({ kind: 'log', level, facts: { ...facts }, text })

async function start(data: EngineData): Promise<void> {
  const self = thisProcess(systemClock.now()),
    inbox: Request[] = []
  const arrived = (request: Request) => {
    inbox.push(request)
  }
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

function run(data: EngineData, folder: Folder, self: Peer, inbox: Request[]): void {
  const { path } = data,
    { db } = folder,
    book = ledger(db),
    ids = liveIds(book),
    kept = messages(book, ids, data),
    rows = expiring(book)
  let engine = 0,
    frozen: { readonly now: number; readonly mono: number } | undefined,
    isClosing = false,
    hasEnded = false,
    isScheduled = false,
    warnedAt = -Infinity,
    checkedAt = -Infinity
  /** Since when there is no room on the disk: how many bytes may be kept all the same. */
  let ceiling: number | undefined
  let replies: Reply[] = [],
    transfers: ArrayBuffer[] = []
  const now = () => frozen?.now ?? systemClock.now(),
    mono = () => frozen?.mono ?? machineMs()

  const calls = wakes(folder.wakeFolder),
    watch = lookout(book, self, folder.writtenAt, calls.changedAt)
  const lease = leases(book, ids, kept, () => engine),
    wait = waiters(book, lease, kept, () => engine, answer)
  const desk = operations({ book, ids, kept, rows, lease, wait, enrol, wake: calls.wake })
  const keep = upkeep({
    book,
    lease,
    wait,
    rows,
    calls,
    watch,
    now,
    mono,
    transact,
    look,
    schedule,
    giveUp,
    engine: () => engine,
    busy: () => inbox.length > 0,
    warn: (facts, text) => log('warn', { path, ...facts }, text),
  })

  function answer(id: number, value: unknown): void {
    replies.push({ id, value })
    if (value instanceof Uint8Array && value.buffer instanceof ArrayBuffer) transfers.push(value.buffer)
  }
  function refuse({ id }: Request, error: unknown): void {
    replies.push({ id, failure: failureOf(error) })
  }

  function enrol(): void {
    if (engine > 0) return
    for (const { engine: other, deadline } of leaseRows(db)) {
      const peer = readPeer(db, other)
      if (peer && peer.boot === self.boot && peer.namespace !== self.namespace && deadline > mono())
        throw otherNamespace(path, peer.namespace)
    }
    engine = book.nextNumber()
    book.onAbort(() => {
      engine = 0
    })
    db.put(peerKey(engine), Buffer.from(JSON.stringify(self)))
    book.onCommit(() => {
      if (!calls.listen(engine, woken)) log('warn', { path }, 'files cannot be watched here: idle workers look once a second')
    })
  }
  function woken(): void {
    wait.wake()
    schedule()
  }

  /** @throws when there is no room for more */
  function checkRoom(): void {
    const { bytes } = book.totals
    if (bytes >= data.maxBytes) throw folderFull(path, bytes, data.maxBytes)
    if (ceiling === undefined) return
    if (folder.recover()) {
      ceiling = undefined
      log('info', { path }, 'there is room on the disk again')
    } else if (bytes > ceiling) throw diskFull(path)
  }

  /** Runs one transaction, and says what came of it once that is certain. */
  function transact(
    body: () => void,
    { lazy = false, asking = new Set() }: { readonly lazy?: boolean; readonly asking?: ReadonlySet<number> } = {},
  ): void {
    replies = []
    transfers = []
    book.begin(now(), mono())
    if (book.mono - checkedAt >= CHECK_MS) {
      checkedAt = book.mono
      folder.writtenAt()
    }
    try {
      const ran = inside(data.gate, () =>
        db.transactionSync(
          () => {
            for (const { consumer, tokens } of keep.routine(asking)) book.onCommit(() => say({ kind: 'lost', consumer, tokens }))
            body()
            book.end()
            failpoint?.('before-commit')
          },
          lazy ? LAZY_COMMIT : undefined,
        ),
      )
      if (!ran)
        throw new FolderError({ code: 'BROKER_DOWN', what: 'The process is ending', help: 'Send before it does', stored: 'no' })
    } catch (error) {
      book.aborted()
      replies = []
      throw error
    }
    failpoint?.('after-commit')
    book.committed()
    flush()
    warnOfForgotten()
  }

  /** Reads without the lock, and leaves no reading transaction behind: an old one keeps freed pages from being used again. */
  function look<T>(body: () => T): T {
    db.resetReadTxn()
    book.begin(now(), mono())
    try {
      return body()
    } finally {
      db.resetReadTxn()
    }
  }
  function flush(): void {
    if (replies.length > 0) say({ kind: 'replies', replies }, transfers)
    replies = []
    transfers = []
  }

  function warnOfForgotten(): void {
    if (kept.forgotten.size === 0 || mono() - warnedAt < WARN_EVERY_MS) return
    warnedAt = mono()
    for (const [queue, dropped] of kept.forgotten)
      log(
        'warn',
        { queue: look(() => desk.nameOf(queue)), dropped },
        'dead letters were dropped: a queue keeps so many and no more, and for so long',
      )
    kept.forgotten.clear()
  }

  function answerLooks(group: readonly Request[]): void {
    look(() => {
      for (const request of group) {
        try {
          answer(request.id, desk.handle(request))
        } catch (error) {
          refuse(request, error)
        }
      }
    })
    flush()
  }

  function work(group: readonly Request[]): void {
    const left: Request[] = [],
      asking = new Set(group.map(({ input }) => ('consumer' in input ? input.consumer : 0)))
    transact(
      () => {
        for (const request of group) {
          if (GROWS.has(request.op)) {
            try {
              checkRoom()
            } catch (error) {
              refuse(request, error)
              continue
            }
          }
          if (isOfQueue(request)) desk.inspect(request.namespace).refresh(request.input.queue, MOST)
          const value = desk.handle(request)
          if (value === AGAIN) left.push(request)
          else if (value !== NOT_YET) answer(request.id, value)
        }
        wait.serve(calls.wake)
      },
      { asking, lazy: group.every(({ op }) => LIGHT.has(op)) },
    )
    inbox.unshift(...left)
  }

  /** One by one when together they failed, so that one bad request fails alone. */
  function attempt(group: readonly Request[]): void {
    try {
      work(group)
    } catch (error) {
      if (error instanceof FolderError && error.failure.code === 'FOLDER_INVALID' && !isThere()) return giveUp(error)
      const noRoom = isFull(error, path)
      if (noRoom && ceiling === undefined) {
        // LMDB's file never shrinks, but what is removed makes room inside: enough of it stands in for the ballast.
        ceiling = look(() => book.totals.bytes) - BALLAST_BYTES
        folder.giveWay()
        log('error', { path }, 'the disk is full: messages are refused until there is room, those that are there still run')
        return attempt(group)
      }
      if (group.length > 1) return group.forEach(request => attempt([request]))
      const [only] = group,
        failure = noRoom ? diskFull(path, error) : error
      if (only) refuse(only, failure)
      else
        log(
          'error',
          { path, error: failureOf(failure).what },
          'the embedded broker could not serve those who wait: it tries again',
        )
      flush()
    }
  }

  /** Does one group, and comes back after the event loop had its turn: ticks and wakes must not starve. */
  function turn(): void {
    isScheduled = false
    for (let more = receiveMessageOnPort(port!); more; more = receiveMessageOnPort(port!)) inbox.push(more.message as Request)
    if (inbox[0]?.op === 'advance') leap(inbox[0].input.ms)
    if (inbox.some(({ op }) => ASKS_AROUND.has(op))) keep.bury()
    if (hasEnded) return
    const looks = takeLooks()
    if (looks.length > 0) answerLooks(looks)
    else {
      const group = takeGroup()
      isClosing = group.some(({ op }) => op === 'close')
      // Who does not wait is told what there is now, and what the dead held is ready: a worker that drains would end without it.
      if (group.some(isLastWord)) keep.tick()
      if (hasEnded) return
      if (group.length > 0 || wait.eager()) attempt(group)
    }
    if (hasEnded) return
    if (isClosing) return void close()
    if (inbox.length > 0 || wait.eager()) schedule()
    else keep.arm()
  }
  function schedule(): void {
    if (isScheduled || isClosing) return
    isScheduled = true
    setImmediate(turn)
  }

  /** From the front of the inbox what can be answered without the lock. */
  function takeLooks(): Request[] {
    const looks: Request[] = []
    while (inbox[0] && READS.has(inbox[0].op) && !isStale(inbox[0])) looks.push(inbox.shift()!)
    return looks
  }
  function isStale(request: Request): boolean {
    return isOfQueue(request) && look(() => desk.inspect(request.namespace).stale(request.input.queue))
  }

  /** And what goes into one transaction: at least one. */
  function takeGroup(): Request[] {
    const group: Request[] = []
    for (let sum = 0; inbox[0]; group.push(inbox.shift()!)) {
      sum += weight(inbox[0])
      if (group.length > 0 && (sum > MOST || READS.has(inbox[0].op) || inbox[0].op === 'advance')) break
    }
    return group
  }

  /** For tests: from the first one on the clock stands still between leaps. A leap is no standstill: what lapses by it is reaped. */
  function leap(ms: number): void {
    frozen = { now: now() + ms, mono: mono() + ms }
    watch.start(mono())
    wait.wake()
    keep.tick()
  }

  function isThere(): boolean {
    try {
      folder.writtenAt()
      return true
    } catch {
      return false
    }
  }
  /** The folder is gone: nothing that is written to it now will be found by anybody. */
  function giveUp(error: FolderError): void {
    hasEnded = isClosing = true
    keep[Symbol.dispose]()
    calls[Symbol.dispose]()
    say({ kind: 'failed', failure: error.failure })
    void leave()
  }
  async function leave(): Promise<void> {
    await db.close()
    port!.close()
  }

  async function close(): Promise<void> {
    keep[Symbol.dispose]()
    try {
      transact(() => {
        wait.forget(engine)
        if (engine > 0) db.remove(peerKey(engine))
      })
    } catch (error) {
      log('warn', { path, error: (error as Error).message }, 'the folder was not closed cleanly: whoever opens it next tidies up')
    }
    calls[Symbol.dispose]()
    await folder.close()
    port!.close()
  }

  port!.on('message', (request: Request) => {
    inbox.push(request)
    if (!isScheduled) turn()
  })
  for (const warning of folder.warnings) log('warn', { path }, warning)
  say({ kind: 'ready' })
  if (inbox.length > 0) schedule()
}

/** What looks at one queue or changes it: first of all, what time alone has changed there is put right. */
const isOfQueue = (request: Request): request is Request<'counts' | 'list'> =>
  typeof request.input === 'object' && 'queue' in request.input && request.input.queue !== undefined

const isLastWord = ({ op, input }: Request): boolean => op === 'take' && (input as Request<'take'>['input']).waitMs <= 0

function weight(request: Request): number {
  if (request.op === 'push') return request.input.count
  if (request.op === 'settle') return request.input.tokens.length
  return request.op === 'take' ? Math.min(request.input.max, MOST) : 1
}
