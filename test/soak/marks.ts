/**
 * What handlers did in a run with faults. They write a mark before and after their effect, past any buffer, so that a kill loses none
 * of it; those of all processes stand in one file, in the order in which they were written. Messages are numbered from 0, so that
 * millions of them fit in a few arrays.
 */
import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'

export type Kind = 'start' | 'end'
export interface Mark {
  readonly kind: Kind
  /** Which message. */
  readonly n: number
  readonly attempt: number
  readonly deliveries: number
  readonly pid: number
}

export const MARK_BYTES = 12
const START = 1

/** For handlers: marks that survive a kill. One a process. */
export function openMarks(
  folder: string,
  name = 'marks',
): { mark(kind: Kind, n: number, attempt: number, deliveries: number): void } {
  const file = openSync(join(folder, name), 'a'),
    record = Buffer.alloc(MARK_BYTES)
  record.writeUInt32LE(process.pid, 4)
  return {
    mark(kind, n, attempt, deliveries) {
      record[0] = kind === 'start' ? START : 0
      record[1] = Math.min(attempt, 255)
      record[2] = Math.min(deliveries, 255)
      record.writeUInt32LE(n, 8)
      writeSync(file, record)
    },
  }
}

const CHUNK = MARK_BYTES * 65_536

/** The marks in their order, some at a time. The object is the same each time: copy what is kept. */
export function* readMarks(folder: string, name = 'marks'): Generator<Mark> {
  const file = openSync(join(folder, name), 'a+'),
    chunk = Buffer.alloc(CHUNK)
  const mark = { kind: 'start' as Kind, n: 0, attempt: 0, deliveries: 0, pid: 0 }
  try {
    for (let at = 0, read = 0; (read = readSync(file, chunk, 0, CHUNK, at)) >= MARK_BYTES; at += read - (read % MARK_BYTES))
      for (let from = 0; from + MARK_BYTES <= read; from += MARK_BYTES) {
        mark.kind = chunk[from] === START ? 'start' : 'end'
        mark.attempt = chunk[from + 1]!
        mark.deliveries = chunk[from + 2]!
        mark.pid = chunk.readUInt32LE(from + 4)
        mark.n = chunk.readUInt32LE(from + 8)
        yield mark
      }
  } finally {
    closeSync(file)
  }
}
