/**
 * Redis on a clock that a test moves: TIME, also in a script, the expiry of keys and the timeouts of commands that block. It stands still
 * in between, so a test can look one millisecond before something is due, and an advance of a year takes no time.
 *
 *     await using server = await redisAt()
 *     server.advance(1_500)
 *
 * How: libfaketime answers for the C library, and reads a file whenever Redis asks what time it is. As found with 7.0.15 and 0.9.10:
 * - An absolute time stands still, and may have a fraction. What is written here is what TIME says, to the microsecond.
 * - A command sees an advance at once. What Redis does by itself (deleting what has expired, ending a wait) comes with its next round,
 *   up to 100 ms of real time later: its rounds go by the monotonic clock, which is left alone.
 * - Redis keeps a key for all of the millisecond in which it expires: with `PX 5000` it is there after 5,000 ms, gone after 5,001.
 * - To read the clock costs about 20 us in the place of 1 us, and a PING twice what it does elsewhere: no server to measure with.
 * - `appendfsync everysec` waits for a second that does not pass. What is killed keeps its data all the same: the system has it.
 * - jemalloc asks for the time before libfaketime is ready, and hangs. The C library, preloaded behind it, allocates in its place.
 */
import { existsSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Daemon, type Kind, startDaemon } from './daemon.ts'
import { needed } from './needed.ts'
import { type RedisSettings, redis } from './redis.ts'

/** A clock for any number of servers: they are told the same. */
export interface ServerClock {
  /** What it says, epoch ms. */
  now(): number
  /** It is on by so much when this returns, also for a server that does not run. */
  advance(ms: number): void
  /** What the servers are told is so much behind what it says, ms, until this is called again. */
  behind(ms: number): void
  /** Servers of this kind whose clock it is. */
  of(kind: Kind): Kind
}

export interface RedisAt extends Daemon, Pick<ServerClock, 'now' | 'advance'> {}

/** @param start what its clock says at first, epoch ms. @default as `movingClock()`: 2026-01-01T00:00Z */
export async function redisAt(settings: RedisSettings = {}, start?: number): Promise<RedisAt> {
  const { of, now, advance } = serverClock(start)
  return Object.assign(await startDaemon(of(redis(settings))), { now, advance })
}

export function serverClock(start = Date.UTC(2026, 0, 1)): ServerClock {
  const library = needed('needFaketime'),
    folders = new Set<string>()
  let us = start * 1_000,
    lag = 0
  const tell = () => folders.forEach(folder => existsSync(folder) && writeTime(folder, us - lag))
  return {
    now: () => us / 1_000,
    advance(ms) {
      if (!(ms >= 0)) throw new Error(`time does not go back, by ${ms} ms`)
      us += Math.round(ms * 1_000)
      tell()
    },
    behind(ms) {
      lag = ms * 1_000
      tell()
    },
    of: kind => ({
      ...kind,
      command(place) {
        folders.add(place.folder)
        tell()
        return {
          ...kind.command(place),
          env: {
            LD_PRELOAD: `${library}:libc.so.6`,
            FAKETIME_TIMESTAMP_FILE: join(place.folder, FILE),
            FAKETIME_FMT: '%s', // seconds since 1970
            FAKETIME_NO_CACHE: '1',
            FAKETIME_DONT_FAKE_MONOTONIC: '1',
            NO_FAKE_STAT: '1', // files have the times that they have
          },
        }
      },
    }),
  }
}

const FILE = 'clock'

/** Renamed and not rewritten: Redis may read it at any moment, and would take an empty file for the machine's time. */
function writeTime(folder: string, us: number): void {
  const seconds = Math.floor(us / 1e6)
  // Half a microsecond more: libfaketime reads the fraction as a floating-point number, and rounds it down.
  const text = `${seconds}.${`${us - seconds * 1e6}`.padStart(6, '0')}500\n`
  writeFileSync(join(folder, `${FILE}.new`), text)
  renameSync(join(folder, `${FILE}.new`), join(folder, FILE))
}
