/**
 * Who holds the lock of a folder. On Linux the lock itself names its thread, at the start of LMDB's lock file.
 *
 * This process must never open that file by itself: closing it would drop the locks by which LMDB knows that the process lives,
 * and others would take its place in the table of readers (tried: `MDB_BAD_RSLOT`). So another process is asked, this file run as a program.
 */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The two locks of the file, for readers' places and for the writer, and nothing else, are in these. */
const LOCKS_BYTES = 128

/** The pid of the process that holds the lock, where that can be known. */
export function lockHolder(path: string): Promise<number | undefined> {
  if (process.platform !== 'linux') return Promise.resolve(undefined)
  return new Promise(resolve => {
    const child = execFile(process.execPath, [...process.execArgv, fileURLToPath(import.meta.url), path], (_, output) =>
      resolve(Number(output) || undefined),
    )
    child.unref()
  })
}

const [program, path] = process.argv.slice(1)
if (program === fileURLToPath(import.meta.url) && path !== undefined) process.stdout.write(`${search(path) ?? ''}`)

/** A word of the locks that is a thread of a process that has the file mapped. */
function search(folder: string): number | undefined {
  const file = join(folder, 'lock.mdb'),
    bytes = readFileSync(file)
  for (let at = 0; at < LOCKS_BYTES; at += 4) {
    const thread = bytes.readUInt32LE(at)
    try {
      const [, pid] = /^Tgid:\s*(\d+)/m.exec(readFileSync(`/proc/${thread}/status`, 'utf8')) ?? []
      if (pid !== undefined && readFileSync(`/proc/${pid}/maps`, 'utf8').includes(file)) return Number(pid)
    } catch {
      /* no thread has this number */
    }
  }
  return undefined
}
