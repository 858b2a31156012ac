/**
 * What a worker says of itself, for probes and metrics. It is put together when somebody asks: a worker that nobody asks does
 * nothing for it but remember when its broker last answered.
 */

/** How a worker is now, from `worker.health()`. There is none before `app.work()` has resolved: the broker had answered by then. */
export interface Health {
  /** `draining`: it was told to stop, takes nothing more, and what runs has its grace. */
  readonly state: 'working' | 'draining' | 'stopped'
  /** Handlers that run. */
  readonly running: number
  /** Messages that were taken and have not begun. */
  readonly held: number
  /** Handlers that go on although their message was settled, as they paid no attention to their signal. */
  readonly stuck: number
  /**
   * How long ago the broker last answered this worker, ms on a clock that never jumps. An idle worker asks every 5 s, and one whose
   * handlers all run makes a call of its own in that time; so more than 10 s means that the broker is away. It grows on once the worker has stopped.
   */
  readonly brokerMs: number
  /** How late the last of its half-second timers was, or the one that is due is by now, ms: what held up the event loop, such as a handler that computes. */
  readonly lagMs: number
}

/** A broker that has not answered for longer is away. */
export const BROKER_AWAY_MS = 10_000
