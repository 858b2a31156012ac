/** The flags of `greenroom worker`, and what they mean to `app.work()`. */
import { DEFAULTS } from '../../lib/defaults.ts'
import { nearest } from '../../lib/did-you-mean.ts'
import { shortDuration, shown } from '../../lib/duration.ts'
import { checkName } from '../../lib/names.ts'
import type { WorkOptions } from '../../lib/work-options.ts'
import type { Found } from '../apps.ts'
import { durationOf, MB, portOf, sizeOf, wholeOf } from '../args.ts'
import type { Flags, Values } from '../command.ts'
import { usage } from '../failure.ts'
import { type Log, LOGS } from '../json-io.ts'
import { plural } from '../text.ts'
import type { HealthPlace } from './health-server.ts'

const { concurrency, lease, grace, abortGrace, maxStuck, maxDeliveries, maxBlock } = DEFAULTS
const HEALTH_HOST = '127.0.0.1'
export const WORKER_FLAGS = {
  concurrency: {
    type: 'string',
    short: 'c',
    value: 'n',
    help: `Handlers that run at once (default ${concurrency.value}, or the sum of --queues)`,
  },
  queues: {
    type: 'string',
    short: 'q',
    value: 'list',
    help: 'Serve these queues only: images,mail; or with a limit each: images=2,mail=50',
  },
  processes: {
    type: 'string',
    short: 'p',
    value: 'n',
    help: 'Worker processes under a parent, which starts again one that dies (default: one process, and no parent)',
  },
  grace: {
    type: 'string',
    value: 'duration',
    help: `How long handlers may go on after SIGTERM (default ${shortDuration(grace.value)})`,
  },
  'abort-grace': {
    type: 'string',
    value: 'duration',
    help: `How long a handler may go on after its signal was aborted, before it is left behind (default ${shortDuration(abortGrace.value)})`,
  },
  lease: {
    type: 'string',
    value: 'duration',
    help: `How long the messages of a process that froze stay away (default ${shortDuration(lease.value)})`,
  },
  'max-deliveries': {
    type: 'string',
    value: 'n',
    help: `A message whose workers died so often becomes a dead letter without running (default ${maxDeliveries.value})`,
  },
  'max-block': {
    type: 'string',
    value: 'duration',
    help: `Kill a process whose event loop stands still for longer; Infinity: never (default: the time limit of the actor that blocks + grace, at most ${shortDuration(maxBlock.value)})`,
  },
  threads: { type: 'string', value: 'n', help: 'Threads for isolated actors (default: as many as the machine has cores)' },
  'thread-memory': {
    type: 'string',
    value: 'size',
    help: 'The most memory that the objects of one thread may take: 256mb (default: that of Node)',
  },
  'max-memory': {
    type: 'string',
    value: 'size',
    help: 'Replace a process that takes more memory: 512mb, 1gb (default: no limit)',
  },
  'max-stuck': {
    type: 'string',
    value: 'n',
    help: `Replace a process that left so many handlers behind, which ignore their signal (default ${maxStuck.value})`,
  },
  'pid-file': {
    type: 'string',
    value: 'path',
    help: 'Write the id of the process to signal; refused where another worker has it',
  },
  watch: { type: 'boolean', help: 'Start again with new code when a module changes: for development' },
  drain: { type: 'boolean', help: 'Stop when nothing is ready any more, and exit with 0. Delayed messages are not waited for' },
  'max-time': { type: 'string', value: 'duration', help: 'Stop after so long, as at SIGTERM, and exit with 0' },
  'max-messages': {
    type: 'string',
    value: 'n',
    help: 'Stop once n messages were started and have ended, and exit with 0; with --processes, n of each',
  },
  'health-port': {
    type: 'string',
    value: 'n',
    help: 'Answer /live, /ready and /queues by HTTP at this port; 0 takes a free one',
  },
  'health-host': {
    type: 'string',
    value: 'address',
    help: `Where that port is open (default ${HEALTH_HOST}: to this machine alone)`,
  },
  log: { type: 'string', value: 'form', help: 'json: every line is a JSON object, for machines; pretty: for people (default)' },
} as const satisfies Flags

export interface WorkerSettings {
  /** Children of a parent; undefined: this process alone. */
  readonly processes: number | undefined
  readonly concurrency: number | undefined
  /** Limits by queue; undefined where only the total counts. */
  readonly queues: ReadonlyMap<string, number | undefined> | undefined
  readonly graceMs: number
  readonly abortGraceMs: number
  readonly leaseMs: number
  readonly maxDeliveries: number
  /** Undefined: what the library finds from what runs. */
  readonly maxBlockMs: number | undefined
  readonly threads: number | undefined
  /** Bytes. */
  readonly threadMemory: number | undefined
  /** Bytes. */
  readonly maxMemory: number | undefined
  readonly maxStuck: number
  readonly pidFile: string | undefined
  readonly watch: boolean
  readonly drain: boolean
  readonly maxTimeMs: number | undefined
  readonly maxMessages: number | undefined
  readonly health: HealthPlace | undefined
  readonly log: Log
}

/** @throws {CliError}, {GreenroomError} `NAME_INVALID` */
export function workerSettings(values: Values<typeof WORKER_FLAGS>): WorkerSettings {
  if (values.watch && values.drain) throw usage('--watch goes on, and --drain ends', 'Give one of them')
  return {
    processes: values.processes === undefined ? undefined : wholeOf(values.processes, '--processes'),
    concurrency: values.concurrency === undefined ? undefined : wholeOf(values.concurrency, '--concurrency'),
    queues: values.queues === undefined ? undefined : queuesOf(values.queues),
    graceMs: values.grace === undefined ? grace.value : durationOf(values.grace, '--grace'),
    abortGraceMs: values['abort-grace'] === undefined ? abortGrace.value : durationOf(values['abort-grace'], '--abort-grace'),
    leaseMs: values.lease === undefined ? lease.value : durationOf(values.lease, '--lease'),
    maxDeliveries:
      values['max-deliveries'] === undefined ? maxDeliveries.value : wholeOf(values['max-deliveries'], '--max-deliveries'),
    maxBlockMs: values['max-block'] === undefined ? undefined : blockOf(values['max-block']),
    threads: values.threads === undefined ? undefined : wholeOf(values.threads, '--threads'),
    threadMemory: values['thread-memory'] === undefined ? undefined : sizeOf(values['thread-memory'], '--thread-memory'),
    maxMemory: values['max-memory'] === undefined ? undefined : sizeOf(values['max-memory'], '--max-memory'),
    maxStuck: values['max-stuck'] === undefined ? maxStuck.value : wholeOf(values['max-stuck'], '--max-stuck'),
    pidFile: values['pid-file'],
    watch: values.watch ?? false,
    drain: values.drain ?? false,
    maxTimeMs: values['max-time'] === undefined ? undefined : durationOf(values['max-time'], '--max-time'),
    maxMessages: values['max-messages'] === undefined ? undefined : wholeOf(values['max-messages'], '--max-messages'),
    health: healthOf(values['health-port'], values['health-host']),
    log: logOf(values.log),
  }
}

const blockOf = (text: string): number => (text === 'Infinity' ? Infinity : durationOf(text, '--max-block'))

function logOf(text = 'pretty'): Log {
  const log = LOGS.find(log => log === text)
  if (log) return log
  throw usage(`--log cannot be ${shown(text)}`, 'It is json or pretty')
}

function healthOf(port: string | undefined, host: string | undefined): HealthPlace | undefined {
  if (port !== undefined) return { port: portOf(port, '--health-port'), host: host ?? HEALTH_HOST }
  if (host === undefined) return undefined
  throw usage('--health-host opens no port by itself', 'Add --health-port 8080')
}

/** When it ends by itself, for the line that says it is ready; undefined: it does not. */
export function endText({ drain, maxTimeMs, maxMessages }: WorkerSettings): string | undefined {
  const ends = [
    ...(drain ? ['when nothing is ready any more'] : []),
    ...(maxMessages === undefined ? [] : [`after ${plural(maxMessages, 'message')}`]),
    ...(maxTimeMs === undefined ? [] : [`after ${shortDuration(maxTimeMs)}`]),
  ]
  return ends.length === 0 ? undefined : ends.join(', or ')
}

function queuesOf(text: string): Map<string, number | undefined> {
  const queues = new Map<string, number | undefined>()
  for (const item of text.split(',').map(item => item.trim())) {
    const [name = '', limit, ...rest] = item.split('=')
    if (rest.length > 0) throw usage(`--queues cannot hold ${shown(item)}`, 'Write images,mail or images=2,mail=50')
    queues.set(checkName(name, 'queue'), limit === undefined ? undefined : wholeOf(limit, `The limit of the queue ${name}`))
  }
  const limits = [...queues.values()].filter(limit => limit !== undefined)
  if (limits.length > 0 && limits.length < queues.size)
    throw usage('Some queues of --queues have a limit, and some have none', 'Write images,mail or images=2,mail=50')
  return queues
}

/** What one app is asked to do: of the named queues those of its actors, and those that no app's actor is on. Undefined: nothing. */
export function workOptions(
  settings: WorkerSettings,
  { queues: own }: Found,
  others: ReadonlySet<string>,
): WorkOptions | undefined {
  const { queues, concurrency, maxStuck, maxDeliveries, maxMessages, threads, threadMemory } = settings
  const common = {
    concurrency,
    grace: settings.graceMs,
    abortGrace: settings.abortGraceMs,
    lease: settings.leaseMs,
    maxStuck,
    maxDeliveries,
    maxBlock: settings.maxBlockMs,
    threads,
    threadMemory: threadMemory && threadMemory / MB,
    until: settings.drain ? 'idle' : 'stopped',
    maxMessages,
  } as const
  if (!queues) return common
  const chosen = [...queues].filter(([name]) => own.includes(name) || !others.has(name))
  if (chosen.length === 0) return undefined
  const isLimited = chosen.every(([, limit]) => limit !== undefined)
  return { ...common, queues: isLimited ? Object.fromEntries(chosen as [string, number][]) : chosen.map(([name]) => name) }
}

/** The queues with their limits, for the first lines; one that no actor here is on is marked, as it may be a typing error. */
export function queuesText(options: WorkOptions, { queues: own }: Found): string {
  const limits =
    !Array.isArray(options.queues) && options.queues !== undefined
      ? (options.queues as Readonly<Record<string, number>>)
      : undefined
  const names = limits ? Object.keys(limits) : ((options.queues as readonly string[] | undefined) ?? own)
  const total = options.concurrency ?? (limits ? undefined : concurrency.value)
  const text = names.map(name => name + (limits ? ` ${limits[name]}` : '') + markOf(name)).join(', ')
  return total === undefined ? text : `${text} (${total} at once${limits ? ' in all' : ''})`

  function markOf(name: string): string {
    if (own.includes(name)) return ''
    const near = nearest(name, own)
    return near === undefined ? ' (no actor here is on it)' : ` (no actor here is on it: did you mean ${near}?)`
  }
}
