/**
 * What the engine does when nobody asks: renews leases, reaps what the dead held, sweeps what expired, looks for those who wait.
 * It ticks while there is somebody to tick for, and has one alarm for what is due before the next tick. An engine that only sends or
 * looks around does not tick: it reaps when it is asked where messages are, so that the answer is true where nobody works.
 */
import type { Timer } from '../../lib/clock.ts'
import { systemClock } from '../../lib/clock.ts'
import { FolderError } from './failures.ts'
import type { Ledger } from './ledger.ts'
import type { Consumer, Lease, Leases } from './leases.ts'
import { readLease } from './leases.ts'
import { MOST } from './limits.ts'
import type { Lookout } from './lookout.ts'
import { TICK_MS, peerKey, peerRows, readPeer } from './lookout.ts'
import type { Expiring } from './shelf.ts'
import type { Waiters } from './waiters.ts'
import type { Wakes } from './wakes.ts'

/** Waiting takes look by themselves so often, in case a wake was lost. */
const POLL_MS = 1_000
/** Rows of processes that are gone are looked for so often. */
const TIDY_MS = 10_000
/** An engine that is asked for counts again and again looks for the dead so often. */
const BURY_MS = 1_000
/** Expired rows that one transaction sweeps on its way. */
const SWEEP = 64

const NOTHING = { lapsed: [], doubtful: [], due: false } as const

export interface Machine {
  readonly book: Ledger
  readonly lease: Leases
  readonly wait: Waiters
  readonly rows: Expiring
  readonly calls: Wakes
  readonly watch: Lookout
  readonly engine: () => number
  readonly mono: () => number
  readonly now: () => number
  /** Runs a writing transaction. @throws when it failed */
  transact(body: () => void, options?: { readonly lazy?: boolean }): void
  /** Runs a reading one. */
  look<T>(body: () => T): T
  /** Asks for a turn of the engine. */
  schedule(): void
  /** Whether there are requests. */
  busy(): boolean
  warn(facts: object, text: string): void
  /** The folder cannot be used any more. */
  giveUp(error: FolderError): void
}

export interface Upkeep extends Disposable {
  /** In every writing transaction. `asking`: consumers that want something in it. Answers whose lease was lost. */
  routine(asking: ReadonlySet<number>): readonly { readonly consumer: number; readonly tokens: readonly number[] }[]
  /** After every turn: sets the timers for what comes next. */
  arm(): void
  tick(): void
  /** A tick on demand, at most once a second: puts back what processes held that are gone. */
  bury(): void
}

export function upkeep({
  book,
  lease,
  wait,
  rows,
  calls,
  watch,
  engine,
  mono,
  now,
  transact,
  look,
  schedule,
  busy,
  warn,
  giveUp,
}: Machine): Upkeep {
  const { db } = book
  let ticking: Timer | undefined,
    alarm: Timer | undefined,
    alarmAt = Infinity,
    hasTicked = false,
    isOver = false
  let sweptAt = -Infinity,
    polledAt = 0,
    tidiedAt = -Infinity,
    buriedAt = -Infinity

  const isOld = ({ renewedAt, leaseMs }: Consumer, at: number) => renewedAt !== undefined && at - renewedAt >= leaseMs / 3

  function sweep(most: number): void {
    // Full measure: there may be more, so the next transaction goes on.
    if (!rows.sweep(most)) sweptAt = mono()
  }

  function tick(): void {
    try {
      watchOut()
    } catch (error) {
      if (!(error instanceof FolderError)) throw error
      giveUp(error)
    }
  }

  function watchOut(): void {
    const at = mono(),
      isTime = at - polledAt >= POLL_MS
    const needed = watch.needed(at, wait.owns)
    const { lapsed, doubtful, due } =
      needed || isTime
        ? look(() => {
            if (isTime) wait.poll()
            return { ...watch.look(at, wait.owns), due: isTime && rows.due() }
          })
        : NOTHING
    if (isTime) {
      polledAt = at
      // A reader that was killed would keep every page that is freed from being used again.
      db.readerCheck()
    }
    if (wait.living().some(consumer => isOld(consumer, at))) safely(() => transact(() => {}, { lazy: true }))
    if (doubtful.length > 0) safely(() => transact(() => {}, { lazy: true }))
    for (const each of doubtful) watch.doubt(each, mono())
    for (const each of lapsed) safely(() => reap(each))
    if (due) safely(() => transact(() => sweep(MOST)))
    if (at - tidiedAt >= TIDY_MS) safely(tidy)
    if (wait.eager() || busy()) schedule()
    else self.arm()
  }

  function tickLater(): void {
    if (ticking || isOver) return
    if (!wait.busy()) {
      hasTicked = false
      return
    }
    // The pause before the first tick is no standstill.
    if (!hasTicked) watch.start(mono())
    hasTicked = true
    ticking = systemClock.after(Math.min(TICK_MS, wait.shortestLease() / 6), () => {
      ticking = undefined
      tick()
      tickLater()
    })
  }

  function safely(act: () => void): void {
    try {
      act()
    } catch (error) {
      warn({ error: (error as Error).message }, 'the embedded broker could not tidy up: it tries again')
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

  /**
   * Rows and files of engines that are gone: whoever sends would go on waking them. One that joins has a row before it has a file, so
   * files are listed first; and it is looked again under the lock: taking the row of a living one away would take all it holds.
   */
  function tidy(): void {
    tidiedAt = mono()
    const files = calls.engines(),
      isGone = (other: number) => other !== engine() && !watch.mayLive(readPeer(db, other))
    const gone = look(() => [...new Set([...files, ...peerRows(db)])].filter(isGone))
    if (gone.length === 0) return
    transact(
      () => {
        for (const other of gone.filter(isGone)) {
          wait.forget(other)
          db.remove(peerKey(other))
          book.onCommit(() => calls.forget(other))
        }
      },
      { lazy: true },
    )
  }

  const self: Upkeep = {
    tick,
    bury() {
      if (mono() - buriedAt < BURY_MS) return
      buriedAt = mono()
      tick()
    },
    routine(asking) {
      const lost = wait.fenced(asking)
      for (const consumer of wait.living()) if (isOld(consumer, book.mono)) lease.renew(consumer)
      if (book.mono - sweptAt >= POLL_MS) sweep(SWEEP)
      return lost
    },
    arm() {
      tickLater()
      const at = wait.nextAt(now(), mono())
      if ((at >= alarmAt && alarm) || isOver) return
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
    },
    [Symbol.dispose]() {
      isOver = true
      ticking?.cancel()
      alarm?.cancel()
    },
  }
  return self
}
