/** The few calls of lmdb that are used, typed for keys that are written in place; the cast is here and nowhere else. */
import { driverMissing, isOutOfFiles } from './failures.ts'
import type { AnyKey } from './keys.ts'
import { keyEncoder } from './keys.ts'
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
  /** The only way to write. `db.transaction()` would hold the lock of every process while this thread's event loop turns. */
  transactionSync<T>(body: () => T, flags?: number): T
  resetReadTxn(): void
  readerCheck(): number
  sync(done: (error?: Error) => void): void
  close(): Promise<void>
}

/** For a transaction whose loss in a power cut changes nothing: lmdb's ABORTABLE and SYNCHRONOUS_COMMIT, and LMDB's NOMETASYNC (one flush instead of two, the file stays whole). */
export const LAZY_COMMIT = 0x3 | 0x4_0000

/** Processes and inspectors that may be inside at once. LMDB's own default is 126. */
const READERS = 1_024

export async function openDatabase(path: string, sync: 'flush' | 'none', gate: Int32Array): Promise<Db> {
  const { open } = await import('lmdb').catch((error: unknown) => {
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
  let db: Db | undefined
  // It runs a transaction of its own.
  inside(gate, () => {
    db = open(options as never) as unknown as Db
  })
  if (!db) throw new Error('the process is ending')
  return db
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
