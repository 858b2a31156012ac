/** The one grammar of names (queues, actors, namespaces) and of ids: what is safe in a key, a path, a log line and a routing key. */
import { shown } from './duration.ts'
import { GreenroomError } from './errors.ts'

const NAME = /^[A-Za-z0-9_.-]{1,128}$/
/** Ids may hold anything printable without a space, so that an order number or a URL-safe key can be one. */
const LONGEST_ID = 200

export const isName = (value: unknown): value is string => typeof value === 'string' && NAME.test(value)
/** A loop, and not a regular expression, which costs three times as much: every broker looks at every id. */
export function isId(value: unknown): value is string {
  if (typeof value !== 'string' || value.length === 0 || value.length > LONGEST_ID) return false
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i)
    if (code < 0x21 || code > 0x7e) return false
  }
  return true
}

/** @throws {GreenroomError} `NAME_INVALID` */
export function checkName(value: unknown, what: 'actor' | 'queue' | 'namespace'): string {
  if (isName(value)) return value
  throw new GreenroomError('NAME_INVALID', `${shown(value)} cannot name ${what === 'actor' ? 'an' : 'a'} ${what}`, {
    help: 'Use 1 to 128 letters, digits, dots, dashes or underscores',
  })
}

/** @throws {GreenroomError} `ID_INVALID` */
export function checkId(value: unknown): string {
  if (isId(value)) return value
  throw new GreenroomError('ID_INVALID', `${shown(value)} cannot be the id of a message`, {
    help: 'Use 1 to 200 printable ASCII characters without spaces',
  })
}
