/**
 * The threads of a worker, for actors with `isolate: 'thread'`: one an isolated run at a time, used again, at most so many. A run that
 * is aborted and does not end within the grace is ended with its thread; a thread that ends by itself is a failed run. Whatever
 * a thread wants of the broker it asks here (serve.ts), so that ending one can hold up nobody.
 */
import type { Clock, Timer } from '../clock.ts'
import type { Definition } from '../definition.ts'
import { shortDuration } from '../duration.ts'
import { failedOutcome } from '../innermost.ts'
import type { Internals } from '../internals.ts'
import type { End } from '../layers.ts'
import type { Live } from '../live.ts'
import type { AbortReason } from '../middleware.ts'
import type { Outcome } from '../outcome.ts'
import { shared } from '../registry.ts'
import { interrupted, type Run } from '../run.ts'
import { unpack } from './carry.ts'
import { LOAD_MS, notLoaded, threadEnded } from './failures.ts'
import type { Came } from './protocol.ts'
import { startThread, type Thread } from './thread.ts'

export interface ThreadsParts {
  readonly app: Internals
  readonly live: Live
  readonly abortGraceMs: number
  readonly most: number
  readonly memoryMb: number | undefined
}

export interface Threads {
  run(run: Run, definition: Definition, end: End): void
  /** Ends all of them, and waits for it. */
  close(): Promise<void>
}

export function createThreads({ app, live, abortGraceMs, most, memoryMb }: ThreadsParts): Threads {
  const { clock } = live
  const all = new Set<Thread>(),
    ending = new Set<Promise<unknown>>(),
    idle: Thread[] = []
  let waiting: Isolated[] = []

  /** One that has not loaded another version of this actor: a hot reload defines it again. */
  function free(definition: Definition): Thread | undefined {
    const fits = ({ known }: Thread) => (known.get(definition.name) ?? definition) === definition
    const index = idle.findLastIndex(fits)
    if (index >= 0) return idle.splice(index, 1)[0]
    if (all.size >= most && idle.length > 0) end(idle.shift()!)
    return all.size < most ? start() : undefined
  }

  function start(): Thread {
    const thread = startThread({
      app,
      live,
      memoryMb,
      free(thread) {
        idle.push(thread)
        next()
      },
      gone(thread, failure) {
        all.delete(thread)
        if (idle.includes(thread)) {
          idle.splice(idle.indexOf(thread), 1)
          app.log.warn({ err: failure.error }, 'a thread ended while nothing ran in it; the next run gets another one')
        }
        thread.job?.failed(failure)
        next()
      },
    })
    all.add(thread)
    return thread
  }

  function end(thread: Thread): void {
    all.delete(thread)
    const ended = thread.end()
    ending.add(ended)
    void ended.then(() => ending.delete(ended))
  }

  function next(): void {
    waiting = waiting.filter(({ isOver }) => !isOver)
    for (let job = waiting[0]; job; job = waiting[0]) {
      const thread = free(job.definition)
      if (!thread) return
      waiting.shift()
      job.take(thread)
    }
  }
  const host: Host = {
    clock,
    abortGraceMs,
    end(thread) {
      end(thread)
      next()
    },
  }

  return {
    run(run, definition, end) {
      const job = new Isolated(run, definition, end, host)
      waiting.push(job)
      next()
    },
    async close() {
      for (const thread of all) end(thread)
      idle.length = 0
      await Promise.all(ending)
    },
  }
}

interface Host {
  readonly clock: Clock
  readonly abortGraceMs: number
  /** Ends a thread, whatever runs in it. */
  end(thread: Thread): void
}

/** A run in a thread, from its wait for one to its end. Until the handler is called an abort ends it at once, and nothing counts as running time. */
export class Isolated {
  readonly run: Run
  readonly definition: Definition
  readonly #end: End
  readonly #host: Host
  readonly #resume: () => void
  #thread: Thread | undefined
  #timer: Timer | undefined
  #isRunning = false
  isOver = false
  constructor(run: Run, definition: Definition, end: End, host: Host) {
    this.run = run
    this.definition = definition
    this.#end = end
    this.#host = host
    run.execution = this
    this.#resume = run.pause()
  }
  take(thread: Thread): void {
    const { name, homes = [] } = this.definition
    this.#thread = thread
    thread.hold(this)
    if (thread.known.has(name)) return this.loaded()
    const groups = shared.modules ? [shared.modules, ...homes.map(home => [home])] : homes.map(home => [home])
    this.#timer = this.#host.clock.after(LOAD_MS, () => {
      this.#host.end(thread)
      this.#over({ kind: 'failed', error: notLoaded(name, groups.flat(), `did not load within ${shortDuration(LOAD_MS)}`) })
    })
    thread.load(this.definition, groups)
  }
  /** The thread has the code: from here on it is the handler that takes its time. */
  loaded(): void {
    const { message, attempt, deliveries } = this.run
    this.#timer?.cancel()
    this.#isRunning = true
    this.#resume()
    this.#thread!.tell({ kind: 'run', message, attempt, deliveries })
  }
  abort(reason: AbortReason): void {
    if (!this.#isRunning) return this.#over(interrupted(reason, this.run.message.actor))
    const { clock, abortGraceMs, end } = this.#host
    this.#thread!.tell({ kind: 'abort', reason })
    this.#timer = clock.after(abortGraceMs, () => {
      end(this.#thread!)
      this.run.log.warn(
        { reason },
        `the handler went on for ${shortDuration(abortGraceMs)} after its signal was aborted; its thread was ended`,
      )
      this.#over(interrupted(reason, this.run.message.actor))
    })
  }
  came(came: Came): void {
    this.#over(this.#outcome(came))
  }
  failed({ error }: { readonly error: Error }): void {
    const { actor } = this.run.message
    this.#over(this.#isRunning ? failedOutcome(this.run, error) : { kind: 'failed', error: error ?? threadEnded(actor, 'ended') })
  }
  #outcome(came: Came): Outcome {
    const { run, definition } = this
    switch (came.kind) {
      case 'done': {
        const then = came.then?.map(({ message, generated }) => {
          if (generated) shared.generatedIds.add(message)
          return message
        })
        const result = unpack({ as: 'value', value: came.result })
        return then ? { kind: 'done', result, then } : { kind: 'done', result }
      }
      case 'failed':
        return failedOutcome(run, unpack(came.error, definition.options))
      case 'dead':
        return { ...came, error: unpack(came.error, definition.options) }
      case 'release':
        return came
      default:
        return came satisfies never
    }
  }
  #over(outcome: Outcome): void {
    if (this.isOver) return
    this.isOver = true
    this.#timer?.cancel()
    this.run.over = true
    this.run.execution = undefined
    this.#end(this.run, outcome)
  }
}
