/** Buries messages that waited too long to still matter. */
import { type Duration, durationMs, shortDuration } from '../lib/duration.ts'
import { defineMiddleware, type Middleware } from '../lib/middleware.ts'
import { duration, knownOptions, type Option, perMessage } from '../lib/options.ts'

/** The options of `ageLimit()`. `maxAge` may also be given to a message. */
export type AgeLimitSpecs = { maxAge: Option<Duration, number, true> }

/**
 * Age limits: a message older than `maxAge` when its turn comes is dead without running, also between retries. Age counts
 * from when the message was made, by the sender's clock; a clock behind the worker's never buries.
 * @param defaults `maxAge`: the limit of actors that give none. @default Infinity: none
 * @example await notify.with({ maxAge: '10m' }).send(user)
 */
export function ageLimit(defaults: { readonly maxAge?: Duration | undefined } = {}): Middleware<AgeLimitSpecs> {
  const { maxAge = Infinity } = knownOptions(defaults, ['maxAge'], 'ageLimit()')
  const options: AgeLimitSpecs = {
    maxAge: perMessage(duration(durationMs(maxAge, 'maxAge', { infinite: true }), { infinite: true })),
  }
  return defineMiddleware({
    name: 'ageLimit',
    inside: ['callbacks', 'retries'],
    options,
    applies: ({ maxAge }) => maxAge !== Infinity,
    before({ ageMs, options: { maxAge } }) {
      if (ageMs <= maxAge) return undefined
      return { kind: 'dead', reason: `expired: ${shortDuration(ageMs)} old, maxAge is ${shortDuration(maxAge)}` }
    },
  })
}
