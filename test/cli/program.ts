/** The command line as a user runs it: a process of its own, on the built package, in a folder that has the package installed. */
import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { sleep, systemClock } from '../../lib/clock.ts'
import { root } from '../root.ts'

export const MAIN = join(root, 'dist/esm/cli/main.js')

/** Makes packages of this tree importable in a folder, as npm install would. */
export function install(folder: string, ...others: readonly string[]): string {
  mkdirSync(join(folder, 'node_modules'), { recursive: true })
  symlinkSync(root, join(folder, 'node_modules/greenroom'))
  for (const name of others) symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name))
  return folder
}

export interface Program {
  readonly child: ChildProcess
  readonly pid: number
  /** All it printed so far, both streams. */
  readonly output: string
  /** Resolves with the match once it is printed; rejects when the program ends before. */
  until(pattern: RegExp, times?: number): Promise<RegExpMatchArray>
  readonly ended: Promise<number | NodeJS.Signals>
}

const started = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of started) child.kill('SIGKILL')
})

export function program(argv: readonly string[], options: SpawnOptions): Program {
  const { NODE_OPTIONS: _, DEBUG: __, ...env } = process.env
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'pipe'], ...options, env: { ...env, ...options.env } })
  started.add(child)
  let output = ''
  const watchers = new Set<() => void>()
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
      for (const watcher of watchers) watcher()
    })
  }
  const ended = once(child, 'close').then(([code, signal]) => {
    started.delete(child)
    return (signal ?? code) as number | NodeJS.Signals
  })
  return {
    child,
    pid: child.pid!,
    get output() {
      return output
    },
    ended,
    until(pattern, times = 1) {
      const all = new RegExp(pattern, pattern.flags.replace('g', '') + 'g')
      return new Promise((resolve, reject) => {
        const look = () => {
          const found = [...output.matchAll(all)]
          if (found.length < times) return
          watchers.delete(look)
          resolve(found[times - 1]!)
        }
        watchers.add(look)
        void ended.then(() => reject(new Error(`ended before ${pattern}:\n${output}`)))
        look()
      })
    },
  }
}

/** `greenroom ...` in a folder. */
export const greenroom = (folder: string, argv: readonly string[], options: SpawnOptions = {}): Program =>
  program([MAIN, ...argv], { cwd: folder, ...options })

/** Resolves once no process has this id. A process that nobody waits for has one until its parent has read its end. */
export async function isGone(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0)
    } catch {
      return
    }
    await sleep(systemClock, 20)
  }
}
