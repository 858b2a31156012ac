/**
 * The few calls of lmdb that are used, typed for keys that are written in place; the cast is here and nowhere else.
 *
 * A transaction begins where LMDB's lock file says that the last one ended, and a process that opens the folder sets that to the last
 * commit that it saw, without the lock (lmdb 3.5.6): a commit in between is undone by the next transaction, which knows nothing of it
 * (most likely what made counts 27 too low after 700 restarts under load; with a program that opens it again and again to read, a broken file
 * within seconds). So each transaction first looks whether it follows the last commit of the file; if not, it writes nothing, and has the
 * lock file set right while it holds the lock.
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { optionsOf, programOf } from '../../lib/programs.ts'
import { driverMissing, isOutOfFiles, lostPlace } from './failures.ts'
import type { AnyKey } from './keys.ts'
import { keyEncoder } from './keys.ts'
import { openMetas } from './metas.ts'
import { inside } from './standstill.ts'

export interface Row {
  readonly key: Buffer
  readonly value: Buffer
}
export interface RangeOptions {
  readonly start: Uint8Array
  readonly end: Uint8Array
  readonly limit?: number
  readonly reverse?: boolean
}

export interface Db {
  /** A view of a shared buffer: read it before the next call, or copy it. */
  getBinaryFast(key: AnyKey): Buffer | undefined
  getBinary(key: AnyKey): Buffer | undefined
  put(key: AnyKey, value: Uint8Array): unknown
  remove(key: AnyKey): unknown
  getRange(options: RangeOptions): Iterable<Row>
  getKeys(options: RangeOptions): Iterable<Buffer>
  /** The only way to write; the body is run once, after the last commit. `db.transaction()` would hold the lock of every process while this thread's event loop turns. */
  transactionSync<T>(body: () => T, flags?: number): T
  resetReadTxn(): void
  readerCheck(): number
  sync(done: (error?: Error) => void): void
  close(): Promise<void>
}

/** For a transaction whose loss in a power cut changes nothing: lmdb's ABORTABLE and SYNCHRONOUS_COMMIT, and LMDB's NOMETASYNC (one flush instead of two, the file stays whole). */
export const LAZY_COMMIT = 0x3 | 0x4_0000

/** So often in a row others may come in while one transaction waits for its place. */
const MOST_TRIES = 10
/** Opening a folder and leaving it takes a tenth of this on a busy machine. */
const REOPEN_MS = 10_000

/** Processes and inspectors that may be inside at once. LMDB's own default is 126. */
const READERS = 1_024

export async function openDatabase(path: string, sync: 'flush' | 'none', gate: Int32Array): Promise<Db> {
  const { ABORT, open } = await import('lmdb').catch((error: unknown) => {
    throw isOutOfFiles(error as Error) ? error : driverMissing(error)
  })
  const options = {
    path,
    noSubdir: false,
    encoding: 'binary',
    keyEncoder,
    maxDbs: 1,
    maxReaders: READERS,
    // One flush a transaction, in the transaction: with overlapping ones a commit would be visible before it is safe.
    overlappingSync: false,
    noSync: sync === 'none',
    permissionsMode: 0o600,
  }
  let db: Numbered | undefined
  // It runs a transaction of its own.
  inside(gate, () => {
    db = open(options as never) as unknown as Numbered
  })
  if (!db) throw new Error('the process is ending')
  try {
    followOn(db, path, ABORT)
    // It may be this opening that was too late: readers would see the folder as it was before, until somebody writes.
    inside(gate, () => {
      db!.transactionSync(() => ABORT)
    })
  } catch (error) {
    await db.close()
    throw error
  }
  return db
}

interface Numbered extends Db {
  /** Of the transaction that is under way. */
  getWriteTxnId(): number
}

/** Lets no transaction of this database begin anywhere but after the last commit. `abort`: what a body answers with to undo it. */
function followOn(db: Numbered, path: string, abort: unknown): void {
  const metas = openMetas(join(path, 'data.mdb')),
    write = db.transactionSync.bind(db),
    close = db.close.bind(db)
  db.transactionSync = <T>(body: () => T, flags?: number): T => {
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      let follows = true
      const value = write(() => {
        follows = db.getWriteTxnId() === metas.last() + 1
        if (follows) return body()
        reopen(path)
        return abort as T
      }, flags)
      if (follows) return value
    }
    throw lostPlace(path)
  }
  db.close = async () => {
    metas[Symbol.dispose]()
    await close()
  }
}

function reopen(path: string): void {
  const program = programOf('brokers/embedded/reopen')! // beside the engine, which runs this
  const { status, signal, stderr, error } = spawnSync(process.execPath, [...optionsOf(program), fileURLToPath(program), path], {
    encoding: 'utf8',
    timeout: REOPEN_MS,
  })
  if (status !== 0) throw lostPlace(path, error ?? new Error(signal ?? stderr))
}

/** The value itself as a buffer of its true length: what lmdb answers with is longer, and says otherwise by a property of its own. Gone with the next call. */
export const viewed = (value: Buffer): Buffer => value.subarray(0, value.length)

/** A copy of a value that `getBinaryFast` answered with; its length is lmdb's own property, which `Buffer.from` does not see. */
export const copied = (value: Buffer): Buffer => {
  const bytes = Uint8Array.prototype.slice.call(value, 0, value.length)
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}

export function firstKey(db: Db, start: Uint8Array, end: Uint8Array): Buffer | undefined {
  for (const key of db.getKeys({ start, end, limit: 1 })) return key
  return undefined
}
