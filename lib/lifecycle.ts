/**
 * The life of an app: it opens once however many ask, again after a failure, and closes once.
 *
 *   made -> opening -> open -> closing (workers end, what was sent is stored) -> closed
 *
 * While it closes, what its handlers still send is stored; a worker that was about to start does not.
 */
import { type Clock, within } from './clock.ts'
import { GreenroomError } from './errors.ts'
import type { Live } from './live.ts'
import { onAbort } from './on-abort.ts'
import { aborted, AWAY_MS, tooLate, tooMany } from './pusher.ts'

/** Taken when the module loads: fake timers of test runners replace the global. */
const turnEnds = setImmediate
const turn = () => new Promise<void>(resolve => turnEnds(resolve))

export interface LifecycleParts {
  make(): Promise<Live>
  /** Ends what uses the app. */
  endUsers(): Promise<unknown>
  clock(): Clock
  readonly sendTimeoutMs: number
  readonly maxPending: number
}

export interface Lifecycle {
  /** The open app, while it is open. */
  live(): Live | undefined
  /** @throws {GreenroomError} `APP_CLOSED`, and what opening throws */
  open(): Promise<Live>
  /** As `open`, for a sender: it waits no longer, and with no more others, than for a broker. @throws {GreenroomError} also `BROKER_DOWN`, `SEND_PENDING`, `SEND_ABORTED` */
  openToSend(signal: AbortSignal | undefined): Promise<Live>
  /** @throws {GreenroomError} `APP_CLOSED` when this one is not open any more */
  checkOpen(live: Live): void
  /** @throws {GreenroomError} `APP_CLOSED` when it was closed for good */
  checkNotClosed(): void
  /** Lets go of everything. May be opened again. */
  shut(): Promise<void>
  /** The same for good. */
  close(): Promise<void>
}

export function createLifecycle({ make, endUsers, clock, sendTimeoutMs, maxPending }: LifecycleParts): Lifecycle {
  let live: Live | undefined, opening: Promise<Live> | undefined, closing: Promise<void> | undefined
  let closed = false,
    shutting = false,
    waiting = 0,
    since = 0

  async function open(): Promise<Live> {
    if (live) return live
    if (closed) throw appClosed()
    if (!opening) {
      opening = make()
      since = clock().monotonic()
    }
    const mine = opening
    try {
      const opened = await mine
      if (opening === mine) live = opened
      return opened
    } catch (error) {
      if (opening === mine) opening = undefined
      throw error
    }
  }

  async function openToSend(signal: AbortSignal | undefined): Promise<Live> {
    if (signal?.aborted) throw aborted(signal, 'no')
    if (waiting >= maxPending && clock().monotonic() - since > AWAY_MS) throw tooMany(NAMELESS, maxPending)
    waiting++
    let listenNoMore: (() => void) | undefined
    const stopped =
      signal &&
      new Promise<never>((_, reject) => {
        listenNoMore = onAbort(signal, () => reject(aborted(signal, 'no')))
      })
    try {
      const opened = within(open(), sendTimeoutMs, clock(), () => tooLate(NAMELESS, sendTimeoutMs, 'no'))
      return await (stopped ? Promise.race([opened, stopped]) : opened)
    } finally {
      waiting--
      listenNoMore?.()
    }
  }

  async function shut(): Promise<void> {
    shutting = true
    try {
      await endUsers()
      const was = opening
      const opened = await was?.catch(() => undefined)
      await turn() // those who waited for the opening have sent by then
      if (opening === was) live = opening = undefined
      await opened?.close()
    } finally {
      shutting = false
    }
  }

  async function closeForGood(): Promise<void> {
    await turn() // what was called before is under way by then
    closed = true
    await shut()
  }

  return {
    live: () => live,
    open,
    openToSend,
    checkOpen(given) {
      if (given !== live || shutting) throw appClosed(UNAWAITED)
    },
    checkNotClosed() {
      if (closed || closing) throw appClosed()
    },
    shut,
    close: () => (closing ??= closeForGood()),
  }
}

/** Which broker it is, and where, is known when it is open. */
const NAMELESS = { name: 'the broker' }

const UNAWAITED = 'It was closed while a worker started: await app.work() first, and worker.stopped where it has to finish'

const appClosed = (help = 'Make a new one with greenroom(), or close it later') =>
  new GreenroomError('APP_CLOSED', 'The app is closed', { help, stored: 'no' })
