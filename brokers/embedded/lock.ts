/**
 * Who holds the lock of a folder.
 *
 * This process must never open LMDB's lock file by itself: closing it would drop the locks by which LMDB knows that the process lives,
 * and others would take its place in the table of readers (tried: `MDB_BAD_RSLOT`). So another process is asked.
 */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { optionsOf, programOf } from '../../lib/programs.ts'

/** The pid of the process that holds the lock, where that can be known. */
export function lockHolder(path: string): Promise<number | undefined> {
  const program = programOf('brokers/embedded/lock-search')
  if (!program || process.platform !== 'linux') return Promise.resolve(undefined)
  return new Promise(resolve => {
    execFile(process.execPath, [...optionsOf(program), fileURLToPath(program), path], (_, output) =>
      resolve(Number(output) || undefined),
    ).unref()
  })
}
