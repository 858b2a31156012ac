/** Chance with a seed: the same seed gives the same numbers, on every machine. */
import type { Random } from '../../lib/ids.ts'

export { seeded } from '../../brokers/conformance/soak.ts'

export type { Random }

/** A whole number in [from, to]. */
export const whole = (random: Random, from: number, to: number): number => from + Math.floor(random() * (to - from + 1))

export const oneOf = <const T>(random: Random, things: readonly [T, ...T[]]): T => things[whole(random, 0, things.length - 1)]!
