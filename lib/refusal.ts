/** Why an envelope cannot be stored: for brokers, one verdict a message, so that a bad one of a batch refuses only itself. */
import type { Envelope } from './broker.ts'
import { shown } from './duration.ts'
import { GreenroomError } from './errors.ts'
import type { Due } from './message.ts'
import { isId, isName } from './names.ts'

/**
 * The largest body that a broker stores. RabbitMQ takes 16 MiB, and lmdb copies values up to 16 MiB out of its file; beyond that it hands out
 * the file itself. What a dead letter adds to a body fits in between.
 */
export const LARGEST_BODY = 15 * 1_048_576

/**
 * The error that a broker's `push()` answers with for an envelope that no broker stores; undefined for a good one.
 * @example push: async batch => batch.map(envelope => refusal(envelope) ?? store(envelope))
 */
export function refusal({ id, queue, body, attempt, priority, due, onceMs }: Envelope): GreenroomError | undefined {
  if (!isName(queue))
    return refused(
      'NAME_INVALID',
      `${shown(queue)} cannot name a queue`,
      'Use 1 to 128 letters, digits, dots, dashes or underscores',
    )
  if (!isId(id))
    return refused(
      'ID_INVALID',
      `${shown(id)} cannot be the id of a message`,
      'Use 1 to 200 printable ASCII characters without spaces',
    )
  if (!(body instanceof Uint8Array)) return invalid(id, `its body is ${shown(body)}`, 'Give bytes')
  if (body.length > LARGEST_BODY)
    return refused(
      'BODY_TOO_LARGE',
      `Message ${shown(id)} has ${body.length} bytes; no broker stores more than ${LARGEST_BODY}`,
      'Store the data elsewhere and send where it is',
    )
  if (!(Number.isInteger(attempt) && attempt >= 0))
    return invalid(id, `its attempt is ${shown(attempt)}`, 'Give a whole number from 0')
  if (priority !== 0 && priority !== 1 && priority !== 2)
    return invalid(id, `its priority is ${shown(priority)}`, 'Give 0, 1 or 2')
  if (due !== undefined && !isDue(due))
    return invalid(id, 'it is due at no time', 'Give { afterMs } from 0 or { at } in milliseconds since 1970')
  if (onceMs !== undefined && !(onceMs > 0 && onceMs < Infinity))
    return invalid(id, `its onceMs is ${shown(onceMs)}`, 'Give milliseconds above 0')
  return undefined
}

export const isDue = (due: Due): boolean => ('at' in due ? Number.isFinite(due.at) : due.afterMs >= 0 && due.afterMs < Infinity)

const refused = (code: 'BODY_TOO_LARGE' | 'NAME_INVALID' | 'ID_INVALID' | 'MESSAGE_INVALID', what: string, help: string) =>
  new GreenroomError(code, what, { help, stored: 'no' })
const invalid = (id: string, why: string, help: string) =>
  refused('MESSAGE_INVALID', `Message ${shown(id)} was refused: ${why}`, help)
