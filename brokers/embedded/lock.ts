/** Who holds the lock of a folder. On Linux the thread is told by the lock itself, in LMDB's lock file; where exactly is found out by holding it. */
import { readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { Db } from './database.ts'

/** The locks are at the start of the file. */
const SEARCHED_BYTES = 512

const words = (path: string): Uint32Array => {
  const bytes = readFileSync(join(path, 'lock.mdb')).subarray(0, SEARCHED_BYTES)
  return new Uint32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + (bytes.length & ~3)))
}

/** Where in the lock file the thread that writes can be read; undefined where it cannot. */
export function lockOffset(db: Db, path: string): number | undefined {
  try {
    const thread = Number(readlinkSync('/proc/thread-self').split('/').at(-1))
    const held = db.transactionSync(() => words(path)), free = words(path)
    const found = held.findIndex((word, index) => word === thread && free[index] !== thread)
    return found < 0 ? undefined : found
  } catch {
    return undefined
  }
}

export function lockHolder(path: string, offset: number | undefined): number | undefined {
  if (offset === undefined) return undefined
  try {
    const [, pid] = /^Tgid:\s*(\d+)/m.exec(readFileSync(`/proc/${words(path)[offset]!}/status`, 'utf8')) ?? []
    return pid === undefined ? undefined : Number(pid)
  } catch {
    return undefined
  }
}
