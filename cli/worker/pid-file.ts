/**
 * `--pid-file`: the id of the process to signal, for whoever starts and stops it. It is there in one piece or not at all, belongs to
 * one living worker, and is taken away at the end by the one it belongs to.
 */
import { linkSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import type { Io } from '../command.ts'
import { usage } from '../failure.ts'

/** Between two that start at the same time; more tries mean that something else writes it. */
const MOST_TRIES = 5

/** Runs with the file, if one is wanted, and takes it away also where the process is ended from within. */
export async function withPidFile(path: string | undefined, io: Io, run: (io: Io) => Promise<number>): Promise<number> {
  const release = path === undefined ? () => {} : claimPidFile(path, io.cwd, io.pid)
  const quit = (code: number) => {
    release()
    io.quit(code)
  }
  try {
    return await run({ ...io, quit })
  } finally {
    release()
  }
}

/** @returns a function that removes it. @throws {CliError} when a living worker has it, or it cannot be written */
export function claimPidFile(path: string, cwd: string, pid: number): () => void {
  const file = resolve(cwd, path),
    own = `${file}.${pid}`
  try {
    writeFileSync(own, `${pid}\n`)
    for (let tries = 0; !linked(own, file); tries++) {
      const text = textOf(file)?.trim() ?? '',
        owner = pidIn(text)
      if (text !== '' && owner === undefined)
        throw usage(
          `--pid-file ${path} is a file that holds something else`,
          'Give another path, or remove it if nobody needs it',
        )
      if (owner !== undefined && owner !== pid && isWorker(owner))
        throw usage(
          `--pid-file ${path} belongs to process ${owner}, which runs`,
          `Stop it first (kill ${owner}), or give this one a file of its own`,
        )
      if (tries === MOST_TRIES) throw usage(`--pid-file ${path} is written by something else, too`, 'Give another file')
      remove(file)
    }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    if (code === 'ENOENT') throw usage(`--pid-file ${path} has no folder to be in`, `Make it first: mkdir -p ${dirname(file)}`)
    throw usage(`--pid-file ${path} cannot be written: ${message}`, 'Give a path in a folder that this user may write to')
  } finally {
    remove(own)
  }
  return () => {
    if (pidIn(textOf(file)?.trim() ?? '') === pid) remove(file)
  }
}

/** A link is made at once and with all that is in it, and not where a file is. */
function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

function remove(file: string): void {
  try {
    unlinkSync(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

const pidIn = (text: string): number | undefined => (/^[1-9]\d{0,9}$/.test(text) ? Number(text) : undefined)

/** How the command line may be called: by its name, by its file, or as this one was. */
const PROGRAMS = ['greenroom', 'main.js', basename(process.argv[1] ?? 'greenroom')]

/**
 * Whether a process runs, and may be a worker: after a crash its id may be that of any other program. Its words do not tell where its
 * pid file is, which may be named in the environment or in greenroom.config.*. One word is the title that a module gave it.
 */
function isWorker(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
  }
  const words = textOf(`/proc/${pid}/cmdline`)?.split('\0').filter(Boolean) ?? [] // none where there is no /proc
  return words.length <= 1 || (words.includes('worker') && words.some(word => PROGRAMS.includes(basename(word))))
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}
