/**
 * The event loop's end of an engine thread: one a process and folder, shared by all brokers on it and started by the first that asks.
 * The thread keeps the process alive only while an answer is outstanding, so whoever only sends can end by itself, and never inside a transaction.
 */
import { Worker } from 'node:worker_threads'
import type { Clock, Timer } from '../../lib/clock.ts'
import { GreenroomError } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import { shared } from '../../lib/registry.ts'
import { noBroker } from '../../lib/thread/failures.ts'
import { engineMissing, isOutOfFiles, outOfFiles } from './failures.ts'
import { lockHolder } from './lock.ts'
import type { Answer, EngineData, Failure, Input, Op, Request, Said } from './protocol.ts'
import { optionsOf, programOf } from '../../lib/programs.ts'
import { newGate, unwatchExit, watchExit } from './standstill.ts'

export interface EngineOptions extends Omit<EngineData, 'gate'> {
  readonly clock: Clock
  readonly log: Logger
  /** How long a transaction may wait for the lock of the folder before it is reported, ms. */
  readonly lockTimeoutMs: number
}

export interface Engine {
  ask<O extends Op>(namespace: string, op: O, input: Input<O>, transfer?: readonly Uint8Array[]): Promise<Answer<O>>
  /** Whom to tell of tokens that a consumer lost. */
  readonly lost: Map<number, (tokens: readonly number[]) => void>
  /** False once the thread has ended: ask for another one. */
  readonly running: boolean
  /** One user fewer; with the last one the thread closes the folder and ends. */
  release(): Promise<void>
}

interface Shared extends Engine {
  users: number
}
/** Of all copies of this code: two LMDBs of one process would drop each other's locks. The number is that of what they say to each other. */
const KEY = Symbol.for('greenroom/engines/1')
const holder = globalThis as { [KEY]?: Map<string, Shared> }
const engines = (holder[KEY] ??= new Map())

/** The engine of a folder, with one user more. */
export function engineOf(options: EngineOptions): Engine {
  if (shared.thread) throw noBroker(`file:${options.path}`)
  let engine = engines.get(options.path)
  if (!engine?.running) engines.set(options.path, (engine = startEngine(options)))
  engine.users++
  return engine
}

/**
 * What the thread makes and drops at once, MB: keys, records, answers. Left alone V8 takes 48 for that, of which the thread gains nothing
 * (measured on a busy machine, three runs each: no more CPU a message, and 9 MB less of a worker's memory in the mean).
 */
const YOUNG_MB = 16

/** Answered when something comes, not when a transaction is done. */
const WAITS: ReadonlySet<Op> = new Set<Op>(['take', 'read'])

function startEngine({ clock, log, lockTimeoutMs, ...data }: EngineOptions): Shared {
  const program = programOf('brokers/embedded/engine')
  if (!program) throw engineMissing()
  const gate = newGate(),
    thread = new Worker(program, {
      name: 'greenroom embedded',
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
      workerData: { ...data, gate } satisfies EngineData,
      execArgv: [...optionsOf(program)],
    })
  interface Asked {
    readonly op: Op
    readonly resolve: (value: never) => void
    readonly reject: (error: Error) => void
  }
  const asked = new Map<number, Asked>(),
    lost = new Map<number, (tokens: readonly number[]) => void>()
  let ids = 0,
    running = true,
    closing = false,
    ready = false,
    pressing = 0,
    patience: Timer | undefined
  const ended = new Promise<void>(resolve => {
    thread.once('exit', () => resolve())
  })

  function watchLock(): void {
    patience?.cancel()
    patience =
      pressing === 0 || !ready
        ? undefined
        : clock.after(
            lockTimeoutMs,
            () => {
              void lockHolder(data.path).then(pid =>
                log.warn(
                  { path: data.path, waitedMs: lockTimeoutMs, ...(pid !== undefined && { pid }) },
                  `another process holds the lock of the folder${pid === undefined ? '' : `: pid ${pid}`}; if it is stopped, let it go on or kill it`,
                ),
              )
              watchLock()
            },
            { ref: false },
          )
  }

  function settled(id: number): Asked | undefined {
    const found = asked.get(id)
    if (!found) return undefined
    asked.delete(id)
    if (!WAITS.has(found.op)) pressing--
    if (asked.size === 0 && !closing) thread.unref()
    return found
  }

  function stop(failure: Failure): void {
    running = false
    patience?.cancel()
    unwatchExit(gate)
    const failed = Array.from(asked.keys(), id => settled(id)!)
    for (const { reject } of failed) reject(asError(failure))
    if (engines.get(data.path) === self) engines.delete(data.path)
  }

  function heard(said: Said): void {
    switch (said.kind) {
      case 'replies':
        for (const reply of said.replies) {
          const found = settled(reply.id)
          if ('failure' in reply) found?.reject(asError(reply.failure))
          else found?.resolve(reply.value as never)
        }
        return watchLock()
      case 'ready':
        ready = true
        return watchLock()
      case 'failed':
        return stop(said.failure)
      case 'lost':
        lost.get(said.consumer)?.(said.tokens)
        return
      case 'log':
        log[said.level](said.facts, said.text)
        return
      default:
        said satisfies never
    }
  }

  const self: Shared = {
    users: 0,
    lost,
    get running() {
      return running
    },
    ask(namespace, op, input, transfer = []) {
      return new Promise((resolve, reject) => {
        if (!running) return reject(asError(gone('has ended')))
        const id = ++ids
        if (asked.size === 0) thread.ref()
        asked.set(id, { op, resolve, reject })
        if (!WAITS.has(op) && pressing++ === 0) watchLock()
        thread.postMessage(
          { id, namespace, op, input } as Request,
          transfer.map(({ buffer }) => buffer as ArrayBuffer),
        )
      })
    },
    async release() {
      if (--self.users > 0 || !running) return
      if (engines.get(data.path) === self) engines.delete(data.path)
      // Its exit is waited for, not only its answer.
      closing = true
      thread.ref()
      void self.ask('', 'close', {}).catch(() => {})
      await ended
    },
  }
  thread.unref()
  watchExit(gate)
  thread.on('message', heard)
  // Before it is ready it has looked at no request.
  const ending = (how: string): Failure => ({ ...gone(how), stored: ready ? 'maybe' : 'no' })
  thread.on('error', error => stop(!ready && isOutOfFiles(error) ? outOfFiles(error) : ending(`has ended: ${error.message}`)))
  thread.on('exit', () => stop(ending('has ended')))
  return self
}

const gone = (how: string): Failure => ({
  code: 'BROKER_DOWN',
  what: `The thread of the embedded broker ${how}`,
  help: 'Try again; if it goes on, please report it',
  retryable: true,
  stored: 'maybe',
})

export const asError = ({ code, what, help, retryable = false, stored, details }: Failure): GreenroomError =>
  new GreenroomError(code, what, {
    help,
    retryable,
    ...(stored !== undefined && { stored }),
    ...(details !== undefined && { details }),
  })
