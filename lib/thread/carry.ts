/**
 * Values between threads that a structured clone would spoil: errors with their brands, classes and fields, facts of log lines that
 * may hold anything, bytes that were a Buffer. Carrying never throws: what cannot travel is left out, or becomes a text.
 */
import { GreenroomError } from '../errors.ts'
import type { ResolvedOptions } from '../options.ts'
import { isPlainRecord } from '../plain.ts'

/** A value on its way. */
export type Carried =
  | { readonly as: 'value'; readonly value: unknown }
  | { readonly as: 'facts'; readonly facts: Readonly<Record<string, Carried>> }
  | {
      readonly as: 'error'
      /** By name: those that JavaScript has, and ours. */
      readonly builtin: string
      /** Where among its actor's options its class is: `throws`, 0. */
      readonly place?: readonly [option: string, index: number]
      readonly fields: Readonly<Record<string, unknown>>
      readonly marks: Readonly<Record<string, unknown>>
      readonly hidden: Readonly<Record<string, Carried>>
    }

const BUILTIN = { Error, TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError, AggregateError }
type Builtin = keyof typeof BUILTIN
/** Deeper causes say nothing more. */
const DEEPEST_CAUSE = 8
/** Brands of this library, and of whoever marks errors in the same way. */
const MARK = /^greenroom\//

/** Anything that was thrown. @param options of the actor: the classes that they name are found again on the other side */
export function carry(value: unknown, options: ResolvedOptions = {}, depth = 0): Carried {
  try {
    if (value instanceof Error) return carryError(value, options, depth)
    return { as: 'value', value: structuredClone(value) }
  } catch {
    return { as: 'value', value: textOf(value) }
  }
}

/** The facts of a log line: each by itself, so that one which cannot travel does not take the others with it. */
export function carryFacts(facts: object): Carried {
  if (facts instanceof Error || !isPlainRecord(facts)) return carry(facts)
  return { as: 'facts', facts: Object.fromEntries(Object.entries(facts).map(([key, value]) => [key, carry(value)])) }
}

export function unpack(carried: Carried, options: ResolvedOptions = {}): unknown {
  switch (carried.as) {
    case 'value':
      return withBuffers(carried.value)
    case 'facts':
      return Object.fromEntries(Object.entries(carried.facts).map(([key, value]) => [key, unpack(value)]))
    case 'error': {
      const { builtin, place, fields, marks, hidden } = carried
      const error = new Error()
      const listed: unknown = place && (options[place[0]] as readonly unknown[] | undefined)?.[place[1]]
      const kind =
        typeof listed === 'function' ? listed : builtin === 'GreenroomError' ? GreenroomError : BUILTIN[builtin as Builtin]
      Object.setPrototypeOf(error, kind.prototype as object)
      for (const [key, value] of Object.entries(fields))
        Object.defineProperty(error, key, { value: withBuffers(value), enumerable: true, writable: true, configurable: true })
      for (const [name, value] of Object.entries(marks)) Object.defineProperty(error, Symbol.for(name), { value })
      for (const [key, value] of Object.entries(hidden))
        Object.defineProperty(error, key, { value: unpackHidden(value, options), writable: true, configurable: true })
      return error
    }
    default:
      return carried satisfies never
  }
}

function carryError(error: Error, options: ResolvedOptions, depth: number): Carried {
  const fields: Record<string, unknown> = {},
    marks: Record<string, unknown> = {},
    hidden: Record<string, Carried> = {}
  for (const key of Object.keys(error)) {
    const field: unknown = error[key as 'name']
    if (APART.has(key) || key === '__proto__' || typeof field === 'function') continue
    try {
      fields[key] = structuredClone(field)
    } catch {} // as far as it can travel
  }
  for (const symbol of Object.getOwnPropertySymbols(error)) {
    const name = Symbol.keyFor(symbol)
    if (name !== undefined && MARK.test(name)) marks[name] = (error as unknown as Record<symbol, unknown>)[symbol]
  }
  for (const key of HIDDEN) {
    const value: unknown = error[key as 'cause']
    if (value === undefined || key in fields || (key === 'name' && value === 'Error')) continue
    if (depth < DEEPEST_CAUSE)
      hidden[key] = key === 'errors' && Array.isArray(value) ? carryAll(value, options, depth) : carry(value, options, depth + 1)
  }
  const place = placeOf(error, options)
  return { as: 'error', builtin: builtinOf(error), ...(place && { place }), fields, marks, hidden }
}

/** Fields that an error has and does not show. */
const HIDDEN = ['name', 'message', 'stack', 'code', 'cause', 'errors'] as const
/** Those that may hold errors, which a clone would spoil. */
const APART: ReadonlySet<string> = new Set(['cause', 'errors'])

const carryAll = (errors: readonly unknown[], options: ResolvedOptions, depth: number): Carried => ({
  as: 'facts',
  facts: Object.fromEntries(errors.map((error, i) => [i, carry(error, options, depth + 1)])),
})
const unpackHidden = (carried: Carried, options: ResolvedOptions): unknown =>
  carried.as === 'facts' ? Object.values(carried.facts).map(item => unpack(item, options)) : unpack(carried, options)

function builtinOf(error: Error): string {
  if (error instanceof GreenroomError) return 'GreenroomError'
  const found = Object.entries(BUILTIN).filter(([, kind]) => error instanceof kind)
  return found.at(-1)?.[0] ?? 'Error'
}

/** The nearest class that an option lists, as `throws` does: both sides have the same list, each with its own classes. */
function placeOf(error: Error, options: ResolvedOptions): readonly [string, number] | undefined {
  const all = Object.entries(options).flatMap(([option, list]) =>
    Array.isArray(list)
      ? list.flatMap((kind: unknown, index) =>
          typeof kind === 'function' && error instanceof kind ? [{ kind, option, index }] : [],
        )
      : [],
  )
  const nearest = all.find(({ kind }) => error.constructor === kind) ?? all[0]
  return nearest && [nearest.option, nearest.index]
}

/** A clone makes plain bytes of every Buffer; everywhere else a handler is given, and gives, Buffers. */
export function withBuffers(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  const of = value as Record<string, unknown>
  if (Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype)
    for (const key of Object.keys(of)) if (typeof of[key] === 'object') of[key] = withBuffers(of[key])
  return value
}

function textOf(value: unknown): string {
  try {
    return String(value)
  } catch {
    return 'something that cannot be shown'
  }
}
