/**
 * What happened, in lines that survive SIGKILL: each is written by one O_APPEND write before its writer goes on. Senders note
 * what was acknowledged, handlers each start and effect, whoever causes faults each fault, and after a drain what was found.
 * It knows no broker. `checker.ts` reads the lines; messages are dense numbers from 0, so that millions fit into typed arrays.
 *
 *   A 7 | A 0-511    acknowledged          M 7 | M 0-511   may be stored        W worker t             a worker opened its ledger
 *   S id attempt deliveries worker t       E id worker t   the effect           F kind worker t0 t1    a fault of that worker
 *   D id bytes reason   a dead letter      X id  expired   L id place  found    O what                 an orphan: key, body, lease
 *   P who ended allowed,allowed            U what  an unhandled rejection       R what before after slack     T what before during
 */
import { createReadStream, closeSync, existsSync, mkdirSync, openSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { machineMs } from '../../lib/clock.ts'

/** In the order in which they are read: a run is judged by faults and sends that are known. */
const FILES = ['faults', 'sent', 'runs', 'found'] as const
type File = (typeof FILES)[number]

export interface Ledger extends Disposable {
  readonly folder: string
  /** `to` is not included. */
  acked(from: number, to?: number): void
  maybe(from: number, to?: number): void
  opened(worker?: number): void
  start(id: number, attempt: number, deliveries: number, worker?: number): void
  effect(id: number, worker?: number): void
  fault(kind: string, worker: number, t0: number, t1: number): void
  dead(id: number, bytes: number, reason: string): void
  expired(id: number): void
  /** Where a live message was found at the end; once for each place. */
  found(id: number, place: string): void
  orphan(what: string): void
  /** How a process ended, by its exit code or signal, and how it may have. */
  exit(who: string, ended: number | string | null, allowed: readonly (number | string)[]): void
  unhandled(what: string): void
  /** Handles, listeners, memory: before and after, and how much more is no leak. */
  resource(what: string, before: number, after: number, slack: number): void
  throughput(what: string, before: number, during: number): void
}

/** A ledger in a folder, which any number of processes may have open. */
export function openLedger(folder: string): Ledger {
  mkdirSync(folder, { recursive: true })
  const open = new Map<File, number>()
  const note = (file: File, line: string) => {
    let fd = open.get(file)
    if (fd === undefined) open.set(file, (fd = openSync(join(folder, file), 'a')))
    writeSync(fd, `${line.replaceAll('\n', ' ')}\n`)
  }
  const range = (from: number, to: number) => (to === from + 1 ? `${from}` : `${from}-${to - 1}`)
  return {
    folder,
    acked: (from, to = from + 1) => note('sent', `A ${range(from, to)}`),
    maybe: (from, to = from + 1) => note('sent', `M ${range(from, to)}`),
    opened: (worker = process.pid) => note('runs', `W ${worker} ${machineMs()}`),
    start: (id, attempt, deliveries, worker = process.pid) =>
      note('runs', `S ${id} ${attempt} ${deliveries} ${worker} ${machineMs()}`),
    effect: (id, worker = process.pid) => note('runs', `E ${id} ${worker} ${machineMs()}`),
    fault: (kind, worker, t0, t1) => note('faults', `F ${kind} ${worker} ${t0} ${t1}`),
    dead: (id, bytes, reason) => note('found', `D ${id} ${bytes} ${reason}`),
    expired: id => note('found', `X ${id}`),
    found: (id, place) => note('found', `L ${id} ${place}`),
    orphan: what => note('found', `O ${what}`),
    exit: (who, ended, allowed) => note('found', `P ${who} ${ended} ${allowed.join(',')}`),
    unhandled: what => note('runs', `U ${what}`),
    resource: (what, before, after, slack) => note('found', `R ${what} ${before} ${after} ${slack}`),
    throughput: (what, before, during) => note('found', `T ${what} ${before} ${during}`),
    [Symbol.dispose]() {
      for (const fd of open.values()) closeSync(fd)
      open.clear()
    },
  }
}

/** Every line of a ledger, in the order in which the checker wants them. What a killed writer left of its last line is a line too. */
export async function readLedger(folder: string, take: (line: string) => void): Promise<void> {
  for (const file of FILES) if (existsSync(join(folder, file))) await readLines(join(folder, file), take)
}

const NEXT_EFFECT = Buffer.from('\nE '),
  EFFECT = NEXT_EFFECT[1],
  NEWLINE = NEXT_EFFECT[0]!

/** How many effects there have been so far. Each call reads what was written since the last one, so it may be made often. */
export function countEffects(folder: string): Disposable & { now(): number } {
  mkdirSync(folder, { recursive: true })
  const fd = openSync(join(folder, 'runs' satisfies File), 'a+'),
    chunk = Buffer.alloc(1 << 18)
  let at = 0,
    effects = 0
  return {
    now() {
      for (;;) {
        const read = readSync(fd, chunk, 0, chunk.length, at),
          end = chunk.subarray(0, read).lastIndexOf(NEWLINE)
        if (end < 0) return effects
        const lines = chunk.subarray(0, end)
        if (lines[0] === EFFECT) effects++
        for (let next = lines.indexOf(NEXT_EFFECT); next >= 0; next = lines.indexOf(NEXT_EFFECT, next + 1)) effects++
        at += end + 1
      }
    },
    [Symbol.dispose]: () => closeSync(fd),
  }
}

export async function readLines(path: string, take: (line: string) => void): Promise<void> {
  let rest = ''
  for await (const chunk of createReadStream(path, { encoding: 'latin1', highWaterMark: 1 << 20 })) {
    const lines = (rest + (chunk as string)).split('\n')
    rest = lines.pop()!
    for (const line of lines) take(line)
  }
  if (rest !== '') take(rest)
}
