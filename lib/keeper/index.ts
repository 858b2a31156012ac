/**
 * The event loop's end of the keeper thread: one a process, shared by its workers, started by the first and ended with the last. It never
 * keeps a process alive. Only workers in real time have one: a clock that a test moves says nothing of the loop.
 */
import { fileURLToPath } from 'node:url'
import { isMainThread, Worker } from 'node:worker_threads'
import { afterRealTime, type Clock, type Timer, within } from '../clock.ts'
import { optionsOf, programOf } from '../programs.ts'
import { shared } from '../registry.ts'
import { board } from './board.ts'
import type { Blocked, Kept, KeeperData, Limits, Said, Told } from './protocol.ts'

/** What a worker wants to be kept and watched. */
export interface Watched extends Limits {
  /** Workers of one app hear of a block once. */
  readonly app: object
  readonly clock: Clock
  /** What renews its lease, where its adapter has that. */
  readonly kept: Kept | undefined
  /** The longest time limit of what it runs now; 0 when it runs nothing. */
  longestMs(): number
  blocked(blocked: Blocked): void
  /** A renewal failed, or works again: undefined. The thread itself failed, or could not be started. */
  trouble(what: string, error: string | undefined): void
}

export interface Keeping {
  /** Renews no more, and has closed what the adapter's module held; with the last one the thread has ended. */
  end(): Promise<void>
}

/** The loop says so often that it moves: each time wakes a core; and more often where it may be missed for a short time only. */
const BEAT_MS = 500
const SHORT_BEAT_MS = 250
const SHORT_MS = 2_000
/** A thread that ended by itself is started again after so long. */
const AGAIN_MS = 1_000
/** So long an adapter's module may take to close. */
const DROP_MS = 5_000

interface Keeper {
  readonly watched: Map<number, Watched>
  readonly dropped: Map<number, () => void>
  ids: number
  thread: Worker | undefined
  timer: Timer | undefined
  inspectorUrl: (() => string | undefined) | undefined
}

/** Of all copies of this code in a process. The number is that of what they say to each other. */
const KEY = Symbol.for('greenroom/keeper/2')
const holder = globalThis as { [KEY]?: Keeper }
const keeper: Keeper = (holder[KEY] ??= {
  watched: new Map(),
  dropped: new Map(),
  ids: 0,
  thread: undefined,
  timer: undefined,
  inspectorUrl: undefined,
})
const { watched, dropped } = keeper

export async function keepWatch(worker: Watched): Promise<Keeping> {
  // Before the first beat: a Node without an inspector has no url().
  keeper.inspectorUrl ??= await import('node:inspector').then(
    ({ url }) => url,
    () => () => undefined,
  )
  const id = ++keeper.ids
  watched.set(id, worker)
  if (watched.size === 1) {
    beat()
    start()
  } else {
    keeper.timer?.cancel()
    beat() // it may have to be more often now
    tell({ kind: 'limits', limits: limits() })
    if (worker.kept) tell({ kind: 'keep', id, kept: worker.kept })
  }
  return {
    async end() {
      if (worker.kept && keeper.thread) await drop(id, worker.clock)
      if (!watched.delete(id)) return
      if (watched.size > 0) return tell({ kind: 'limits', limits: limits() })
      keeper.timer?.cancel()
      board.named = undefined
      const { thread } = keeper
      keeper.thread = undefined
      await thread?.terminate() // it holds nothing any more
    },
  }
}

const tell = (told: Told) => keeper.thread?.postMessage(told)
const limits = (): readonly Limits[] =>
  Array.from(watched.values(), ({ thresholdMs, graceMs, maxBlockMs }) => ({ thresholdMs, graceMs, maxBlockMs }))

async function drop(id: number, clock: Clock): Promise<void> {
  const done = new Promise<void>(resolve => {
    dropped.set(id, resolve)
  })
  tell({ kind: 'drop', id })
  await within(done, DROP_MS, clock, () => undefined).catch(() => {}) // it is ended with the thread at the latest
  dropped.delete(id)
}

function beat(): void {
  let longestMs = 0,
    isShort = false
  for (const worker of watched.values()) {
    longestMs = Math.max(longestMs, worker.longestMs())
    isShort ||= Math.min(worker.thresholdMs, worker.maxBlockMs ?? Infinity) < SHORT_MS
  }
  board.beat(longestMs, keeper.inspectorUrl?.() !== undefined)
  keeper.timer = afterRealTime(isShort ? SHORT_BEAT_MS : BEAT_MS, beat, { ref: false })
}

function start(): void {
  const program = programOf('lib/keeper/thread')
  if (!program) return unable('the keeper thread is not part of this bundle: install greenroom beside it')
  const home = new URL('../../', program)
  let thread: Worker
  try {
    thread = new Worker(program, {
      name: 'greenroom keeper',
      workerData: {
        memory: board.memory,
        names: board.names,
        roots: [...shared.roots, home.href, fileURLToPath(home)], // as ES modules and as CommonJS
        isMain: isMainThread,
        limits: limits(),
        kept: Array.from(watched, ([id, { kept }]) => [id, kept] as const).filter(
          (row): row is [number, Kept] => row[1] !== undefined,
        ),
      } satisfies KeeperData,
      execArgv: [...optionsOf(program)],
    })
  } catch (error) {
    return unable('the keeper thread could not be started', String(error)) // no permission for threads, or data that cannot be cloned
  }
  keeper.thread = thread
  board.named = (place, name) => tell({ kind: 'named', place, name })
  thread.unref()
  thread.on('message', heard)
  thread.on('error', error => unable('the keeper thread failed', error.message))
  thread.on('exit', () => {
    if (keeper.thread !== thread) return
    keeper.thread = undefined
    for (const resolve of dropped.values()) resolve()
    afterRealTime(AGAIN_MS, () => watched.size > 0 && !keeper.thread && start(), { ref: false })
  })
}

/** Where no lease depends on it, nothing is lost but the watch. */
function unable(what: string, error = ''): void {
  for (const { kept, trouble } of watched.values()) if (kept || error !== '') trouble(what, error)
}

function heard(said: Said): void {
  switch (said.kind) {
    case 'blocked':
      for (const { blocked } of new Map(Array.from(watched.values(), worker => [worker.app, worker])).values())
        blocked(said.blocked)
      return
    case 'renewal':
      return watched.get(said.id)?.trouble('the lease could not be renewed', said.error)
    case 'dropped':
      return dropped.get(said.id)?.()
    default:
      said satisfies never
  }
}
