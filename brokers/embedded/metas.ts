/** LMDB's two meta pages, read from the file itself: transactions write them in turn, so the later of the two is that of the last commit. */
import { closeSync, openSync, readSync } from 'node:fs'

/** Where the facts of a meta page are. */
const AT = { magic: 24, pageSize: 48, lastPage: 144, transaction: 152 } as const
export const META_BYTES = 160
const MAGIC = 0xbeefc0de

export interface Meta {
  readonly isMeta: boolean
  readonly pageSize: number
  readonly lastPage: number
  readonly transaction: number
}

export interface Metas extends Disposable {
  /** The page that begins there. */
  read(at: number): Meta
  /** The number of the last commit. */
  last(): number
}

export function openMetas(file: string): Metas {
  const handle = openSync(file, 'r'),
    bytes = Buffer.alloc(META_BYTES)
  let pageSize: number | undefined
  function transactionAt(page: number): number {
    readSync(handle, bytes, 0, 8, page + AT.transaction)
    return number(0)
  }
  const number = (at: number) => bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32
  function read(at: number): Meta {
    bytes.fill(0)
    readSync(handle, bytes, 0, META_BYTES, at)
    return {
      isMeta: bytes.readUInt32LE(AT.magic) === MAGIC,
      pageSize: bytes.readUInt32LE(AT.pageSize),
      lastPage: number(AT.lastPage),
      transaction: number(AT.transaction),
    }
  }
  return {
    read,
    last() {
      pageSize ??= read(0).pageSize
      return Math.max(transactionAt(0), transactionAt(pageSize))
    },
    [Symbol.dispose]: () => closeSync(handle),
  }
}
