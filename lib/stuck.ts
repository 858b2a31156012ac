/**
 * Handlers that go on after their message was settled without them: JavaScript cannot stop them, so they are counted and bounded.
 * A worker that has as many as it may takes nothing more until one ends, and says so once: the process wants to be replaced.
 */
import { GreenroomError } from './errors.ts'
import type { EventStream } from './events.ts'
import type { Logger } from './log.ts'

export interface Stuck {
  readonly count: number
  /** Nothing more may be started. */
  readonly isFull: boolean
  /** A handler was left behind. */
  add(): void
  /** One of them has ended after all. */
  end(): void
  /** Calls back when `isFull` changes. */
  watch(changed: () => void): void
}

export function createStuck(most: number, events: EventStream, log: Logger): Stuck {
  let count = 0,
    isFull = false,
    changed = () => {}

  function look(): void {
    if (isFull === count >= most) return
    isFull = !isFull
    if (isFull) tell()
    else log.info({ stuck: count }, 'a handler that was left behind has ended: the worker takes messages again')
    changed()
  }
  function tell(): void {
    const error = new GreenroomError(
      'HANDLERS_STUCK',
      `Handlers that go on although their messages were settled without them: ${count}, so this worker takes nothing more`,
      {
        help: "Replace the process, as greenroom worker does by itself, and let handlers heed current().signal; with isolate: 'thread' a run that does not is ended",
      },
    )
    events.emit('trouble', { what: error.message, error })
    log.error({ stuck: count, err: error }, 'too many handlers are stuck')
  }
  return {
    get count() {
      return count
    },
    get isFull() {
      return isFull
    },
    add() {
      count++
      look()
    },
    end() {
      count--
      look()
    },
    watch(listener) {
      changed = listener
    },
  }
}
