/** Why an envelope cannot be stored: one verdict each, so that a bad message of a batch refuses only itself. */
import type { Envelope } from '../../lib/broker.ts'
import { GreenroomError } from '../../lib/errors.ts'
import { checkId, checkName } from '../../lib/names.ts'
import type { Due } from '../../lib/message.ts'

export const isDue = (due: Due): boolean => ('at' in due ? Number.isFinite(due.at) : due.afterMs >= 0 && due.afterMs < Infinity)

export function refusal({ id, queue, body, attempt, priority, due, onceMs }: Envelope): GreenroomError | undefined {
  try {
    checkName(queue, 'queue')
    checkId(id)
  } catch (error) {
    return error as GreenroomError
  }
  const wrong = !(body instanceof Uint8Array)
    ? 'its body is not bytes'
    : !(Number.isInteger(attempt) && attempt >= 0)
      ? 'its attempt is no whole number from 0'
      : ![0, 1, 2].includes(priority)
        ? 'its priority is not 0, 1 or 2'
        : due !== undefined && !isDue(due)
          ? 'it is due at no time'
          : onceMs !== undefined && !(onceMs > 0 && onceMs < Infinity)
            ? 'its onceMs is not above 0'
            : undefined
  return wrong === undefined
    ? undefined
    : new GreenroomError('MESSAGE_INVALID', `Message ${id} was refused: ${wrong}`, {
        help: 'See Envelope for what each field may be',
        stored: 'no',
      })
}
