/**
 * What a long run is: a name, flags with a value for its long and one for its short form, and a function that resolves to rows of a table.
 * A row says what was promised and what was measured, and whether that is kept; a run that cannot be made throws. Each is listed in all.ts.
 */
import { systemClock } from '../../lib/clock.ts'

/** One promise, and what came of it. */
export interface Row {
  readonly what: string
  /** `''`: printed for people, and promises nothing. */
  readonly goal: string
  readonly measured: string
  readonly ok: boolean
}

/** A value that `npm run soak -- <name> --flag value` changes. Its type is that of both values. */
export interface Flag<T extends number | string = number | string> {
  readonly long: T
  readonly short: T
  readonly what: string
}
export type Flags = Readonly<Record<string, Flag>>
export type Values<F extends Flags> = { readonly [K in keyof F]: F[K] extends Flag<infer T> ? T : never }

export interface Bench {
  /** All chance of the run comes of it. */
  readonly seed: number
  /** The short form, inside `npm test`: counts are held there, and speeds only printed, as others share the machine. */
  readonly isShort: boolean
  /** A new empty folder, which is gone afterwards. */
  readonly folder: string
  /** A line on how far it is. */
  say(line: string): void
}

export interface Scenario<F extends Flags = Flags> {
  readonly name: string
  /** One line. */
  readonly summary: string
  readonly flags: F
  run(values: Values<F>, bench: Bench): Promise<readonly Row[]>
}

/** A scenario whose values have the types of its flags. */
export const scenario = <const F extends Flags>(parts: Scenario<F>): Scenario => parts as unknown as Scenario

export const count = (long: number, short: number, what: string): Flag<number> => ({ long, short, what })
export const choice = (long: string, short: string, what: string): Flag<string> => ({ long, short, what })

/** Exactly this. */
export const exactly = (what: string, goal: number, measured: number): Row => ({
  what,
  goal: shown(goal),
  measured: shown(measured),
  ok: measured === goal,
})
/** No more than this; nothing measured (NaN) is never fine. */
export const atMost = (what: string, goal: number, measured: number, unit = ''): Row => ({
  what,
  goal: `at most ${shown(goal)}${unit}`,
  measured: shown(measured) + unit,
  ok: measured <= goal,
})
export const atLeast = (what: string, goal: number, measured: number, unit = ''): Row => ({
  what,
  goal: `at least ${shown(goal)}${unit}`,
  measured: shown(measured) + unit,
  ok: measured >= goal,
})
/** For people: no promise. */
export const note = (what: string, measured: string): Row => ({ what, goal: '', measured, ok: true })

export const shown = (value: number): string => value.toLocaleString('en', { maximumFractionDigits: 2 })

export const pause = (ms: number): Promise<void> => new Promise(resolve => void systemClock.after(ms, resolve))
