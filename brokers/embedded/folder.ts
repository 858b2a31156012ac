/** Opening the folder: that it can be written, that what is in it is ours and whole, and that its readers can be told apart. */
import { spawnSync } from 'node:child_process'
import { accessSync, chmodSync, constants, existsSync, mkdirSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Db } from './database.ts'
import { openDatabase } from './database.ts'
import {
  FolderError,
  LOW_SPACE,
  damaged,
  diskFull,
  foreignFormat,
  freeBytes,
  isFull,
  isOutOfFiles,
  networkPath,
  notOurs,
  notWritable,
  replaced,
} from './failures.ts'
import { keyOf } from './keys.ts'
import { META_BYTES, openMetas } from './metas.ts'
import type { Peer } from './processes.ts'
import { optionsOf, programOf } from '../../lib/programs.ts'
import { FORMAT } from './record.ts'
import { inside } from './standstill.ts'

/** Given up when the disk is full, so that what waits can still be run: removing needs pages too. */
export const BALLAST_BYTES = 4 * 1_048_576
const FACTS = keyOf('F')
const OTHERS_WRITE = 0o002

interface Facts {
  readonly format: number
  /** The boot on which somebody wrote without flushing, and has not closed cleanly since. */
  readonly unsafe?: string
}

export interface Folder {
  readonly db: Db
  readonly wakeFolder: string
  /** When the data was last written, epoch ms. @throws when the file is gone, or another one */
  writtenAt(): number
  /** What should be told. */
  readonly warnings: readonly string[]
  /** Gives the ballast up; false when it is gone already. */
  giveWay(): boolean
  /** Takes the ballast again once there is room: true when there is. */
  recover(): boolean
  close(): Promise<void>
}

/** Node's own `recursive` never ends where a folder says that it is there and lets nothing be made in it: /proc. */
function makeFolder(path: string): void {
  if (existsSync(path)) return
  makeFolder(dirname(path)) // ends at the root, which is there
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error // another process was first
  }
}

export async function openFolder(path: string, sync: 'flush' | 'none', self: Peer, gate: Int32Array): Promise<Folder> {
  const wakeFolder = join(path, 'wake'),
    data = join(path, 'data.mdb'),
    ballast = join(path, 'ballast')
  try {
    makeFolder(path)
    makeFolder(wakeFolder)
    accessSync(path, constants.W_OK)
    if (existsSync(data)) accessSync(data, constants.R_OK | constants.W_OK)
  } catch (error) {
    throw isFull(error, path) ? diskFull(path, error) : notWritable(path, error)
  }
  if (isSuspicious(path, data)) verify(path)
  const db = await openDatabase(path, sync, gate).catch((error: unknown) => {
    throw openError(path, error)
  })
  for (const name of ['data.mdb', 'lock.mdb']) chmodSync(join(path, name), 0o600)
  const { ino } = statSync(data)
  const warnings = openToAll(path)
  try {
    inside(gate, () => {
      warnings.push(...admit(db))
    })
  } catch (error) {
    await db.close()
    throw isFull(error, path) ? diskFull(path, error) : error
  }
  fillBallast()
  return {
    db,
    wakeFolder,
    writtenAt,
    warnings,
    giveWay() {
      if (!existsSync(ballast)) return false
      unlinkSync(ballast)
      return true
    },
    recover: () => fillBallast(),
    async close() {
      if (sync === 'none') {
        await new Promise<void>(resolve => db.sync(() => resolve()))
        inside(gate, () => db.transactionSync(() => write({ format: FORMAT })))
        await new Promise<void>(resolve => db.sync(() => resolve()))
      }
      await db.close()
    },
  }

  function writtenAt(): number {
    const now = statSync(data, { throwIfNoEntry: false })
    if (now?.ino !== ino) throw replaced(path)
    return now.mtimeMs
  }

  function fillBallast(): boolean {
    if (existsSync(ballast)) return true
    if (freeBytes(path) < BALLAST_BYTES * 2 + LOW_SPACE) return false
    try {
      writeFileSync(ballast, Buffer.alloc(BALLAST_BYTES, 0x62), { mode: 0o600 })
      return true
    } catch {
      if (existsSync(ballast)) unlinkSync(ballast)
      return false
    }
  }

  function read(): Facts | undefined {
    const value = db.getBinary(FACTS)
    if (!value) return undefined
    try {
      return JSON.parse(value.toString()) as Facts
    } catch (error) {
      throw notOurs(path, error)
    }
  }
  function write(facts: Facts): void {
    db.put(FACTS, Buffer.from(JSON.stringify(facts)))
  }

  /** Refuses what is not ours, marks a new folder, and looks closely where an unflushed one has seen another boot. */
  function admit(opened: Db): string[] {
    const facts = read()
    if (!facts) {
      for (const _ of opened.getKeys({ start: Buffer.of(0), end: Buffer.of(0xff), limit: 1 })) throw notOurs(path)
    } else if (facts.format !== FORMAT) throw foreignFormat(path, facts.format, FORMAT)
    opened.resetReadTxn()
    const survived = facts?.unsafe !== undefined && facts.unsafe !== self.boot
    if (survived) verify(path)
    const unsafe = sync === 'none' ? self.boot : survived ? undefined : facts?.unsafe
    if (!facts || facts.unsafe !== unsafe)
      opened.transactionSync(() => {
        write({ format: FORMAT, ...(unsafe !== undefined && { unsafe }) })
      })
    return survived
      ? [
          'the folder was last written with sync: none, and the machine has gone down since: the last messages may be missing; what is there can be read',
        ]
      : []
  }
}

/** A folder that was there keeps its mode. On Windows a mode says nothing. */
function openToAll(path: string): string[] {
  const mode = statSync(path).mode & 0o777
  if (process.platform === 'win32' || (mode & OTHERS_WRITE) === 0) return []
  return [
    `every user of this machine may write to the folder (mode 0${mode.toString(8)}), and so call your actors: make it yours alone with chmod 700`,
  ]
}

function openError(path: string, error: unknown): Error {
  if (error instanceof FolderError) return error
  const { message } = error as Error
  if (isOutOfFiles(error as Error)) return error as Error
  if (isFull(error, path)) return diskFull(path, error)
  if (/MDB_INVALID|MDB_VERSION_MISMATCH|MDB_CORRUPTED|not an LMDB/i.test(message)) return notOurs(path, error)
  if (/No locks available|Operation not supported|ENOLCK/i.test(message)) return networkPath(path, error)
  if (/Permission denied|Read-only|EACCES|EROFS/i.test(message)) return notWritable(path, error)
  return damaged(path, error)
}

/** A file that is shorter than it says would end this process by a signal when it is read. */
function isSuspicious(path: string, data: string): boolean {
  if (!existsSync(data)) return false
  const { size } = statSync(data)
  if (size === 0) return false
  using metas = openMetas(data)
  const first = metas.read(0)
  if (!first.isMeta) throw size < META_BYTES ? damaged(path) : notOurs(path)
  const second = metas.read(first.pageSize),
    latest = second.isMeta && second.transaction > first.transaction ? second : first
  return (latest.lastPage + 1) * first.pageSize > size
}

/** Reads everything in a process of its own, which dies in place of this one. */
function verify(path: string): void {
  const program = programOf('brokers/embedded/verify')!, // beside the engine, which runs this
    options = { encoding: 'utf8' } as const
  const { status, signal, stderr, error } = spawnSync(
    process.execPath,
    [...optionsOf(program), fileURLToPath(program), path],
    options,
  )
  if (error) throw error // it did not start: that tells nothing of the folder
  if (status !== 0) throw damaged(path, new Error(signal ?? stderr))
}
