/** Asks a handler that runs too long to end, through `current().signal`. */
import { type Duration, durationMs } from '../lib/duration.ts'
import { defineMiddleware, type Middleware } from '../lib/middleware.ts'
import { duration, knownOptions, type Option, perMessage } from '../lib/options.ts'

/** The option of `timeLimit()`. It may also be given to a message. */
export type TimeLimitSpecs = { timeLimit: Option<Duration, number, true> }

/** As Dramatiq's: long enough for most, short enough that a hung handler does not hold its slot for a day. */
const DEFAULT_TIME_LIMIT = '10m'

/**
 * Time limits. At the limit the run's signal is aborted; a handler that has not ended `abortGrace` (5 s) later is settled
 * without it and reported as stuck. It counts as a failed attempt. Waiting for a rate limit is not running time.
 * For code that never yields a signal is no help: it needs `isolate: 'thread'`.
 * @param defaults `timeLimit`: the limit of actors that give none. @default '10m'; Infinity: none
 * @example app.actor(crawl, { name: 'crawl', timeLimit: '30s' })
 */
export function timeLimit(defaults: { readonly timeLimit?: Duration | undefined } = {}): Middleware<TimeLimitSpecs> {
  const { timeLimit = DEFAULT_TIME_LIMIT } = knownOptions(defaults, ['timeLimit'], 'timeLimit()')
  const options: TimeLimitSpecs = {
    timeLimit: perMessage(duration(durationMs(timeLimit, 'timeLimit', { infinite: true }), { infinite: true })),
  }
  return defineMiddleware({
    name: 'timeLimit',
    inside: ['callbacks', 'retries', 'ageLimit'],
    options,
    applies: ({ timeLimit }) => timeLimit !== Infinity,
    before(context) {
      context.abortAfter(context.options.timeLimit, 'time limit')
      return undefined
    },
  })
}
