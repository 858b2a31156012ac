/** What `greenroom()` is given, checked and parsed once. */
import type { AnyFn } from './actor-types.ts'
import { DEFAULTS } from './defaults.ts'
import { type Duration, durationMs, shown } from './duration.ts'
import { type Encoding, ENCODINGS } from './encoding.ts'
import { GreenroomError } from './errors.ts'
import type { BrokerConfig } from './locate.ts'
import { checkLogger, consoleLogger, guarded, type Logger } from './log.ts'
import { checkName } from './names.ts'
import { knownOptions } from './options.ts'
import { LARGEST_BODY } from './refusal.ts'
import type { Store } from './store.ts'

/** `M`, where each entry is a middleware; for what is not, what to do about it, which the compiler shows. */
type Chain<M> = {
  readonly [K in keyof M]: M[K] extends readonly unknown[]
    ? 'Spread this list: ...standard()'
    : M[K] extends AnyFn
      ? 'Call this: retries()'
      : M[K]
}

/** What `greenroom()` takes. Everything has a default, and is checked at once: a wrong value is `OPTION_INVALID`, a wrong name `OPTION_UNKNOWN`. */
export interface Config<M> {
  /** A URL (`file: memory: redis: amqp:`), a broker, or one by environment. @default GREENROOM_BROKER, else `file:.greenroom` outside production */
  readonly broker?: BrokerConfig | undefined
  /** Shared state beside a broker that has none (RabbitMQ). @default the broker's own */
  readonly store?: Store | undefined
  /** What keeps two environments on one server apart. @default 'greenroom' */
  readonly namespace?: string | undefined
  /** The whole chain. @default standard() */
  readonly middleware?: Chain<M> | undefined
  /** pino's interface. @default warnings and errors on standard error */
  readonly log?: Logger | undefined
  /** How long `send()` waits for a broker that is away. @default '5s' */
  readonly sendTimeout?: Duration | undefined
  /** How many sends may wait for a broker that does not answer. @default 10_000 */
  readonly maxPending?: number | undefined
  /** The largest encoded message, in bytes: at most 15 MiB, which is what brokers store. @default 1_048_576 */
  readonly maxBytes?: number | undefined
  /** How messages are written. Every app reads both. `msgpack` also keeps dates, bytes and bigints. @default 'json' */
  readonly encoding?: Encoding | undefined
}

export interface AppSettings {
  readonly namespace: string
  readonly log: Logger
  readonly sendTimeoutMs: number
  readonly maxPending: number
  readonly maxBytes: number
  readonly encoding: Encoding
}

const KNOWN = ['broker', 'store', 'namespace', 'middleware', 'log', 'sendTimeout', 'maxPending', 'maxBytes', 'encoding']

/** @throws {GreenroomError} `OPTION_UNKNOWN`, `OPTION_INVALID`, `NAME_INVALID`, `DURATION_INVALID` */
export function appSettings(config: Config<unknown>): AppSettings {
  knownOptions(config, KNOWN, 'greenroom()')
  return {
    namespace: checkName(config.namespace ?? 'greenroom', 'namespace'),
    log: config.log === undefined ? consoleLogger : guarded(checkLogger(config.log)),
    sendTimeoutMs: durationMs(config.sendTimeout ?? DEFAULTS.sendTimeout.value, 'sendTimeout'),
    maxPending: whole(config.maxPending ?? DEFAULTS.maxPending.value, 'maxPending'),
    maxBytes: whole(config.maxBytes ?? DEFAULTS.maxBytes.value, 'maxBytes', LARGEST_BODY),
    encoding: checkEncoding(config.encoding ?? 'json'),
  }
}

function whole(value: unknown, name: string, most = Number.MAX_SAFE_INTEGER): number {
  if (Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= most) return value as number
  throw new GreenroomError('OPTION_INVALID', `${name} cannot be ${shown(value)}`, {
    help: `It is a whole number from 1${most < Number.MAX_SAFE_INTEGER ? ` to ${most}` : ''}`,
  })
}

function checkEncoding(encoding: unknown): Encoding {
  if (ENCODINGS.includes(encoding as Encoding)) return encoding as Encoding
  throw new GreenroomError('OPTION_INVALID', `encoding cannot be ${shown(encoding)}`, {
    help: `It is one of ${ENCODINGS.join(', ')}`,
  })
}
