/**
 * A look at the bytes of a msgpack body before anything is made of them: one pass, no recursion, no memory because a length says
 * so. What passes is data only, for any decoder: no class, no pattern, no record that the next message is read by, no cycle,
 * nothing cut short, nothing left over.
 */
import { DEEPEST } from './data.ts'
import { DEEPEST_BODY, MAX_NODES } from './encoder.ts'

export interface Scanned {
  /** What is wrong with it; undefined when nothing is. */
  readonly hazard: string | undefined
  /** Whether a key is `__proto__`: the decoder would give it another name. */
  readonly inherits: boolean
}

const FINE: Scanned = { hazard: undefined, inherits: false }
const INHERITS: Scanned = { hazard: undefined, inherits: true }
const bad = (hazard: string): Scanned => ({ hazard, inherits: false })
const CUT_SHORT = bad('cut short')

/** How many bytes follow each of the first bytes from 0xc0 on: of a value, or of a length. Extensions and 0xc1 are looked at by themselves. */
const FOLLOW = [0, NaN, 0, 0, 1, 2, 4, NaN, NaN, NaN, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, NaN, NaN, NaN, NaN, NaN, 1, 2, 4, 2, 4, 2, 4]
const PROTO = Buffer.from('__proto__')

export function scan(body: Uint8Array): Scanned {
  const end = body.length
  /** Of each list or map that is open: how many values are still to come, the keys of a map among them. */
  const left = [1],
    isMap = [false]
  let at = 0,
    top = 0,
    nodes = 0,
    inherits = false
  while (top >= 0) {
    if (left[top] === 0) {
      top--
      continue
    }
    const isKey = isMap[top]! && left[top]! % 2 === 0
    left[top]!--
    if (at >= end) return CUT_SHORT
    const byte = body[at++]!
    const isText = (byte >= 0xa0 && byte < 0xc0) || (byte >= 0xd9 && byte <= 0xdb)
    if (isKey && !isText) return bad('a key that is not a text')
    if (byte < 0x80 || byte >= 0xe0) continue // a small integer
    const isList = byte < 0xa0 || byte >= 0xdc
    let size = byte < 0xa0 ? byte & 0x0f : byte < 0xc0 ? byte & 0x1f : FOLLOW[byte - 0xc0]!
    if (Number.isNaN(size)) {
      const known = extension(body, at - 1)
      if (typeof known === 'string') return bad(known)
      size = known
    } else if (byte >= 0xd9 || (byte >= 0xc4 && byte <= 0xc6)) {
      const start = at + size
      for (size = 0; at < start; at++) size = size * 256 + (body[at] ?? NaN)
    }
    if (isList) {
      const map = byte < 0x90 || byte >= 0xde
      const values = map ? 2 * size : size
      if (!(values <= end - at)) return CUT_SHORT // each takes a byte at least: a length alone takes no memory
      if (++top > DEEPEST_BODY) return bad(`nested more than ${DEEPEST} deep`)
      if (++nodes > MAX_NODES) return bad(`more than ${MAX_NODES} arrays and objects`)
      left[top] = values
      isMap[top] = map
      continue
    }
    if (!(size <= end - at)) return CUT_SHORT
    if (isText && size >= 3 && body[at] === 0xef && body[at + 1] === 0xbb && body[at + 2] === 0xbf)
      return bad('a text that begins with a byte order mark') // the decoder would drop it
    if (isKey && size === PROTO.length && body[at] === PROTO[0] && PROTO.every((each, i) => body[at + i] === each))
      inherits = true
    at += size
  }
  if (at < end) return bad(`${end - at} bytes behind its end`)
  return inherits ? INHERITS : FINE
}

/** How many bytes follow in an extension that is kept: a time in one of its three forms, or undefined. Or why it is not. */
function extension(body: Uint8Array, at: number): number | string {
  const byte = body[at]!,
    next = body[at + 1]
  if (byte === 0xd4 && next === 0) return 2
  if (byte === 0xd6 && next === 0xff) return 5
  if (byte === 0xd7 && next === 0xff) return 9
  if (byte === 0xc7 && next === 12 && body[at + 2] === 0xff) return 14
  if (byte === 0xc1) return 'a byte that means nothing, 0xc1'
  const type = byte >= 0xd4 ? next : body[at + { 0xc7: 2, 0xc8: 3, 0xc9: 5 }[byte]!]
  return `an extension of type ${type}`
}
