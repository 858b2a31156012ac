/**
 * `--processes n`: a parent that runs no handler itself. It starts children, passes on what they print, starts again what
 * dies, and stops them together. A child that loses its parent drains by itself.
 *
 *   a child: starting -> ready -> ended     ended, and nobody asked for it: waits (longer each time), starting
 *   too many ends in a row without a long life: the parent gives up with EXIT.children
 */
import { sleep } from '../../lib/clock.ts'
import { DEFAULTS } from '../../lib/defaults.ts'
import { shortDuration } from '../../lib/duration.ts'
import type { Child, Io } from '../command.ts'
import { EXIT } from '../exit.ts'
import { plural } from '../text.ts'
import type { WorkerSettings } from './options.ts'
import { stopping } from './stopping.ts'

/** A child that lived longer was well: the count of quick deaths starts again. */
const LONG_LIFE_MS = 10_000
/** So many in a row that never became ready: they will not tomorrow either. */
const MOST_FAILED_STARTS = 5
/** Of those that were ready more are borne: a message that kills its worker is buried only after `maxDeliveries` deaths, and there may be a few. */
const MOST_CRASHES = 20
const WAIT_MIN_MS = 100
const WAIT_MAX_MS = 5_000
/** After the grace, the abort and this, a child does not answer any more and is killed; its messages run again. */
const MARGIN_MS = 5_000

export async function supervise(argv: readonly string[], { processes, graceMs, drain }: WorkerSettings, io: Io): Promise<number> {
  const children = new Map<number, Child>(),
    stop = new AbortController()
  const decide = stopping(io.clock, false)
  let code: number = EXIT.ok,
    failedStarts = 0,
    crashes = 0,
    wasReady = false,
    killTimer: { cancel(): void } | undefined

  const off = io.onStop(cause => {
    const step = decide(cause)
    if (step === 'ignore') return
    if (step === 'quit') {
      for (const child of children.values()) child.kill()
      return io.quit(EXIT.unexpected)
    }
    if (step === 'force') code = EXIT.unexpected
    io.error(
      step === 'force'
        ? 'stopping now: unfinished messages run again'
        : `stopping: ${plural(children.size, 'process', 'processes')}, up to ${shortDuration(graceMs)}; again to stop now`,
    )
    stopAll(step === 'force' ? 'force' : 'stop')
  })

  function stopAll(word: 'stop' | 'force'): void {
    stop.abort()
    for (const child of children.values()) child.order(word)
    killTimer?.cancel()
    killTimer = io.clock.after((word === 'stop' ? graceMs : 0) + DEFAULTS.abortGrace.value + MARGIN_MS, () => {
      for (const [number, child] of children) {
        io.error(`[${number}] process ${child.pid} does not end: killed; its messages run again`)
        child.kill()
      }
    })
  }
  function giveUp(why: string, exit: number): void {
    if (stop.signal.aborted) return
    io.error(`greenroom: ${why}`)
    code = exit
    stopAll('stop')
  }

  /** Keeps one child alive until all stop. `up` is called once, when it is ready for the first time or will not be. */
  async function keep(number: number, up: () => void): Promise<void> {
    try {
      while (!stop.signal.aborted) {
        const born = io.clock.monotonic()
        const child = io.fork(argv, number, (text, isError) => (isError ? io.error : io.print)(`[${number}] ${text}`))
        children.set(number, child)
        const ready = await child.ready
        if (ready) {
          wasReady = true
          up()
        }
        const end = await child.ended
        children.delete(number)
        if (stop.signal.aborted || (drain && end === EXIT.ok)) return
        if (!wasReady && (end === EXIT.usage || end === EXIT.module)) return giveUp('a second try would end like the first', end)
        await diedAfter(number, child, end, ready, io.clock.monotonic() - born)
      }
    } finally {
      up()
    }
  }

  async function diedAfter(
    number: number,
    { pid }: Child,
    end: number | NodeJS.Signals,
    ready: boolean,
    livedMs: number,
  ): Promise<void> {
    if (livedMs >= LONG_LIFE_MS) failedStarts = crashes = 0
    else if (ready) {
      failedStarts = 0
      crashes++
    } else {
      failedStarts++
      crashes++
    }
    const how = typeof end === 'number' ? `ended with exit code ${end}` : `was ended by ${end}`
    const line = `[${number}] process ${pid} ${how}`
    if (failedStarts >= MOST_FAILED_STARTS || crashes >= MOST_CRASHES) {
      io.error(line)
      return giveUp(
        `the processes keep dying (${failedStarts >= MOST_FAILED_STARTS ? failedStarts : crashes} times in a row). Mend what the lines above say; greenroom worker without --processes shows one of them alone`,
        EXIT.children,
      )
    }
    const waitMs = Math.min(WAIT_MAX_MS, WAIT_MIN_MS * 2 ** Math.min(crashes, 10))
    io.error(`${line}; started again in ${shortDuration(waitMs)}`)
    await sleep(io.clock, waitMs, { signal: stop.signal }).catch(() => {})
  }

  io.print(`greenroom ${io.version} worker, ${processes} processes, parent ${io.pid}`)
  // The first alone: what is wrong with all of them is said once.
  const kept: Promise<void>[] = []
  await new Promise<void>(up => {
    kept.push(keep(1, up))
  })
  for (let number = 2; number <= processes; number++) kept.push(keep(number, () => {}))
  await Promise.all(kept)
  off()
  killTimer?.cancel()
  if (code === EXIT.ok) io.print('stopped')
  return code
}
