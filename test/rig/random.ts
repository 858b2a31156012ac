/** Chance with a seed: the same seed gives the same numbers, on every machine. Mulberry32, as small as such a generator gets. */

export type Random = () => number

/** Numbers in [0, 1). */
export function seeded(seed: number): Random {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A whole number in [from, to]. */
export const whole = (random: Random, from: number, to: number): number => from + Math.floor(random() * (to - from + 1))

export const oneOf = <const T>(random: Random, things: readonly [T, ...T[]]): T => things[whole(random, 0, things.length - 1)]!
