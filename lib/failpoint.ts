/**
 * Places where a test lets a process die: `GREENROOM_FAIL=after-commit:3` kills it at the third pass. For tests of this library alone.
 * Without the variable there is no function to call, so a place costs one comparison.
 */
import { GreenroomError } from './errors.ts'

/** In the order in which a message passes them. */
export const FAILPOINTS = [
  'before-push', // a sender: encoded, not yet given to the broker
  'after-push', // stored, and its caller not yet told
  'after-take', // leased, and not yet started
  'before-run', // decoded, and its handler not yet called
  'after-run', // its handler ended, and the outcome is known to nobody else
  'before-settle', // about to be settled, with others
  'after-settle', // settled, and nobody told
  'before-commit', // file: the end of a transaction, before it is written
  'after-commit', // file: written, and nobody told
  'during-reap', // file: some of what a dead worker held is put back, and not all
] as const
export type Failpoint = (typeof FAILPOINTS)[number]

/** The place of this process, if it has one. @throws {GreenroomError} `OPTION_INVALID` for a place that there is not */
export function failpointOf(text: string | undefined, die: () => void): ((place: Failpoint) => void) | undefined {
  if (text === undefined || text === '') return undefined
  const [name, times = '1'] = text.split(':')
  if (!FAILPOINTS.includes(name as Failpoint) || !/^[1-9]\d*$/.test(times))
    throw new GreenroomError('OPTION_INVALID', `GREENROOM_FAIL cannot be ${JSON.stringify(text)}`, {
      help: `Leave it out; in a test of Greenroom write place or place:times, with one of ${FAILPOINTS.join(', ')}`,
    })
  let left = Number(times)
  return place => {
    if (place === name && --left === 0) die()
  }
}

/** Undefined: nobody asked for any. */
export const failpoint = failpointOf(process.env['GREENROOM_FAIL'], () => process.kill(process.pid, 'SIGKILL'))
