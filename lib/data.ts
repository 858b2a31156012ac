/**
 * Honest data: refuses what JSON would silently change (a Date becomes a text, NaN becomes null, a Map becomes {}), with
 * the path to it and the fix. One walk over plain values; it allocates nothing unless it finds something.
 */
import { GreenroomError } from './errors.ts'

/** Deeper nesting is refused on both sides: it is an accident or an attack. */
export const DEEPEST = 64

/** Why a value cannot travel, and how to send it all the same. */
export interface Refusal {
  path: string
  what: string
  help: string
}

/**
 * @param root how the value is called in the error, e.g. `args`
 * @param actor whose message it is of
 * @throws {GreenroomError} `NOT_DATA`, with `details.path`
 */
export function checkData(value: unknown, root: string, actor: string): void {
  const found = refusal(value, 0)
  if (found) throw notData(found, root, actor, 'JSON')
}

export function notData({ path: inner, what, help }: Refusal, root: string, actor: string, encoding: string): GreenroomError {
  const path = root + inner
  return new GreenroomError('NOT_DATA', `${path} for ${actor} is ${what}, which ${encoding} would lose or change`, {
    help,
    details: { path },
  })
}

function refusal(value: unknown, depth: number): Refusal | undefined {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return undefined
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0)
        ? undefined
        : at(`${Object.is(value, -0) ? '-0' : value}`, 'Send a finite number, or null')
    case 'undefined':
      return at('undefined', 'Send null, or leave it out')
    case 'bigint':
      return at('a bigint', 'Send it as a text: value.toString()')
    case 'function':
      return at('a function', 'Send what it needs as data, and call it in the actor')
    case 'symbol':
      return at('a symbol', 'Send a text')
    default:
      return value === null ? undefined : inside(value as object, depth)
  }
}

export const at = (what: string, help: string): Refusal => ({ path: '', what, help })

function inside(value: object, depth: number): Refusal | undefined {
  if (depth >= DEEPEST) return tooDeep()
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const found = refusal(value[i], depth + 1)
      if (found) return under(i, found)
    }
    return undefined
  }
  if (!isPlain(value)) return instance(value)
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function')
    return at('an object with toJSON()', 'Send what toJSON() gives')
  for (const key in value) {
    const item = (value as Record<string, unknown>)[key]
    if (item === undefined) continue // JSON leaves it out, and reading it gives undefined again
    const found = refusal(item, depth + 1)
    if (found) return under(key, found)
  }
  return undefined
}

export const tooDeep = () =>
  at(`nested more than ${DEEPEST} deep (or contains itself)`, 'Send it flat, or an id of what is stored elsewhere')

/** What was found under a key or an index. */
export function under(key: string | number, found: Refusal): Refusal {
  const step = typeof key === 'string' && /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`
  return { ...found, path: step + found.path }
}

export function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as object | null
  return prototype === Object.prototype || prototype === null || isForeignPlain(value, prototype)
}

/** A plain object of another realm (a vm context: jest): its prototype is that realm's Object.prototype. */
const isForeignPlain = (value: object, prototype: object) =>
  Object.getPrototypeOf(prototype) === null &&
  Object.hasOwn(prototype, 'hasOwnProperty') &&
  Object.prototype.toString.call(value) === '[object Object]'

const FIXES: Readonly<Record<string, string>> = {
  Date: 'Send date.toISOString() or date.getTime()',
  Map: 'Send [...map]',
  Set: 'Send [...set]',
  RegExp: 'Send regexp.source',
  Error: 'Send { name, message }',
  Promise: 'Await it first',
  URL: 'Send url.href',
}

/** What cannot travel because of its class. */
export function instance(value: object): Refusal {
  const name = Object.prototype.toString.call(value).slice(8, -1)
  const called = name === 'Object' ? className(value) : name
  if (ArrayBuffer.isView(value) || name === 'ArrayBuffer')
    return at(`a ${called}`, "Send Buffer.from(bytes).toString('base64'), or store the bytes and send where they are")
  return at(`a ${called}`, FIXES[called] ?? 'Send a plain object with its fields: { ...value }')
}

function className(value: object): string {
  const made: unknown = (value as { constructor?: { name?: unknown } }).constructor?.name
  return typeof made === 'string' && made !== '' && made !== 'Object' ? `class instance (${made})` : 'class instance'
}
