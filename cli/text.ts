/** Text for a terminal. What comes from a broker was written by anyone: nothing of it may move a cursor or forge a line. */
import { shortDuration } from '../lib/duration.ts'
import { printable } from '../lib/printable.ts'

/** Any text as one harmless line, of any length. Inside JSON the escapes still mean what they stood for. */
export const safe = printable

/** Plain data as JSON. What msgpack keeps and JSON does not is a text: `5n`, `NaN`, `base64:aGk=`, a date in ISO 8601, `undefined` in a list. */
export const jsonText = (value: unknown, indent?: number): string => JSON.stringify(value, asText, indent)

function asText(this: Readonly<Record<string, unknown>>, key: string, value: unknown): unknown {
  const given = this[key] // before toJSON(), which bytes have
  if (given instanceof Uint8Array) return `base64:${Buffer.from(given).toString('base64')}`
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'number' && !Number.isFinite(value)) return `${value}`
  return value === undefined && Array.isArray(this) ? 'undefined' : value
}

/** Plain data as readable JSON, a line each, harmless. */
export const prettyLines = (value: unknown): string[] => jsonText(value, 2).split('\n').map(safe)

/** `3m ago`, `in 5m`. */
export const relative = (at: number, now: number): string =>
  at > now ? `in ${shortDuration(at - now)}` : `${shortDuration(now - at)} ago`

/** The latest time that a Date can hold. A broker may hold any number. */
const LATEST_MS = 8.64e15
export const timeText = (at: number, now: number): string =>
  Math.abs(at) <= LATEST_MS ? `${new Date(at).toISOString()} (${relative(at, now)})` : `${at}`

export const plural = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`

/** So many names help; more are a wall. */
const MOST_NAMES = 10
export const listedShort = (names: readonly string[]): string =>
  names.slice(0, MOST_NAMES).join(', ') + (names.length > MOST_NAMES ? ` and ${names.length - MOST_NAMES} more` : '')

/** A cut for a column. */
export const cut = (text: string, most: number): string => (text.length > most ? `${text.slice(0, most - 1)}…` : text)

/** Rows under a head, in columns; numbers to the right. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string[] {
  const cells = [head, ...rows.map(row => row.map(cell => safe(`${cell}`)))]
  const widths = head.map((_, column) => Math.max(...cells.map(row => row[column]!.length)))
  const isNumber = head.map((_, column) => rows.length > 0 && rows.every(row => typeof row[column] === 'number'))
  const line = (row: readonly string[]) =>
    row.map((cell, column) => (isNumber[column] ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!))).join('  ')
  return cells.map(row => line(row).trimEnd())
}

/** Names and their values, one below the other. */
export function facts(rows: readonly (readonly [name: string, value: string])[]): string[] {
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${safe(value)}`)
}
