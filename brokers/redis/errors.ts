/** What can go wrong with a server, in one place: sentences for people, codes for programs. */
import { GreenroomError } from '../../lib/errors.ts'
import { LinkError, type Why } from './link.ts'

/** A repeat may help: the server comes back, or finds its master. */
export const passes = (why: Why): boolean => why === 'away' || why === 'unready'

/** @param name of the link: where the server is, without credentials */
export function failureOf(error: unknown, name: string): GreenroomError {
  if (error instanceof GreenroomError) return error
  if (!(error instanceof LinkError))
    return new GreenroomError('BROKER_INVALID', `${name}: ${(error as Error).message}`, {
      help: 'This is a defect of Greenroom; please report it',
      cause: error,
      stored: 'maybe',
    })
  const { why, ran, message } = error
  const stored = ran
  switch (why) {
    case 'away':
      return new GreenroomError('BROKER_DOWN', `${name} cannot be reached (${message})`, {
        help: `Is it running and reachable? ${ran === 'no' ? 'Nothing was stored' : 'What was under way may have been done'}`,
        retryable: true,
        stored,
        cause: error,
      })
    case 'unready':
      return new GreenroomError('BROKER_DOWN', `${name} does not serve now (${message})`, {
        help: 'It is starting, failing over or busy with a long script; wait, or look at its log',
        retryable: true,
        stored,
        cause: error,
      })
    case 'full':
      return new GreenroomError('BROKER_FULL', `${name} takes no more writes (${message})`, {
        help: 'Give the server more memory or disk, or let workers drain it: they go on when memory is full',
        retryable: true,
        stored,
        cause: error,
      })
    case 'denied':
      return new GreenroomError('BROKER_DENIED', `${name} refuses this user (${message})`, {
        help: 'Check user and password of the URL, and the permissions in docs/redis.md',
        stored,
        cause: error,
      })
    case 'broken':
      return new GreenroomError('BROKER_INVALID', `${name} answered with an error (${message})`, {
        help: 'It must be Redis 7.0 or Valkey 7.2, or later, and the keys of the namespace Greenroom’s alone',
        stored,
        cause: error,
      })
  }
}

export const closed = (what: 'broker' | 'consumer' | 'store'): GreenroomError =>
  new GreenroomError('BROKER_DOWN', `This ${what} has been closed`, { help: 'Make a new one', stored: 'no' })
