/** Durations: milliseconds, or a number with a unit. Parsed here and nowhere else. */
import { GreenroomError } from './errors.ts'

/** Milliseconds, or a number with its unit: `'500ms' '30s' '5m' '2h' '7d'`. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const FORM = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/

/** A year: the longest delay, age or limit that anything here accepts, so that a typing error does not park a message for ever. */
export const LONGEST_MS = 365 * UNITS.d

/**
 * Milliseconds of a duration.
 * @param name what the duration is for: names the option in the error
 * @throws {GreenroomError} `DURATION_INVALID` for anything that is not a finite duration from 0 to 365 days, `Infinity` where `infinite` is set
 * @example durationMs('1.5h', 'timeLimit') // 5_400_000
 */
export function durationMs(value: unknown, name: string, { infinite = false }: { infinite?: boolean } = {}): number {
  const ms = value === 'Infinity' ? Infinity : typeof value === 'string' ? textMs(value) : typeof value === 'number' ? value : NaN
  if (ms >= 0 && ms <= LONGEST_MS) return ms
  if (infinite && ms === Infinity) return ms // on the wire it is a text: JSON has no Infinity
  throw new GreenroomError('DURATION_INVALID', `${name} is not a duration: ${shown(value)}`, {
    help: `Write milliseconds or a text such as '500ms', '30s', '5m', '2h', '7d', from 0 to 365d${infinite ? ', or Infinity for no limit' : ''}`,
  })
}

function textMs(text: string): number {
  const [, count, unit] = FORM.exec(text) ?? []
  return count === undefined ? NaN : Number(count) * UNITS[unit as keyof typeof UNITS]
}

/** Milliseconds as people write them, for messages and logs: `1500` is `1.5s`. */
export function shortDuration(ms: number): string {
  for (const unit of ['d', 'h', 'm', 's'] as const)
    if (ms >= UNITS[unit]) return `${Math.round((ms / UNITS[unit]) * 10) / 10}${unit}`
  return `${Math.round(ms)}ms`
}

/** A short, safe picture of any value for an error message. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'symbol') return 'a symbol'
  if (typeof value !== 'object' || value === null) return `${value}`
  try {
    return Array.isArray(value) ? 'an array' : 'an object'
  } catch {
    return 'an object' // a revoked proxy
  }
}
