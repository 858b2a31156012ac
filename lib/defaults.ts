/** Every default of the core, once, with its unit and its reason. docs/defaults.md is printed from this table and from the middleware's options. */
import { availableParallelism } from 'node:os'

export interface Default {
  readonly value: number
  readonly unit: 'ms' | 'bytes' | 'messages' | 'runs' | 'deliveries'
  readonly of: string
  readonly why: string
}
const row = (value: number, unit: Default['unit'], of: string, why: string): Default => ({ value, unit, of, why })

export const DEFAULTS = {
  sendTimeout: row(5_000, 'ms', 'greenroom({ sendTimeout })', 'a web handler that waits longer has lost its caller'),
  maxPending: row(
    10_000,
    'messages',
    'greenroom({ maxPending })',
    'sends that may wait for a broker that does not answer; bounds memory',
  ),
  maxBytes: row(1_048_576, 'bytes', 'greenroom({ maxBytes })', 'a queue slows down when its messages are large'),
  concurrency: row(
    10,
    'runs',
    'app.work({ concurrency })',
    'handlers mostly wait for the network; those that compute want fewer',
  ),
  lease: row(30_000, 'ms', 'app.work({ lease })', 'how long the messages of a worker that froze stay away; renewed long before'),
  grace: row(25_000, 'ms', 'app.work({ grace })', 'a container is killed 30 s after SIGTERM by default'),
  abortGrace: row(
    5_000,
    'ms',
    'app.work({ abortGrace })',
    'how long a handler may go on after its signal was aborted, before its message is settled without it',
  ),
  maxStuck: row(
    10,
    'runs',
    'app.work({ maxStuck })',
    'handlers that were left behind: with as many a worker takes nothing more, and `greenroom worker` replaces the process',
  ),
  maxDeliveries: row(5, 'deliveries', 'app.work({ maxDeliveries })', 'a message that killed five workers will kill the sixth'),
  maxBlock: row(
    15 * 60_000,
    'ms',
    'app.work({ maxBlock })',
    'or the time limit of the actor that blocks (where it cannot be seen: the longest of what runs) + grace, if that is less: an event loop that has not moved for so long never will, and the process is killed; `Infinity`: never',
  ),
  hookTimeout: row(30_000, 'ms', 'app.work({ hookTimeout })', "how long a middleware's own code may take around a run"),
} as const satisfies Record<string, Default>

/** Defaults that are found on the machine when a worker starts, with what they are in words. */
export const FOUND = {
  threads: {
    value: availableParallelism,
    text: 'as many as the machine has cores',
    of: 'app.work({ threads })',
    why: 'an isolated run computes: more would only share the cores (`os.availableParallelism()`)',
  },
  threadMemory: {
    value: () => undefined,
    text: "Node's own limit",
    of: 'app.work({ threadMemory })',
    why: 'it depends on the memory of the machine, and how much a run may take only you know',
  },
} as const

/**
 * Messages that a worker holds beyond those that run: what runs during a settle and a take, so that a short handler never waits for
 * the broker. Looked at over at least 5 ms, as a shorter time tells nothing; a disk that flushes slowly counts up to a tenth of a second ...
 */
export const AHEAD_WINDOW_MS = 5
export const AHEAD_LONGEST_MS = 100
/** How many trips it takes to believe in a new length. */
export const AHEAD_SMOOTHING = 8
/** ... and no more than this, so that a burst does not hoard. */
export const AHEAD_MAX = 256
/** A take asks for more by the share of bodies that were no messages, among about as many as this. */
export const REJECTED_OVER = 512
/** A message that was taken and could not start within so long goes back for others. */
export const HELD_MS = 1_000
/** How often a worker looks for messages held too long and for middleware that hang. */
export const SWEEP_MS = 500
/** An event loop that did not move for a third of a lease is reported: not sooner than this, as handlers may compute a little ... */
export const BLOCKED_MIN_MS = 1_000
/** ... and not later, as all that runs beside it waits. */
export const BLOCKED_MAX_MS = 5_000
/** The longest that it may stand still, unless `maxBlock` says. */
export const MAX_BLOCK_MS = DEFAULTS.maxBlock.value
/** How long one take waits on the broker before it asks again. */
export const TAKE_WAIT_MS = 5_000
/** A worker that takes nothing, as its handlers all run, asks the broker for a count so often, to know whether it is there. */
export const ASK_MS = 4_000
/** Lines about problems of one kind, a second: what comes beyond is a number in one line more, as a flood of messages must not be a flood of lines. */
export const PROBLEM_LINES = 20
export const PROBLEM_LINES_MS = 1_000
/** Waits after the broker could not be reached: doubled each time, with jitter. */
export const TROUBLE_MIN_MS = 100
export const TROUBLE_MAX_MS = 5_000
/** A rolling deploy sends to actors that old workers do not know yet: they put the message back for so long ... */
export const UNKNOWN_ACTOR_MS = 15 * 60_000
/** ... waiting at first a second, and at most a minute. */
export const UNKNOWN_MIN_MS = 1_000
export const UNKNOWN_MAX_MS = 60_000
