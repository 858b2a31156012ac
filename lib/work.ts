/** `app.work()`: checks what a worker needs, and puts its parts together. */
import { GreenroomError, listed } from './errors.ts'
import { createExecutor } from './executor.ts'
import { createInnermost } from './innermost.ts'
import type { Internals } from './internals.ts'
import { composeStages } from './layers.ts'
import { reporting } from './problems.ts'
import { createStuck } from './stuck.ts'
import { type WorkOptions, workSettings } from './work-options.ts'
import { startWorker, type Worker } from './worker.ts'

/** @throws {GreenroomError} `ACTOR_DUPLICATE`, `WORKER_INVALID`, and what opening the app throws */
export async function work(app: Internals, options: WorkOptions): Promise<Worker> {
  const { definitions, duplicates, chain, table, defaults, encoder, log, workers, toSending } = app
  for (const [name, files] of duplicates) {
    throw new GreenroomError('ACTOR_DUPLICATE', `Two actors are called ${name}: in ${listed(files)}`, {
      help: 'Rename one of them; messages carry the name and nothing else',
    })
  }
  const implemented = new Set([...definitions.values()].filter(({ handler }) => handler).map(({ queue }) => queue))
  const settings = workSettings(options, implemented)
  if (!chain.some(({ name }) => name === 'retries'))
    log.warn({ chain: chain.map(({ name }) => name) }, 'the middleware chain has no retries: a message that fails once is dead')
  const opened = await app.open()
  app.checkOpen(opened)
  const live = app.reports ? { ...opened, events: reporting(opened.events, log) } : opened
  const stuck = createStuck(settings.maxStuck, live.events, log)
  const innermost = createInnermost({
    definitions,
    clock: live.clock,
    events: live.events,
    maxDeliveries: settings.maxDeliveries,
    abortGraceMs: settings.abortGraceMs,
    stuck,
  })
  const stage = composeStages(chain, innermost)
  const worker = await startWorker(
    live,
    ended => createExecutor({ live, encoder, table, defaults, definitions, stage, toSending, ended }),
    settings,
    log,
    stuck,
  )
  try {
    app.checkOpen(opened) // it may have been closed meanwhile, and did not know of this one
  } catch (error) {
    await worker.close({ grace: 0 })
    throw error
  }
  workers.add(worker)
  void worker.stopped.then(() => workers.delete(worker))
  return worker
}
