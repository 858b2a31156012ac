/** What can go wrong with a folder, in one place: sentences for people, codes for programs. Made in the thread, thrown on the event loop. */
import { readFileSync, statfsSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { GreenroomError } from '../../lib/errors.ts'
import type { Failure } from './protocol.ts'

/** What a transaction, or the opening, ended in when a disk or a folder is to blame. */
export class FolderError extends Error {
  readonly failure: Failure
  constructor(failure: Failure, cause?: unknown) {
    super(failure.what, { cause })
    this.failure = failure
  }
}

const invalid = (path: string, what: string, help: string, cause?: unknown) =>
  new FolderError({ code: 'FOLDER_INVALID', what: `The folder ${path} ${what}`, help, stored: 'no', details: { path } }, cause)

export function notWritable(path: string, cause: unknown): FolderError {
  const { code, message } = cause as NodeJS.ErrnoException
  if (code === 'ENOTDIR')
    return invalid(
      path,
      `cannot be made (ENOTDIR): ${fileIn(path)} is a file`,
      'Move that file away, or give `file:` another folder',
      cause,
    )
  const help = 'Let this user write there, or give `file:` another folder'
  return invalid(path, `cannot be written (${code ?? message})`, help, cause)
}
/** The file that stands where a folder of this path should be. */
function fileIn(path: string): string {
  for (let at = path; ; at = dirname(at)) {
    try {
      if (!statSync(at).isDirectory() || dirname(at) === at) return at
    } catch {
      if (dirname(at) === at) return at
    } // below the file nothing can be looked at
  }
}
export const foreignFormat = (path: string, found: unknown, known: number) =>
  invalid(
    path,
    `has format ${String(found)}, and this version of Greenroom knows ${known}`,
    'Use the version that wrote it, or give `file:` another folder',
  )
export const notOurs = (path: string, cause?: unknown) =>
  invalid(path, "holds a data.mdb that is not Greenroom's", 'Give `file:` a folder of its own', cause)
export const damaged = (path: string, cause?: unknown) =>
  invalid(
    path,
    'is damaged: its data cannot be read to the end',
    'Put back a backup, or move the folder away and start with an empty one',
    cause,
  )
export const replaced = (path: string) =>
  invalid(path, 'was deleted or replaced while it was in use', 'Stop all processes that use a folder before you delete it')
export const otherNamespace = (path: string, theirs: string) =>
  invalid(
    path,
    `is used by a process of another pid namespace (${theirs}), a container most likely`,
    'Processes that cannot see each other must not share a folder; let one container run all of them, or use a broker on a server',
  )
export const networkPath = (path: string, cause: unknown) =>
  invalid(path, 'cannot be locked, as on a network file system', 'Keep it on a local disk, or use a broker on a server', cause)

export const driverMissing = (cause: unknown) =>
  new FolderError(
    {
      code: 'ENGINE_MISSING',
      what: `lmdb, the driver of \`file:\`, cannot be loaded (${(cause as Error).message.split('\n', 1)[0]})`,
      help: 'Run npm install on the system where this runs, optional packages included; one of them is the binary',
      stored: 'no',
    },
    cause,
  )

export const diskFull = (path: string, cause?: unknown) =>
  new FolderError(
    {
      code: 'DISK_FULL',
      what: `The disk of ${path} is full`,
      help: 'Make room; messages that are there can still be run',
      retryable: true,
      stored: 'no',
      details: { path },
    },
    cause,
  )
export const folderFull = (path: string, bytes: number, maxBytes: number) =>
  new FolderError({
    code: 'DISK_FULL',
    what: `The folder ${path} holds ${bytes} bytes of messages, and maxBytes is ${maxBytes}`,
    help: 'Run more workers, delete what is dead, or raise maxBytes',
    retryable: true,
    stored: 'no',
    details: { path, bytes, maxBytes },
  })

/** Nothing was written: it is found out before anything is. */
export const lostPlace = (path: string, cause?: unknown) =>
  new FolderError(
    {
      code: 'BROKER_DOWN',
      what: `The lock file of ${path} speaks of an older transaction than the last one, and could not be set right`,
      help: 'Try again; if it goes on, restart the processes that use the folder',
      retryable: true,
      stored: 'no',
      details: { path },
    },
    cause,
  )

/** Below this a commit may fail at any moment: LMDB copies every page that it changes. */
export const LOW_SPACE = 1_048_576

/** By how much the folder may grow: what its disk has left, or what the largest file of this process may still take. */
export function freeBytes(path: string): number {
  try {
    const { bavail, bsize } = statfsSync(path)
    return Math.min(bavail * bsize, growth(path))
  } catch {
    return Infinity
  }
}

/** `ulimit -f` cuts a write short as a full disk does, and the disk knows nothing of it. */
function growth(path: string): number {
  try {
    const limit = /^Max file size +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
    return limit === undefined ? Infinity : Number(limit) - statSync(join(path, 'data.mdb')).size
  } catch {
    return Infinity
  }
}

/** The limit of this process, or of the system. */
const NO_FILES = /EMFILE|ENFILE|too many open files/i
export const isOutOfFiles = ({ message }: Error): boolean => NO_FILES.test(message)

/** Nothing was written: a file is opened before anything is. */
export const outOfFiles = (cause: unknown): Failure => ({
  code: 'BROKER_DOWN',
  what: `The embedded broker could not open what it needs: ${(cause as Error).message.split('\n', 1)[0]}`,
  help: 'Close files and sockets that are not needed, or raise the limit of this process (ulimit -n)',
  retryable: true,
  stored: 'no',
})

const FULL = /ENOSPC|No space|EFBIG|File too large|EDQUOT|quota|MDB_MAP_FULL/i
/** What LMDB makes of a write that was cut short by a full disk, among other things. */
const CUT_SHORT = /Input\/output error/i

/** Whether there was no room, for whatever reason. */
export function isFull(error: unknown, path: string): boolean {
  const { message } = error as Error
  return FULL.test(message) || (CUT_SHORT.test(message) && freeBytes(path) < LOW_SPACE)
}

export function failureOf(error: unknown): Failure {
  if (error instanceof FolderError) return error.failure
  if (typeof error === 'object' && error !== null && 'code' in error && 'help' in error) return error as unknown as Failure
  if (isOutOfFiles(error as Error)) return outOfFiles(error)
  const { message } = error as Error
  return {
    code: 'BROKER_DOWN',
    what: `The embedded broker could not write: ${message}`,
    help: 'See the cause; if it is none of the disk, please report it',
    retryable: true,
    stored: 'no',
  }
}

export const brokerClosed = (what: 'broker' | 'consumer' | 'store') =>
  new GreenroomError('BROKER_DOWN', `This ${what} has been closed`, { help: 'Make a new one', stored: 'no' })

export const engineMissing = () =>
  new GreenroomError('ENGINE_MISSING', 'This is a bundle, and the package that has the thread of `file:` is not installed', {
    help: 'Run npm install greenroom, of the version that was bundled, where the bundle runs (Next.js: outputFileTracingIncludes)',
    stored: 'no',
  })
