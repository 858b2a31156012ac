/** `app.work()`: checks what a worker needs, and puts its parts together. */
import { GreenroomError, listed } from './errors.ts'
import { createExecutor } from './executor.ts'
import { createInnermost } from './innermost.ts'
import type { Definition } from './definition.ts'
import type { Internals } from './internals.ts'
import { composeStages } from './layers.ts'
import type { Live } from './live.ts'
import type { Message } from './message.ts'
import { reporting } from './problems.ts'
import { createStuck } from './stuck.ts'
import { interrupted } from './run.ts'
import type { Threads } from './thread/pool.ts'
import { type WorkOptions, type WorkSettings, workSettings } from './work-options.ts'
import { startWorker, type Worker } from './worker.ts'

/** @throws {GreenroomError} `ACTOR_DUPLICATE`, `WORKER_INVALID`, and what opening the app throws */
export async function work(app: Internals, options: WorkOptions): Promise<Worker> {
  const { definitions, duplicates, chain, table, defaults, encoder, log, workers, running, toSending } = app
  for (const [name, files] of duplicates) {
    throw new GreenroomError('ACTOR_DUPLICATE', `Two actors are called ${name}: in ${listed(files)}`, {
      help: 'Rename one of them; messages carry the name and nothing else',
    })
  }
  const implemented = new Set([...definitions.values()].filter(({ handler }) => handler).map(({ queue }) => queue))
  const asked = workSettings(options, implemented)
  const settings = app.isolates ? { ...asked, limits: threadLimits(asked, definitions.values()) } : asked
  if (!chain.some(({ name }) => name === 'retries'))
    log.warn({ chain: chain.map(({ name }) => name) }, 'the middleware chain has no retries: a message that fails once is dead')
  const opened = await app.open()
  app.checkOpen(opened)
  const reports = app.reports ? reporting(opened.events, log, opened.clock) : undefined
  const live = reports ? { ...opened, events: reports } : opened
  const stuck = createStuck(settings.maxStuck, live.events, log)
  const threads = app.isolates ? lazyThreads(app, live, settings) : undefined
  const innermost = createInnermost({
    definitions,
    clock: live.clock,
    events: live.events,
    maxDeliveries: settings.maxDeliveries,
    abortGraceMs: settings.abortGraceMs,
    stuck,
    isolated: threads?.run,
  })
  const stage = composeStages(chain, innermost)
  let messages: () => readonly Message[] = () => []
  const worker = await startWorker(
    live,
    ended => {
      const executor = createExecutor({ live, encoder, table, defaults, definitions, stage, toSending, ended })
      messages = executor.messages
      return executor
    },
    settings,
    log,
    stuck,
    threads?.close,
  )
  try {
    app.checkOpen(opened) // it may have been closed meanwhile, and did not know of this one
  } catch (error) {
    await worker.close({ grace: 0 })
    throw error
  }
  workers.add(worker)
  running.add(messages)
  void worker.stopped.then(() => {
    workers.delete(worker)
    running.delete(messages)
    reports?.flush()
  })
  return worker
}

/** Their code is loaded with the first isolated run: nobody else pays for it. */
function lazyThreads(app: Internals, live: Live, { abortGraceMs, threads: most, threadMemory: memoryMb }: WorkSettings): Threads {
  let threads: Promise<Threads> | undefined
  return {
    run(run, definition, end) {
      threads ??= import('./thread/pool.ts').then(({ createThreads }) =>
        createThreads({ app, live, abortGraceMs, most, memoryMb }),
      )
      threads.then(
        made => (run.reason ? end(run, interrupted(run.reason, definition.name)) : made.run(run, definition, end)),
        (error: unknown) => end(run, { kind: 'failed', error }),
      )
    },
    close: async () => (await threads)?.close(),
  }
}

/** A queue of isolated actors alone brings no more at once than there are threads: what waits stays with the broker, for others. */
export function threadLimits({ queues, limits, concurrency, threads }: WorkSettings, definitions: Iterable<Definition>) {
  const here = [...definitions].filter(({ handler }) => handler)
  const isIsolated = (queue: string) => {
    const own = here.filter(definition => definition.queue === queue)
    return own.length > 0 && own.every(({ isolate }) => isolate)
  }
  if (limits || !queues.some(isIsolated)) return limits
  return new Map(queues.map(queue => [queue, isIsolated(queue) ? Math.min(threads, concurrency) : concurrency]))
}
