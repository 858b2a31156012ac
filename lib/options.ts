/**
 * Options: declared by middleware, written by users on actors and messages, resolved once on each side.
 *
 * An `Option<In, Out>` says what users write (`'30s'`), what the middleware reads (`30000`), the default, and whether a
 * message may carry one. The resolution is message > actor > default and happens here only.
 */
import { nearest } from './did-you-mean.ts'
import { type Duration, durationMs, shown } from './duration.ts'
import { GreenroomError, listed } from './errors.ts'
import { isPlainRecord } from './plain.ts'

/** `In` is what users write, `Out` what the middleware reads. */
export interface Option<In, Out = In, PerMessage extends boolean = boolean> {
  readonly default: Out
  /** Whether `with()` and the body of a message may carry it. */
  readonly perMessage: PerMessage
  /** Called for every value that is given: by users and, for options per message, by whoever writes to the broker. */
  parse(value: unknown, name: string): Out
  /** Only in types. */
  readonly '~in'?: In
}
// `any`: the bound must accept every In and Out; callers never see it.
/** The options of a middleware, by name: camelCase, as users write them. */
export type OptionSpecs = { readonly [name: string]: Option<any, any, boolean> }
/** What a middleware reads of its options: parsed, and each with a value. */
export type Resolved<S> = { readonly [K in keyof S]: S[K] extends Option<any, infer Out, any> ? Out : never }

const invalid = (name: string, value: unknown, wanted: string) =>
  new GreenroomError('OPTION_INVALID', `${name} cannot be ${shown(value)}`, { help: `It takes ${wanted}` })

/** More is a typing error: nobody waits for the thousandth attempt. */
const LARGEST_COUNT = 1_000_000

/** A whole number from 0. @param d the default @example options: { maxRetries: perMessage(count(20)) } */
export function count(d: number, { max = LARGEST_COUNT }: { readonly max?: number } = {}): Option<number, number, false> {
  return {
    default: d,
    perMessage: false,
    parse(value, name) {
      if (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= max) return value as number
      throw invalid(name, value, `a whole number from 0 to ${max}`)
    },
  }
}

/** Milliseconds or `'30s'`; read as milliseconds. @param d the default @example options: { maxBackoff: duration('7d') } */
export function duration(
  d: Duration | typeof Infinity,
  { infinite = d === Infinity }: { readonly infinite?: boolean } = {},
): Option<Duration, number, false> {
  return {
    default: durationMs(d, 'default', { infinite: true }),
    perMessage: false,
    parse: (value, name) => durationMs(value, name, { infinite }),
  }
}

/** Yes or no. @param d the default */
export function flag(d: boolean): Option<boolean, boolean, false> {
  return {
    default: d,
    perMessage: false,
    parse(value, name) {
      if (typeof value === 'boolean') return value
      throw invalid(name, value, 'true or false')
    },
  }
}

/** Longer texts belong into arguments. */
const LONGEST_TEXT = 1_024

/** A text of up to 1,024 characters; undefined when nobody gave one. */
export function text(): Option<string, string | undefined, false> {
  return {
    default: undefined,
    perMessage: false,
    parse(value, name) {
      if (typeof value === 'string' && value.length <= LONGEST_TEXT) return value
      throw invalid(name, value, `a text of at most ${LONGEST_TEXT} characters`)
    },
  }
}

/**
 * An option of any type. `parse` throws for what it refuses; it is also given what travelled, which may be hostile.
 * @example custom<'eu' | 'us'>({ default: 'eu', parse: value => value === 'us' ? 'us' : 'eu' })
 */
export function custom<In, Out = In>(o: {
  readonly default: Out
  parse(value: unknown, name: string): Out
}): Option<In, Out, false> {
  return { default: o.default, perMessage: false, parse: o.parse }
}

/** The same option, which `with()` accepts too and messages carry. */
export function perMessage<In, Out>(o: Option<In, Out, boolean>): Option<In, Out, true> {
  return { default: o.default, perMessage: true, parse: (value, name) => o.parse(value, name) }
}

/** @throws {GreenroomError} `OPTION_INVALID` */
export function checkRecord(options: unknown, of: string): void {
  if (isPlainRecord(options)) return
  throw new GreenroomError('OPTION_INVALID', `The options of ${of} are ${shown(options)} and not an object`, {
    help: 'Give { name: value, … }, or leave them out',
  })
}

/**
 * What a function was given as its options, once every name in it is known: in JavaScript nobody else tells that one is misspelt.
 * For factories of middleware. Values are checked by `parse` of the option that they are the default of.
 * @param of how the function is called in the error
 * @throws {GreenroomError} `OPTION_UNKNOWN` with the nearest name, `OPTION_INVALID` for what is no object
 * @example
 * export const runLimit = (given: { most?: number } = {}) => {
 *   const { most = 3 } = knownOptions(given, ['most'], 'runLimit()')
 *   …
 */
export function knownOptions<const O extends object>(given: O, names: readonly string[], of: string): O {
  checkRecord(given, of)
  for (const name of Object.keys(given)) {
    if (names.includes(name)) continue
    const near = nearest(name, names)
    throw new GreenroomError('OPTION_UNKNOWN', `Unknown option ${shown(name)} of ${of}`, {
      help: near ? `Did you mean ${near}?` : `Known are ${listed(names)}`,
    })
  }
  return given
}

/** Every option of a chain by name, with the middleware that declares it. */
export type OptionTable = ReadonlyMap<string, { readonly option: Option<unknown, unknown>; readonly by: string }>
export type ResolvedOptions = Readonly<Record<string, unknown>>

/** What comes back from the wire as it was, and reaches no prototype. */
const isOptionName = (name: string) => /^[a-z][A-Za-z0-9]*$/.test(name) && !(name in Object.prototype) && name !== 'prototype'

/** @throws {GreenroomError} `OPTION_CLASH` when two middleware declare one name, `MIDDLEWARE_INVALID` for a name that cannot travel */
export function optionTable(
  chain: readonly { readonly name: string; readonly options?: OptionSpecs | undefined }[],
  reserved: ReadonlySet<string>,
): OptionTable {
  const table = new Map<string, { option: Option<unknown, unknown>; by: string }>()
  for (const { name: by, options = {} } of chain) {
    for (const [name, option] of Object.entries(options)) {
      const other = reserved.has(name) ? 'Greenroom itself' : table.get(name)?.by
      if (!isOptionName(name))
        throw new GreenroomError('MIDDLEWARE_INVALID', `${by} declares an option that cannot be called ${shown(name)}`, {
          help: 'Use camelCase: letters and digits, a small letter first',
        })
      if (other !== undefined)
        throw new GreenroomError('OPTION_CLASH', `${by} and ${other} both declare the option ${name}`, {
          help: 'Rename one of them; a middleware that may stand twice takes `as`',
        })
      table.set(name, { option, by })
    }
  }
  return table
}

/** What applies to an actor without options of its own. */
export function defaultsOf(table: OptionTable): ResolvedOptions {
  const resolved: Record<string, unknown> = Object.create(null)
  for (const [name, { option }] of table) resolved[name] = option.default
  return resolved
}

/** Lays `given` over `base`. The very same `base` when nothing is given, so that most messages allocate nothing. */
export function resolve(
  table: OptionTable,
  base: ResolvedOptions,
  given: Readonly<Record<string, unknown>>,
  level: 'actor' | 'message',
): ResolvedOptions {
  let resolved: Record<string, unknown> | undefined
  for (const name in given) {
    const entry = table.get(name),
      value = given[name]
    if (entry === undefined || value === undefined || (level === 'message' && !entry.option.perMessage)) continue
    resolved ??= Object.assign(Object.create(null), base) as Record<string, unknown>
    resolved[name] = entry.option.parse(value, name)
  }
  return resolved ?? base
}
