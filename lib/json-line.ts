/**
 * A line of a log as one JSON object, for machines: `time` (ISO 8601), `level`, `msg`, `pid`, then the facts. It is one line of printable
 * text whatever is in it, names no credentials of a URL, and is shorter than the pieces in which a parent of processes reads lines.
 */
import { systemClock } from './clock.ts'
import { failureOf } from './failure.ts'
import { oneLine, printable } from './printable.ts'
import { redactText } from './redact.ts'

export type Level = 'debug' | 'info' | 'warn' | 'error'

/** Whether the environment asks for it: `greenroom worker --log json` sets it for itself, its threads and its children. */
export const isJsonLog = (env: Readonly<Record<string, string | undefined>> = process.env): boolean =>
  env['GREENROOM_LOG'] === 'json'

/** In a longer line the facts are left out: `cut` says so. */
const LONGEST = 40_000
/** A longer text is cut: a stack is not. */
const LONGEST_FACT = 16_384

/** @param facts any object; what it has of the four names is not heard */
export function jsonLine(level: Level, msg: string, facts: object = {}, pid: number = process.pid): string {
  const own = { time: new Date(systemClock.now()).toISOString(), level, msg: redactText(oneLine(msg)), pid }
  const all = jsonOf({ ...own, ...facts, ...own })
  return all !== undefined && all.length <= LONGEST ? all : printable(JSON.stringify({ ...own, cut: true }))
}

/** Undefined for what JSON cannot hold: a circle, a `toJSON` that throws. */
function jsonOf(value: object): string | undefined {
  try {
    return printable(JSON.stringify(value, asFact))
  } catch {
    return undefined
  }
}

function asFact(this: Readonly<Record<string, unknown>>, key: string, value: unknown): unknown {
  const given = this[key] // before toJSON(), which errors of HTTP clients have, with the headers of the request
  if (given instanceof Error) return failureOf(given)
  if (typeof value === 'bigint') return `${value}n`
  return typeof value === 'string' ? redactText(value.length > LONGEST_FACT ? `${value.slice(0, LONGEST_FACT)}…` : value) : value
}
