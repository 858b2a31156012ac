/**
 * Honest data for msgpack: what it keeps beyond JSON (dates, bytes, bigints of 64 bits, NaN, undefined) passes, what it would
 * silently change is refused with the path and the fix. Each verdict is a row of the table in docs/encodings.md.
 */
import { types } from 'node:util'
import { at, DEEPEST, instance, isPlain, notData, type Refusal, tooDeep, under } from './data.ts'

const LEAST_BIGINT = -(2n ** 63n)
const MOST_BIGINT = 2n ** 64n - 1n
const BYTE_ORDER_MARK = 0xfeff

/** @throws {GreenroomError} `NOT_DATA`, with `details.path` */
export function checkMsgpackData(value: unknown, root: string, actor: string): void {
  const found = refusal(value, 0)
  if (found) throw notData(found, root, actor, 'msgpack')
}

function refusal(value: unknown, depth: number): Refusal | undefined {
  switch (typeof value) {
    case 'string':
      return textRefusal(value)
    case 'boolean':
    case 'undefined':
      return undefined
    case 'number':
      return Object.is(value, -0) ? at('-0', 'Send 0') : undefined
    case 'bigint':
      return value >= LEAST_BIGINT && value <= MOST_BIGINT
        ? undefined
        : at('a bigint of more than 64 bits', 'Send it as a text: value.toString()')
    case 'function':
      return at('a function', 'Send what it needs as data, and call it in the actor')
    case 'symbol':
      return at('a symbol', 'Send a text')
    default:
      return value === null ? undefined : inside(value as object, depth)
  }
}

/** A text travels as UTF-8, and the reader takes a byte order mark for no part of it. */
function textRefusal(text: string): Refusal | undefined {
  if (text.charCodeAt(0) === BYTE_ORDER_MARK)
    return at('a text that begins with a byte order mark', 'Leave the mark out: text.slice(1)')
  return (text as string & { isWellFormed(): boolean }).isWellFormed()
    ? undefined
    : at('a text with half a character (a lone surrogate)', "Send its bytes: Buffer.from(text, 'utf16le')")
}

function inside(value: object, depth: number): Refusal | undefined {
  const prototype = Object.getPrototypeOf(value) as object | null
  if (types.isUint8Array(value) && (prototype === Uint8Array.prototype || prototype === Buffer.prototype)) return undefined
  if (types.isDate(value) && prototype === Date.prototype)
    return Number.isNaN(value.getTime()) ? at('an invalid Date', 'Send a time, or null') : undefined
  if (depth >= DEEPEST) return tooDeep()
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const item: unknown = value[i]
      const found =
        item === undefined && !(i in value) ? at('a hole in a list', 'Fill it: Array.from(list)') : refusal(item, depth + 1)
      if (found) return under(i, found)
    }
    return undefined
  }
  if (!isPlain(value)) return ArrayBuffer.isView(value) || value instanceof ArrayBuffer ? otherBytes(value) : instance(value)
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function')
    return at('an object with toJSON()', 'Send what toJSON() gives')
  for (const key in value) {
    const found = textRefusal(key) ?? refusal((value as Record<string, unknown>)[key], depth + 1)
    if (found) return under(key, found)
  }
  return undefined
}

/** Other views arrive as bytes without their type. */
function otherBytes(value: object): Refusal {
  const view = ArrayBuffer.isView(value)
    ? 'new Uint8Array(value.buffer, value.byteOffset, value.byteLength)'
    : 'new Uint8Array(value)'
  return { ...instance(value), help: `Send its bytes: ${view}` }
}
