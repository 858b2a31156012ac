/**
 * The limits at which a process wants to be replaced: its memory, and the handlers that it had to leave behind. It looks every
 * second, says so once, and again a minute later for as long as nobody has replaced it.
 */
import type { Clock } from '../../lib/clock.ts'
import { MB } from '../args.ts'
import { plural } from '../text.ts'

const LOOK_MS = 1_000
const SAY_AGAIN_MS = 60_000

export interface Limits {
  readonly maxMemory: number | undefined
  readonly maxStuck: number
}

export interface Watched {
  readonly clock: Clock
  rssBytes(): number
  /** The most of any worker here. */
  stuck(): number
}

/** Which limit is reached, as the end of a sentence about the process. */
export function overLimit({ maxMemory = Infinity, maxStuck }: Limits, { rssBytes, stuck }: Omit<Watched, 'clock'>) {
  const bytes = rssBytes(),
    handlers = stuck()
  if (bytes > maxMemory) return `takes ${sizeText(bytes)} of memory, more than --max-memory ${sizeText(maxMemory)}`
  if (handlers >= maxStuck) return `has left ${plural(handlers, 'handler')} behind, as many as --max-stuck bears`
  return undefined
}

/** Calls back until the returned function is called. */
export function watchLimits(limits: Limits, watched: Watched, over: (why: string) => void): () => void {
  const { clock } = watched
  let saidAt = -Infinity,
    timer = clock.after(LOOK_MS, look, { ref: false })
  function look(): void {
    timer = clock.after(LOOK_MS, look, { ref: false })
    const why = clock.monotonic() - saidAt < SAY_AGAIN_MS ? undefined : overLimit(limits, watched)
    if (why === undefined) return
    saidAt = clock.monotonic()
    over(why)
  }
  return () => timer.cancel()
}

/** `513mb`, rounded up, so that what is over a limit reads so. */
export const sizeText = (bytes: number): string => `${Math.ceil(bytes / MB)}mb`
