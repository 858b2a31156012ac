/** What a worker is asked to do, checked and parsed once. */
import { DEFAULTS, FOUND } from './defaults.ts'
import { type Duration, durationMs, shown } from './duration.ts'
import { GreenroomError } from './errors.ts'
import { checkName } from './names.ts'
import { knownOptions } from './options.ts'

/** What `app.work()` takes. Everything has a default; a wrong value is `WORKER_INVALID`. */
export interface WorkOptions {
  /** The queues to serve, or how many runs at once of each: `{ images: 2, mail: 50 }`. @default those of the actors that this process implements */
  readonly queues?: readonly string[] | Readonly<Record<string, number>> | undefined
  /** Runs at once in all. @default 10, or the sum of `queues` */
  readonly concurrency?: number | undefined
  /** How long the messages of a frozen worker stay away. @default '30s' */
  readonly lease?: Duration | undefined
  /** How long running handlers may go on once the worker stops; then their signal is aborted. @default '25s' */
  readonly grace?: Duration | undefined
  /** How long a handler may go on after its signal was aborted; then its message is settled without it. @default '5s' */
  readonly abortGrace?: Duration | undefined
  /** So many handlers that go on after their message was settled without them, and the worker takes nothing more until one of them ends. @default 10 */
  readonly maxStuck?: number | undefined
  /** A message whose workers died so often becomes a dead letter without running. @default 5 */
  readonly maxDeliveries?: number | undefined
  /** How long the event loop may stand still, in a handler that computes or loops for ever; then the process is killed, and its messages run again. `Infinity`: never. @default the time limit of the actor that blocks + grace, at most '15m' */
  readonly maxBlock?: Duration | undefined
  /** How long a middleware's own code may take around a run. @default '30s' */
  readonly hookTimeout?: Duration | undefined
  /** Threads for isolated actors (`isolate: 'thread'`): so many of their runs at once, at most. @default as many as the machine has cores */
  readonly threads?: number | undefined
  /** The most memory that the objects of one thread may take, in MB; a run that needs more fails. @default that of Node */
  readonly threadMemory?: number | undefined
  /** Aborted: the worker stops as by `close()`. */
  readonly signal?: AbortSignal | undefined
  /** `'idle'`: stop when nothing is ready any more. What is delayed stays, and so do retries, which wait for their next run; what other workers run is theirs. On `file:` what killed workers held is ready by then; elsewhere it is when its lease lapses. @default 'stopped' */
  readonly until?: 'stopped' | 'idle' | undefined
  /** Stop once so many messages were started, and have ended. Never more are; a retry counts as another one. For a time, give `signal` an `AbortSignal.timeout()`. @default no limit */
  readonly maxMessages?: number | undefined
}

export interface WorkSettings {
  readonly queues: readonly string[]
  /** Runs at once by queue; undefined where only the total counts. */
  readonly limits: ReadonlyMap<string, number> | undefined
  readonly concurrency: number
  readonly leaseMs: number
  readonly graceMs: number
  readonly abortGraceMs: number
  readonly maxStuck: number
  readonly maxDeliveries: number
  /** Undefined: the time limit of the actor that blocks + grace. */
  readonly maxBlockMs: number | undefined
  readonly hookTimeoutMs: number
  readonly threads: number
  readonly threadMemory: number | undefined
  readonly signal: AbortSignal | undefined
  readonly until: 'stopped' | 'idle'
  /** Infinity: no limit. */
  readonly maxMessages: number
}

const KNOWN = [
  'queues',
  'concurrency',
  'lease',
  'grace',
  'abortGrace',
  'maxStuck',
  'maxDeliveries',
  'maxBlock',
  'hookTimeout',
  'signal',
  'until',
  'maxMessages',
  'threads',
  'threadMemory',
]
/** More runs at once than this is a typing error: one process has one thread. */
const MOST_RUNS = 10_000
/** A loop that stands still for less is not seen. */
const SHORTEST_BLOCK_MS = 1_000
/** A shorter lease would be lost to any pause for garbage collection. */
const SHORTEST_LEASE_MS = 1_000

const invalid = (what: string, help: string) => new GreenroomError('WORKER_INVALID', what, { help })

/** @throws {GreenroomError} `WORKER_INVALID`, `OPTION_UNKNOWN`, `OPTION_INVALID`, `NAME_INVALID`, `DURATION_INVALID` */
export function workSettings(options: WorkOptions, implemented: ReadonlySet<string>): WorkSettings {
  knownOptions(options, KNOWN, 'work()')
  if (options.queues !== undefined && typeof options.queues !== 'object')
    throw invalid(`queues cannot be ${shown(options.queues)}`, "Write queues: ['images'] or { images: 2 }")
  const limits =
    Array.isArray(options.queues) || options.queues === undefined
      ? undefined
      : new Map(
          Object.entries(options.queues as Readonly<Record<string, number>>).map(([queue, runs]) => [
            queue,
            whole(runs, `concurrency of the queue ${queue}`),
          ]),
        )
  const queues = [...new Set(limits ? limits.keys() : ((options.queues as readonly string[] | undefined) ?? implemented))].map(
    queue => checkName(queue, 'queue'),
  )
  if (queues.length === 0)
    throw invalid(
      'There is nothing to work on: no actor is implemented here, and no queue is named',
      'Import the modules that define your actors before work()',
    )
  const leaseMs = durationMs(options.lease ?? DEFAULTS.lease.value, 'lease')
  if (leaseMs < SHORTEST_LEASE_MS) throw invalid(`A lease of ${leaseMs} ms is too short`, `Give at least ${SHORTEST_LEASE_MS} ms`)
  const maxBlockMs = options.maxBlock === undefined ? undefined : durationMs(options.maxBlock, 'maxBlock', { infinite: true })
  if (maxBlockMs !== undefined && maxBlockMs < SHORTEST_BLOCK_MS)
    throw invalid(`A maxBlock of ${maxBlockMs} ms is too short`, `Give at least ${SHORTEST_BLOCK_MS} ms`)
  if (options.signal !== undefined && !(options.signal instanceof AbortSignal))
    throw invalid(`signal is ${shown(options.signal)} and not an AbortSignal`, 'Give controller.signal')
  if (options.until !== undefined && options.until !== 'stopped' && options.until !== 'idle')
    throw invalid(`until cannot be ${shown(options.until)}`, "It is 'stopped' or 'idle'")
  return {
    queues,
    limits,
    leaseMs,
    concurrency: whole(
      options.concurrency ?? (limits ? [...limits.values()].reduce((sum, runs) => sum + runs, 0) : DEFAULTS.concurrency.value),
      'concurrency',
    ),
    graceMs: durationMs(options.grace ?? DEFAULTS.grace.value, 'grace'),
    abortGraceMs: durationMs(options.abortGrace ?? DEFAULTS.abortGrace.value, 'abortGrace'),
    maxStuck: whole(options.maxStuck ?? DEFAULTS.maxStuck.value, 'maxStuck'),
    maxDeliveries: whole(options.maxDeliveries ?? DEFAULTS.maxDeliveries.value, 'maxDeliveries'),
    maxBlockMs,
    hookTimeoutMs: durationMs(options.hookTimeout ?? DEFAULTS.hookTimeout.value, 'hookTimeout'),
    threads: whole(options.threads ?? FOUND.threads.value(), 'threads'),
    threadMemory: options.threadMemory === undefined ? FOUND.threadMemory.value() : megabytes(options.threadMemory),
    signal: options.signal,
    until: options.until ?? 'stopped',
    maxMessages:
      options.maxMessages === undefined ? Infinity : whole(options.maxMessages, 'maxMessages', Number.MAX_SAFE_INTEGER),
  }
}

/** With less a thread does not start. */
const LEAST_MB = 4
function megabytes(value: unknown): number {
  if (typeof value === 'number' && value >= LEAST_MB && value < Infinity) return value
  throw invalid(`threadMemory cannot be ${shown(value)}`, `It is a number of megabytes, from ${LEAST_MB}`)
}

function whole(value: unknown, name: string, most = MOST_RUNS): number {
  if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= most) return value as number
  throw invalid(`${name} cannot be ${shown(value)}`, `It is a whole number from 1 to ${most}`)
}
