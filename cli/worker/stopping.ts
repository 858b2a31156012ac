/**
 * What each request to stop means. Pure: the causes so far decide.
 *
 *   running -> drain: nothing new is started, what runs has its grace
 *           -> force (a second signal): what runs is aborted now
 *           -> quit (a third): the process ends, whatever runs
 */
import type { Clock } from '../../lib/clock.ts'
import type { StopCause } from '../command.ts'

export type Step = 'drain' | 'force' | 'quit' | 'ignore'

/** A terminal tells every process of its group, and npm passes the same Ctrl-C on once more: within so long it is one request. */
const SAME_SIGNAL_MS = 40

/** @param supervised a child: its parent forces, never a second signal, as a terminal or a container may signal both */
export function stopping(clock: Clock, supervised: boolean): (cause: StopCause) => Step {
  let drained = false,
    forced = false,
    lastCause: StopCause | undefined,
    lastAt = -Infinity
  return cause => {
    const now = clock.monotonic(),
      repeated = cause === 'SIGINT' && lastCause === cause && now - lastAt < SAME_SIGNAL_MS
    lastCause = cause
    lastAt = now
    if (repeated) return 'ignore'
    const isFirst = !drained
    drained = true
    if (cause === 'parent forces') {
      const step = forced ? 'ignore' : 'force'
      forced = true
      return step
    }
    if (isFirst) return 'drain'
    if (supervised) return 'ignore'
    if (forced) return 'quit'
    forced = true
    return 'force'
  }
}
