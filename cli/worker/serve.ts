/** One worker process: imports the modules, starts a worker for each app, and stops them when it is told to. */
import type { Broker } from '../../lib/broker.ts'
import { shortDuration } from '../../lib/duration.ts'
import { listed } from '../../lib/errors.ts'
import type { Worker } from '../../lib/worker.ts'
import { appsToRun, loadApps } from '../apps.ts'
import type { Io, StopCause } from '../command.ts'
import { EXIT } from '../exit.ts'
import { usage } from '../failure.ts'
import { plural } from '../text.ts'
import { elsewhereLine } from './elsewhere.ts'
import { overLimit, sizeText, watchLimits } from './limits.ts'
import { watchLoading } from './loading.ts'
import { countQueues, type Expose, factsOf, UNEXPOSED } from './health.ts'
import { endText, type WorkerSettings, workOptions } from './options.ts'
import { report, sayFirst } from './report.ts'
import { stopping } from './stopping.ts'
import { tally, type Tally } from './tally.ts'
import { MARGIN_MS } from './supervise.ts'

export async function serve(
  modules: readonly string[],
  settings: WorkerSettings,
  verbose: boolean,
  io: Io,
  expose: Expose = () => UNEXPOSED,
): Promise<number> {
  const workers: Worker[] = [],
    served = new Map<Broker, Set<string>>()
  const decide = stopping(io.clock, io.parent !== undefined)
  /** Aborted by a stop: a worker that starts may wait for a broker that is away. */
  const stopAsked = new AbortController()
  let isStopping = false,
    isForced = false,
    isReady = false,
    code: number = EXIT.ok
  const exposed = expose({
    facts: () => factsOf(workers, isStopping ? 'draining' : isReady ? 'working' : 'starting'),
    queues: () => countQueues(served),
  })
  const stop = (cause: StopCause) => {
    const step = decide(cause)
    // An import that hangs would hold up an orphan for ever: nobody is left to kill it.
    if (cause === 'parent is gone')
      io.clock.after(settings.graceMs + settings.abortGraceMs + MARGIN_MS, () => io.quit(EXIT.unexpected), { ref: false })
    if (step === 'quit') return io.quit(EXIT.unexpected)
    if (step === 'ignore') return
    isStopping = true
    if (step === 'force') isForced = true
    io.error(stopLine(cause, step), { level: step === 'force' ? 'warn' : 'info', cause, running: running() })
    for (const worker of workers) void worker.close(step === 'force' ? { grace: 0 } : {})
    stopAsked.abort()
    exposed.changed()
  }
  const off = io.onStop(stop)
  const maxTimer =
    settings.maxTimeMs === undefined
      ? undefined
      : io.clock.after(settings.maxTimeMs, () => isStopping || stop('max time'), { ref: false })
  /** Drains, and asks whoever started it for another one. */
  const endForAnother = (why: string) => {
    if (isStopping) return
    isStopping = true
    code = EXIT.again
    io.error(`${why}: stopping with exit code ${EXIT.again}, to be started again`, { exit: EXIT.again, running: running() })
    for (const worker of workers) void worker.close()
    exposed.changed()
  }
  const offReload = io.onReload(() => endForAnother('SIGHUP'))
  /** A child has its place in common with the one that takes it over. */
  const who = io.parent ? `process ${io.pid} ` : ''
  const running = () => workers.reduce((sum, worker) => sum + worker.running, 0)
  function stopLine(cause: StopCause, step: 'drain' | 'force'): string {
    const handlers = plural(running(), 'handler'),
      left = workers.reduce((sum, { stuck }) => sum + stuck, 0),
      behind = left === 0 ? '' : `, ${left} left behind`
    if (step === 'force') return `${who}stopping now: ${handlers} told to end${behind}, unfinished messages run again`
    const why = cause === 'parent is gone' ? 'the parent process is gone: ' : cause === 'max time' ? '--max-time is over: ' : ''
    if (workers.length === 0) return `${why}${who}stopping: nothing runs yet`
    if (running() === 0) return `${why}${who}stopping: no handler is running${behind}`
    const again = io.parent ? '' : '; again to stop now'
    return `${why}${who}stopping: ${handlers} running${behind}, up to ${shortDuration(settings.graceMs)}${again}`
  }

  const ends = endText(settings)
  const loud = io.parent === undefined || io.parent.number === 1
  const load = async () => appsToRun(await loadApps(modules, io), modules)
  /** What is asked of this process from outside: at its end nobody answers any more, and nothing is said of it. */
  const leave = () => {
    off()
    offReload()
    maxTimer?.cancel()
    exposed.end()
  }
  const { result: found, stop: stopWatching } = await (
    loud ? watchLoading(modules, io, load) : load().then(result => ({ result, stop: () => {} }))
  ).catch((error: unknown) => {
    leave()
    throw error
  })
  const watched = {
    clock: io.clock,
    rssBytes: io.rssBytes,
    stuck: () => Math.max(0, ...workers.map(({ stuck }) => stuck)),
  }
  if (overLimit(settings, watched)) {
    leave()
    throw usage(
      `--max-memory ${sizeText(settings.maxMemory!)} is less than this process takes before it works (${sizeText(io.rssBytes())})`,
      'Raise it to some times as much',
    )
  }
  const offLimits = watchLimits(settings, watched, why =>
    io.parent ? io.parent.spent(why) : endForAnother(`process ${io.pid} ${why}`),
  )
  const quiet = report(io, { verbose, problems: !found.some(({ app }) => app.chain.includes('logging')) })
  const counts = ends === undefined ? undefined : tally(io.clock)
  let sum: Awaited<ReturnType<Tally['told']>> | undefined
  try {
    if (loud) io.print(`greenroom ${io.version} worker, process ${io.pid}`, { version: io.version })
    const everyQueue = new Set(found.flatMap(({ queues }) => queues))
    const able = found.filter(one => workOptions(settings, one, everyQueue))
    if (able.length > 1 && settings.maxMessages !== undefined)
      throw usage('--max-messages counts for one app', `${listed(modules)} makes ${able.length}: start a worker for each`)
    for (const one of found) {
      const options = workOptions(settings, one, everyQueue)
      if (!options || isStopping) continue
      one.internals.reports = false // `report` above tells of problems
      const worker = await started(one.app.work(options), stopAsked.signal)
      if (!worker) break
      workers.push(worker)
      const { broker } = await one.internals.open()
      served.set(broker, new Set([...(served.get(broker) ?? []), ...worker.queues]))
      if (loud) sayFirst(io, broker.name, options, one)
      if (isStopping) void worker.close(isForced ? { grace: 0 } : {}) // told while it started
    }
    if (workers.length === 0 && !isStopping)
      throw usage(`No actor is on the queues of --queues`, `There are ${listed(everyQueue)}`)
    const stopped = Promise.all(workers.map(({ stopped }) => stopped))
    if (!isStopping) {
      isReady = true
      exposed.changed()
      if (io.parent) {
        io.print(`process ${io.pid} is ready`, { state: 'ready' })
        io.parent.ready() // after that line: now the one whose place it takes begins to stop, and says so
      }
      if (loud) await Promise.race([sayElsewhere(), stopped]) // a broker that does not answer does not hold up a stop
      if (!io.parent) io.print(`ready; ${ends === undefined ? 'Ctrl-C stops' : `stops ${ends}`}`, { state: 'ready' })
    }
    await stopped
    if (counts) sum = await counts.told(served)

    async function sayElsewhere(): Promise<void> {
      for (const [broker, queues] of served) {
        const line = await elsewhereLine(broker.inspector, queues)
        if (line !== undefined && !isStopping) io.print(`  ${line}`, { level: 'warn' })
      }
    }
  } finally {
    await Promise.all(workers.map(worker => worker.close()))
    await Promise.all(found.map(({ app }) => app.close()))
    stopWatching()
    quiet()
    counts?.end()
    offLimits()
    leave()
  }
  if (isStopping || ends !== undefined)
    io.print(`${who}${isForced ? 'stopped at once' : 'stopped'}${sum?.text ?? ''}`, { state: 'stopped', ...sum?.facts })
  return isForced ? EXIT.unexpected : code
}

/** The worker, when it has started; undefined when a stop comes first: then the app, which is closed next, ends what was begun. */
async function started(starting: Promise<Worker>, stop: AbortSignal): Promise<Worker | undefined> {
  const stopped = new Promise<undefined>(resolve => {
    stop.addEventListener('abort', () => void Promise.resolve().then(() => resolve(undefined)), { once: true })
  })
  starting.catch(() => {}) // told by the race, or of no interest any more
  return await Promise.race([starting, stopped])
}
