/**
 * A worker process of `--processes`, from its parent's side: this command line once more, with a channel over which a few words
 * go. The child's side of it is in main.ts.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../lib/clock.ts'
import type { Child, Told } from './command.ts'
import { EXIT } from './exit.ts'
import { eachLine } from './lines.ts'
import type { Report } from './worker/children-health.ts'

/** Tells a child which one it is. */
export const NUMBER = 'GREENROOM_CHILD'
/** Node's own word, for its `--watch`: a child that has it tells its parent of each file that it loads. */
export const REPORTS = 'WATCH_REPORT_DEPENDENCIES'
/** A process that a handler started may hold its output open for ever: so long after its end nothing more is waited for. */
const PIPES_MS = 500

export function forkChild(main: string, args: readonly string[], number: number, told: Told): Child {
  const child = fork(main, args, {
    env: { ...process.env, [NUMBER]: `${number}`, ...(told.loaded && { [REPORTS]: '1' }) },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  const ended = new Promise<number | NodeJS.Signals>(resolve => {
    child.on('error', error => {
      told.line(`could not be started: ${error.message}`, true)
      if (child.pid === undefined) resolve(EXIT.unexpected)
    })
    child.on('exit', () => {
      const timer = systemClock.after(PIPES_MS, () => {
        child.stdout!.destroy()
        child.stderr!.destroy()
      })
      child.on('close', () => timer.cancel())
    })
    child.on('close', (code, signal) => resolve(signal ?? code ?? EXIT.unexpected))
  })
  eachLine(child.stdout!, line => told.line(line, false))
  eachLine(child.stderr!, line => told.line(line, true))
  return {
    pid: child.pid,
    ended,
    ready: Promise.race([heard(child, told), ended.then(() => false)]),
    order: word => {
      if (child.connected) child.send(word, () => {})
    },
    kill: () => {
      child.kill('SIGKILL')
    },
  }
}

/** Resolves when it is ready. */
function heard(child: ChildProcess, told: Told): Promise<true> {
  return new Promise(resolve => {
    child.on('message', word => {
      if (word === 'ready') return resolve(true)
      if (typeof word !== 'object' || word === null) return // of the user's own
      const { spent, report, 'watch:import': imported, 'watch:require': required } = word as Partial<Record<string, unknown>>
      if (typeof spent === 'string') told.spent(spent)
      if (typeof report === 'object' && report !== null) told.report(report as Report)
      for (const files of [imported, required]) if (Array.isArray(files)) told.loaded?.(files.flatMap(fileOf))
    })
  })
}

function fileOf(place: unknown): readonly string[] {
  if (typeof place !== 'string' || place.startsWith('node:')) return []
  if (!place.startsWith('file:')) return place.startsWith('/') || /^[a-z]:\\/i.test(place) ? [place] : []
  return [fileURLToPath(place)]
}
