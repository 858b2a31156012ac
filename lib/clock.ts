/**
 * Time as a dependency: everything that waits or looks at a clock is given one of these. This file is the only one that
 * touches the real clock and the real timers; tests move a clock of their own (testing/clock).
 */

/** A timer that was started; cancelling it twice, or after it fired, does nothing. */
export interface Timer {
  /** It fires no more. */
  cancel(): void
}

/** How a timer is set. */
export interface TimerOptions {
  /** Whether the timer keeps the process alive. @default true */
  readonly ref?: boolean
}

/** Time as Greenroom sees it: `systemClock` in the real world, a `movingClock()` in tests. */
export interface Clock {
  /** Wall time, milliseconds since 1970. May jump. */
  now(): number
  /** Milliseconds since some moment; never goes back. For durations and deadlines. */
  monotonic(): number
  /** Calls `fn` once, `ms` from now or later (never earlier). Any length: Node's own timers fire at once past 2^31-1 ms. */
  after(ms: number, fn: () => void, options?: TimerOptions): Timer
  /** Nobody sets its wall time, so a moment can be waited for in one go. @default false */
  readonly steady?: boolean
}

/** The longest that Node's timers can wait. Longer ones are chained. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** The machine's clock and Node's timers. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (ms, fn, { ref = true } = {}) => new NodeTimer(Math.max(0, ms), fn, ref),
}

/** A class, and not closures: most messages have a time limit, so most make one of these. */
class NodeTimer implements Timer {
  readonly #due: number
  readonly #fn: () => void
  readonly #ref: boolean
  #timeout!: NodeJS.Timeout
  constructor(ms: number, fn: () => void, ref: boolean) {
    this.#due = performance.now() + ms
    this.#fn = fn
    this.#ref = ref
    this.#arm(ms)
  }
  #arm(left: number): void {
    this.#timeout = setTimeout(NodeTimer.#fire, Math.min(Math.ceil(left), LONGEST_TIMER_MS), this)
    if (!this.#ref) this.#timeout.unref()
  }
  /** Node counts from the beginning of the turn of its loop in which a timer is set, so it may fire early. */
  static #fire(this: unknown, timer: NodeTimer): void {
    const left = timer.#due - performance.now()
    if (left > 0) timer.#arm(left)
    else timer.#fn()
  }
  cancel(): void {
    clearTimeout(this.#timeout)
  }
}

const { setTimeout: realTimeout, clearTimeout: clearRealTimeout } = globalThis

/** Calls `fn` after `ms` of real time, also where a test runner's fake timers have replaced the globals since this was loaded. */
export function afterRealTime(ms: number, fn: () => void, { ref = true }: TimerOptions = {}): Timer {
  const timeout = realTimeout(fn, Math.min(ms, LONGEST_TIMER_MS))
  if (!ref) timeout.unref()
  return { cancel: () => clearRealTimeout(timeout) }
}

/** Milliseconds that all threads and processes of this machine count alike, since it was started. No clock setting moves them, and they never go back. */
export const machineMs = (): number => Number(process.hrtime.bigint()) / 1e6

/** Resolves after `ms`; rejects with the signal's own reason when it is aborted first. Leaves no listener and no timer behind. */
export function sleep(
  clock: Clock,
  ms: number,
  { signal, ref = true }: { signal?: AbortSignal | undefined; ref?: boolean } = {},
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const stop = () => {
      timer.cancel()
      reject(signal!.reason)
    }
    const timer = clock.after(
      ms,
      () => {
        signal?.removeEventListener('abort', stop)
        resolve()
      },
      { ref },
    )
    signal?.addEventListener('abort', stop, { once: true })
  })
}

/** What the promise settles to; or, after `ms`, a rejection with what `late` makes. Leaves no timer behind. */
export function within<T>(promise: Promise<T>, ms: number, clock: Clock, late: () => unknown): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(ms, () => reject(late()))
    promise.then(
      value => {
        timer.cancel()
        resolve(value)
      },
      (error: unknown) => {
        timer.cancel()
        reject(error)
      },
    )
  })
}
