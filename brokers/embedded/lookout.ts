/**
 * Looking out for consumers that will not come back. Reads only; what it finds is reaped in a transaction by the engine.
 *
 * Every tick asks whether the other engines' pids are there, and whether one has joined; that costs a microsecond each. When something is amiss,
 * and every fifth tick, it is looked whether somebody has written and consumers came or went, and rows are read again then, and once a second.
 * So an idle worker costs two system calls a tick, and what a killed one held is put back within two.
 * A tick that came late by more than a third of a lease means that this process stood still, and maybe the whole machine: then the others
 * could not renew either, so nobody is reaped by its deadline for one whole lease. And somebody may have held the lock for all that time:
 * a living process is reaped only if it has not renewed within a third of a lease after this engine had the lock. It is doubted when a renewal
 * is missing, in the last third of its lease, so that it is reaped when that is over and not later.
 */
import { systemClock } from '../../lib/clock.ts'
import type { Db } from './database.ts'
import { after, keyOf, readNumber } from './keys.ts'
import type { Ledger } from './ledger.ts'
import type { Lease } from './leases.ts'
import { leaseRows } from './leases.ts'
import type { Peer } from './processes.ts'
import { exists, isAlive } from './processes.ts'

export const TICK_MS = 50
/** Rows are looked at so often; in the ticks between, pids are asked for and nothing is read: a look costs ten times as much. */
const LOOK_MS = 250
const RELOAD_MS = 1_000
/** File systems keep times in steps of a few ms: a file that was written just before it was looked at may have been written again. */
const TIME_STEP_MS = 20

export interface Lookout {
  /** Every tick, without reading anything: whether there is reason to look. */
  needed(mono: number, isOwn: (row: number) => boolean): boolean
  /** Leases to reap now, and those to be doubted, as they were not renewed when they should have been. `isOwn`: rows of consumers that this engine keeps. */
  look(mono: number, isOwn: (row: number) => boolean): { readonly lapsed: readonly Lease[]; readonly doubtful: readonly Lease[] }
  /** To be called once the lock was had after `look` said so: from here on the owner could have had it too. */
  doubt(lease: Lease, mono: number): void
  /** To be called when ticks begin, so that the pause before is not taken for a standstill. */
  start(mono: number): void
  /** Whether a process may still be there, looked at closely. */
  mayLive(peer: Peer | undefined): boolean
}

export const peerKey = (engine: number): Buffer => keyOf('E', engine)
export function peerRows(db: Db): number[] {
  const all = keyOf('E')
  return Array.from(db.getKeys({ start: all, end: after(all) }), key => readNumber(key, 1))
}
export function readPeer(db: Db, engine: number): Peer | undefined {
  const value = db.getBinary(peerKey(engine))
  return value && (JSON.parse(value.toString()) as Peer)
}

/** @param written when the folder's data was last written, epoch ms @param joined when an engine last came or went, epoch ms */
export function lookout(book: Ledger, self: Peer, written: () => number, joined: () => number): Lookout {
  const { db } = book
  let known: { readonly lease: Lease; readonly peer: Peer | undefined }[] = [],
    generation = -1,
    loadedAt = -Infinity,
    seenAt = -Infinity,
    peers: readonly Peer[] = [],
    joinedAt = -Infinity,
    lookedAt = -Infinity,
    tickedAt = 0,
    lateMs = 0,
    resumedAt = -Infinity,
    thorough = false

  const doubts = new Map<number, { readonly deadline: number; readonly at: number }>()
  function load(mono: number): void {
    const changedAt = written()
    if (changedAt === seenAt && mono - loadedAt < RELOAD_MS) return
    // Old enough to be the last word; otherwise looked at once more.
    seenAt = systemClock.now() - changedAt > TIME_STEP_MS ? changedAt : -Infinity
    if (book.totals.consumers === generation && mono - loadedAt < RELOAD_MS) return
    generation = book.totals.consumers
    loadedAt = mono
    thorough = true
    known = [...leaseRows(db)].map(lease => ({ lease, peer: readPeer(db, lease.engine) }))
    for (const row of doubts.keys()) if (!known.some(({ lease }) => lease.row === row)) doubts.delete(row)
  }

  /** The other engines, also those that hold nothing yet. */
  function meet(): void {
    const changedAt = joined()
    if (changedAt === joinedAt) return
    joinedAt = systemClock.now() - changedAt > TIME_STEP_MS ? changedAt : -Infinity
    peers = peerRows(db)
      .map(engine => readPeer(db, engine))
      .filter(peer => peer !== undefined)
      .filter(({ pid }) => pid !== self.pid)
  }

  function isGone(peer: Peer | undefined): boolean {
    if (!peer || peer.boot !== self.boot) return true
    // Of another pid namespace nothing can be known but its deadline.
    if (peer.namespace !== self.namespace) return false
    return thorough ? !isAlive(peer) : !exists(peer.pid)
  }

  /** It should have been renewed, and this engine has not looked since whether the lock could be had. */
  const isDoubtful = ({ row, deadline, leaseMs }: Lease, mono: number) =>
    mono >= deadline - leaseMs / 3 && doubts.get(row)?.deadline !== deadline

  return {
    start(mono) {
      tickedAt = mono
      lookedAt = -Infinity
    },
    needed(mono, isOwn) {
      lateMs = mono - tickedAt - TICK_MS
      tickedAt = mono
      thorough = false
      if (mono - lookedAt >= LOOK_MS || joined() !== joinedAt || peers.some(isGone)) return true
      return known.some(
        ({ lease, peer }) =>
          !isOwn(lease.row) &&
          (lease.marked || lease.deadline <= mono || isDoubtful(lease, mono) || lateMs > lease.leaseMs / 3 || isGone(peer)),
      )
    },
    mayLive: peer => peer !== undefined && peer.boot === self.boot && (peer.namespace !== self.namespace || isAlive(peer)),
    doubt({ row, deadline }, mono) {
      doubts.set(row, { deadline, at: mono })
    },
    look(mono, isOwn) {
      lookedAt = mono
      meet()
      load(mono)
      const lapsed: Lease[] = [],
        doubtful: Lease[] = []
      for (const { lease, peer } of known) {
        if (isOwn(lease.row)) continue
        if (lateMs > lease.leaseMs / 3) resumedAt = mono
        if (lease.marked || isGone(peer)) lapsed.push(lease)
        else if (mono - resumedAt < lease.leaseMs) continue
        else if (isDoubtful(lease, mono)) doubtful.push(lease)
        else if (lease.deadline <= mono && mono - doubts.get(lease.row)!.at >= lease.leaseMs / 3) lapsed.push(lease)
      }
      return { lapsed, doubtful }
    },
  }
}
