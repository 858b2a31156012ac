/** Run as a program: prints the pid of the process that holds the lock of a folder. On Linux the lock itself names its thread, at the start of LMDB's lock file. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The two locks of the file, for readers' places and for the writer, and nothing else, are in these. */
const LOCKS_BYTES = 128

const [path] = process.argv.slice(2)
if (path !== undefined) process.stdout.write(`${search(path) ?? ''}`)

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
