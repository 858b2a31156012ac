/**
 * `--log json`: the same lines, each as one JSON object. Facts that a line was given stand beside its sentence, and what was there for
 * people to read alone (columns, further lines) is left out. A line of a child that is an object already passes as it is.
 */
import { isJsonLog, jsonLine, type Level } from '../lib/json-line.ts'
import { isPlainRecord } from '../lib/plain.ts'
import type { Facts, Io } from './command.ts'

export const LOGS = ['pretty', 'json'] as const
export type Log = (typeof LOGS)[number]

export function jsonIo(io: Io): Io {
  const own = io.parent && { child: io.parent.number }
  const write =
    (to: (line: string) => void, usual: Level) =>
    (line: string, facts: Facts = {}) => {
      const { level = usual, msg = line.trim(), pid = io.pid, ...rest } = facts
      to('stream' in facts && isObject(msg) ? msg : jsonLine(level, msg, { ...own, ...rest }, pid))
    }
  return { ...io, print: write(io.print, 'info'), error: write(io.error, 'warn') }
}

function isObject(line: string): boolean {
  if (!line.startsWith('{')) return false
  try {
    return isPlainRecord(JSON.parse(line))
  } catch {
    return false
  }
}

/** Makes the lines of this process, and those of the library in it and in what it starts, such ones. */
export function speak(log: Log, io: Io): Io {
  if (isJsonLog(io.env) !== (log === 'json')) io.env['GREENROOM_LOG'] = log
  return log === 'json' ? jsonIo(io) : io
}

/** For what is said of a command line before its settings are read, or when they are no more in reach: a worker's, as far as it is known. */
export function ioOf([name, ...argv]: readonly string[], io: Io): Io {
  const given = argv
    .flatMap((arg, at) => (arg === '--log' ? [argv[at + 1]] : arg.startsWith('--log=') ? [arg.slice(6)] : []))
    .at(-1)
  return name === 'worker' && (given === undefined ? isJsonLog(io.env) : given === 'json') ? jsonIo(io) : io
}
