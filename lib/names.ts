/** The one grammar of names (queues, actors, namespaces) and of ids: what is safe in a key, a path, a log line and a routing key. */
import { shown } from './duration.ts'
import { GreenroomError } from './errors.ts'

const NAME = /^[A-Za-z0-9_.-]{1,128}$/
/** Ids may hold anything printable without a space, so that an order number or a URL-safe key can be one. */
const ID = /^[\x21-\x7e]{1,200}$/

export const isName = (value: unknown): value is string => typeof value === 'string' && NAME.test(value)
export const isId = (value: unknown): value is string => typeof value === 'string' && ID.test(value)

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
