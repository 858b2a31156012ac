/**
 * `--processes n`: a parent that runs no handler itself. It starts children, passes on what they print, starts again what
 * dies, replaces what has reached a limit or runs old code, and stops them together. A child that loses its parent drains by itself.
 * What an end means is policy.ts, who serves in a place place.ts.
 */
import { relative } from 'node:path'
import { shortDuration } from '../../lib/duration.ts'
import type { Io, StopCause } from '../command.ts'
import { EXIT } from '../exit.ts'
import { plural } from '../text.ts'
import { childrenHealth } from './children-health.ts'
import type { Probes } from './health-server.ts'
import type { WorkerSettings } from './options.ts'
import { keepPlace, type Life, type Place } from './place.ts'
import { afterEnd, NO_DEATHS } from './policy.ts'
import { rolling } from './rolling.ts'
import { watchSources } from './sources.ts'
import { stopping } from './stopping.ts'

/** After the grace, the abort and this, a child does not answer any more and is killed; its messages run again. */
export const MARGIN_MS = 5_000

/** @param modules their files: watched with `--watch`, and so is all that they load */
export async function supervise(
  argv: readonly string[],
  { processes = 1, graceMs, abortGraceMs, drain, watch, maxTimeMs, maxMessages }: WorkerSettings,
  io: Io,
  modules: readonly string[] = [],
  answer: (probes: Probes) => void = () => {},
): Promise<number> {
  const alive = new Set<Life>(),
    places: Place[] = [],
    stop = new AbortController(),
    decide = stopping(io.clock, false)
  let code: number = EXIT.ok,
    deaths = NO_DEATHS,
    everReady = false
  const { probes, heard } = childrenHealth(
    io.clock,
    processes,
    () => alive,
    () => stop.signal.aborted,
  )
  answer(probes)
  const end = (cause: StopCause) => {
    const step = decide(cause)
    if (step === 'ignore') return
    if (step === 'quit') {
      for (const { child } of alive) child.kill()
      return io.quit(EXIT.unexpected)
    }
    if (step === 'force') code = EXIT.unexpected
    io.error(
      step === 'force'
        ? 'stopping now: unfinished messages run again'
        : `${cause === 'max time' ? '--max-time is over: ' : ''}stopping: ${plural(alive.size, 'process', 'processes')}, up to ${shortDuration(graceMs)}; again to stop now`,
      { level: step === 'force' ? 'warn' : 'info', cause, processes: alive.size },
    )
    stopAll(step === 'force' ? 'force' : 'stop')
  }
  const offStop = io.onStop(end)
  const maxTimer =
    maxTimeMs === undefined ? undefined : io.clock.after(maxTimeMs, () => stop.signal.aborted || end('max time'), { ref: false })
  const renewAll = rolling(places, stop.signal, io.error)
  const offReload = io.onReload(() => reload('SIGHUP'))
  const sources = watch
    ? watchSources({
        clock: io.clock,
        changed: file => reload(`${relative(io.cwd, file)} has changed`),
        blind: (folder, { message }) => io.error(`greenroom: changes in ${folder} are not seen: ${message}`),
      })
    : undefined
  sources?.add(modules)

  function stopAll(word: 'stop' | 'force'): void {
    stop.abort()
    for (const life of alive) dismiss(life, word)
    for (const place of places) place.wake()
  }
  function dismiss(life: Life, word: 'stop' | 'force' = 'stop'): void {
    const { child, place } = life
    life.isDismissed = true
    child.order(word)
    life.killTimer?.cancel()
    life.killTimer = io.clock.after((word === 'stop' ? graceMs : 0) + abortGraceMs + MARGIN_MS, () => {
      io.error(`[${place}] process ${child.pid} does not end: killed; its messages run again`, {
        level: 'error',
        ...factsOf(life),
      })
      child.kill()
    })
  }

  function start(place: number): Life {
    const child = io.fork(argv, place, {
      line: (text, isError) =>
        (isError ? io.error : io.print)(`[${place}] ${text}`, {
          msg: text,
          pid: child.pid,
          child: place,
          stream: isError ? 'stderr' : 'stdout',
        }),
      spent: why => replace(life, why),
      ...(sources && { loaded: sources.add }),
      report: report => heard(life, report),
    })
    const life: Life = {
      child,
      place,
      bornAt: io.clock.monotonic(),
      isReady: false,
      end: undefined,
      isDismissed: false,
      killTimer: undefined,
    }
    alive.add(life)
    void child.ready.then(isReady => {
      life.isReady = isReady
      if (isReady) everReady = true
    })
    void child.ended.then(end => {
      life.end = end
      life.killTimer?.cancel()
      alive.delete(life)
    })
    return life
  }

  /** The process itself is this one: it says so. */
  const factsOf = ({ place, child, end }: Life) => ({ child: place, childPid: child.pid, ...(end !== undefined && { end }) })
  /** Told of each end that nobody asked for. */
  const endLine = ({ place, child: { pid }, end }: Life) =>
    `[${place}] process ${pid} ${typeof end === 'number' ? `ended with exit code ${end}` : `was ended by ${end}`}`

  function ended(life: Life): number | undefined {
    const { end, isReady: wasReady, bornAt } = life
    const world = { stopping: stop.signal.aborted, drain: drain || maxMessages !== undefined, watch, everReady }
    const step = afterEnd({ end: end!, wasReady, livedMs: io.clock.monotonic() - bornAt }, deaths, world)
    deaths = step.deaths
    switch (step.next.kind) {
      case 'over':
        return undefined
      case 'again':
        io.error(`${endLine(life)}; started again in ${shortDuration(step.next.waitMs)}`, factsOf(life))
        return step.next.waitMs
      case 'change':
        io.error(`${endLine(life)}; started again at the next change`, factsOf(life))
        return Infinity
      case 'fail':
        if (step.next.code === EXIT.children) io.error(endLine(life), factsOf(life))
        io.error(`greenroom: ${step.next.why}`, { level: 'error', exit: step.next.code })
        code = step.next.code
        stopAll('stop')
        return undefined
      default:
        return step.next satisfies never
    }
  }

  const keep = (number: number) =>
    places[
      places.push(
        keepPlace(number, {
          clock: io.clock,
          stop: stop.signal,
          start,
          dismiss,
          kept: (life, serving) => {
            if (!stop.signal.aborted)
              io.error(`${endLine(life)} before it was ready; process ${serving.child.pid} goes on`, factsOf(life))
          },
          succeeded: life => io.error(`${endLine(life)}; its successor was starting`, factsOf(life)),
          ended,
        }),
      ) - 1
    ]!

  /** One that has reached a limit asks again after a while, so what fails here is no end. */
  function replace(life: Life, why: string): void {
    const place = places.find(({ number }) => number === life.place)
    if (stop.signal.aborted || life.isDismissed || !place || place.isRenewing) return
    io.error(`[${life.place}] process ${life.child.pid} ${why}: it is replaced`, factsOf(life))
    void place.renew()
  }

  function reload(why: string): void {
    if (stop.signal.aborted) return
    io.error(`${why}: ${processes === 1 ? 'the process is replaced' : `${processes} processes are replaced one by one`}`, {
      level: 'info',
      processes,
    })
    renewAll()
  }

  io.print(`greenroom ${io.version} worker, ${plural(processes, 'process', 'processes')}, parent ${io.pid}`, {
    version: io.version,
    processes,
  })
  await keep(1).up // the first alone: what is wrong with all of them is said once
  for (let number = 2; number <= processes && !stop.signal.aborted; number++) keep(number)
  await Promise.all(places.map(({ over }) => over))
  await Promise.all([...alive].map(({ child }) => child.ended))
  offStop()
  offReload()
  sources?.close()
  maxTimer?.cancel()
  if (code === EXIT.ok) io.print('stopped', { state: 'stopped' })
  return code
}
