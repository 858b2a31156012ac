/** The middleware that come with Greenroom, and the chain that most apps want. */
import type { Duration } from '../lib/duration.ts'
import type { AnyMiddleware, Middleware } from '../lib/middleware.ts'
import { knownOptions } from '../lib/options.ts'
import { ageLimit, type AgeLimitSpecs } from './age-limit.ts'
import { callbacks, type CallbackSpecs } from './callbacks.ts'
import { retries, type RetriesSpecs } from './retries.ts'
import { shutdown, type ShutdownSpecs } from './shutdown.ts'
import { timeLimit, type TimeLimitSpecs } from './time-limit.ts'

/** Defaults have the names of the options. */
export interface StandardDefaults {
  /** @default 20 */
  readonly maxRetries?: number | undefined
  /** @default '15s' */
  readonly minBackoff?: Duration | undefined
  /** @default '7d' */
  readonly maxBackoff?: Duration | undefined
  /** @default Infinity: no limit */
  readonly maxAge?: Duration | undefined
  /** @default '10m' */
  readonly timeLimit?: Duration | undefined
  /** @default false */
  readonly notifyShutdown?: boolean | undefined
}

type AllSpecs = CallbackSpecs & RetriesSpecs & AgeLimitSpecs & ShutdownSpecs & TimeLimitSpecs
/** The options of `standard()`. Written out, so that editors and error messages show this name and not five. */
export type StandardSpecs = { [K in keyof AllSpecs]: AllSpecs[K] }
/** Each is typed by the options of all of them: together they declare these. */
export type Standard = readonly Middleware<StandardSpecs>[]

const KNOWN = ['maxRetries', 'minBackoff', 'maxBackoff', 'maxAge', 'timeLimit', 'notifyShutdown']

/**
 * The chain that most apps want, outermost first: callbacks, retries, age limit, shutdown, time limit.
 * @throws {GreenroomError} `OPTION_UNKNOWN`, `OPTION_INVALID`, `DURATION_INVALID`
 * @example greenroom({ middleware: [...standard({ maxRetries: 8, timeLimit: '1m' }), logging({ log })] })
 */
export function standard(defaults: StandardDefaults = {}): Standard {
  const {
    maxRetries,
    minBackoff,
    maxBackoff,
    maxAge,
    timeLimit: limit,
    notifyShutdown,
  } = knownOptions(defaults, KNOWN, 'standard()')
  const chain: readonly AnyMiddleware[] = [
    callbacks(),
    retries({ maxRetries, minBackoff, maxBackoff }),
    ageLimit({ maxAge }),
    shutdown({ notifyShutdown }),
    timeLimit({ timeLimit: limit }),
  ]
  return chain as Standard
}
