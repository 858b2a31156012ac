/** A seeded script for the proxy: calm, a fault, calm, another one. The same seed gives the same faults, for the same times, in the same order. */
import { type Clock, sleep } from '../../lib/clock.ts'
import type { Proxy } from './proxy.ts'
import { oneOf, type Random, seeded, whole } from './random.ts'

/** A fault, from its first moment to its last one by the clock's monotonic time. */
export interface Fault {
  readonly what: string
  readonly from: number
  readonly to: number
}

export interface WeatherOptions {
  readonly seed: number
  readonly clock: Clock
  /** Aborted, it ends: healed, and at once. */
  readonly signal: AbortSignal
  /** The longest time between two faults, and the longest that one lasts. @default 500, 500 */
  readonly calmMs?: number
  readonly stormMs?: number
  /** Told of each fault when it is over. */
  readonly note?: (fault: Fault) => void
}

const FAULTS: readonly [Cause, ...Cause[]] = [
  (proxy, random) => {
    const bytes = whole(random, 0, 2_000),
      direction = oneOf(random, ['up', 'down'])
    void proxy.cutAfter(bytes, direction, oneOf(random, ['rst', 'fin']))
    return `cut after ${bytes} bytes ${direction}`
  },
  proxy => {
    void proxy.cut()
    return 'reset'
  },
  proxy => {
    void proxy.dropReply()
    return 'reply dropped'
  },
  (proxy, random) => {
    const direction = oneOf(random, ['up', 'down', 'both'])
    proxy.silence(direction)
    return `silent ${direction}`
  },
  (proxy, random) => {
    const ms = whole(random, 1, 50)
    proxy.delay(ms, ms)
    return `${ms} to ${2 * ms} ms late`
  },
  proxy => {
    proxy.fragment(1)
    return 'byte by byte'
  },
]
type Cause = (proxy: Proxy, random: Random) => string

export async function weather(
  proxy: Proxy,
  { seed, clock, signal, calmMs = 500, stormMs = 500, note = () => {} }: WeatherOptions,
): Promise<void> {
  const random = seeded(seed)
  const wait = (ms: number) => sleep(clock, ms, { signal }).catch(() => {})
  while (!signal.aborted) {
    await wait(whole(random, 0, calmMs))
    if (signal.aborted) break
    const from = clock.monotonic(),
      what = oneOf(random, FAULTS)(proxy, random)
    await wait(whole(random, 0, stormMs))
    proxy.heal()
    note({ what, from, to: clock.monotonic() })
  }
}
