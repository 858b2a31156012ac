/** What goes wrong with threads, each with what to do about it. */
import { GreenroomError, listed } from '../errors.ts'
import { failureOf } from '../failure.ts'

/** Modules that take longer wait for something that never comes. */
export const LOAD_MS = 30_000

const OWN_MODULE = 'Give isolated actors a module of their own, which does nothing else when it is loaded'

/** A module, or the actor in it, is not there for a thread. */
export const notLoaded = (actor: string, modules: readonly string[], why: string, cause?: unknown) =>
  new GreenroomError('THREAD_MODULE', `The thread for ${actor} has no code: ${listed(modules, 'its module')} ${why}`, {
    help: OWN_MODULE,
    retryable: true,
    ...(cause === undefined ? {} : { cause }),
  })

export const noHome = (actor: string) =>
  new GreenroomError('THREAD_MODULE', `The thread for ${actor} has no code: no file that a thread could import defines it`, {
    help: OWN_MODULE,
  })

export const noProgram = (actor: string) =>
  new GreenroomError(
    'THREAD_MODULE',
    `The thread for ${actor} cannot start: this is a bundle, and the package is not installed`,
    {
      help: 'Run npm install greenroom, of the version that was bundled, where the bundle runs',
    },
  )

/** Of what a module sends while a thread loads it: each thread would send it again. */
export const sentWhileLoaded = () =>
  new GreenroomError('THREAD_MODULE', 'A module sends while a thread loads it, so that each thread would send again', {
    help: OWN_MODULE,
    stored: 'no',
  })

/** How a thread ended by itself, a sentence without its full stop. */
export function threadEnded(
  actor: string,
  how: string,
  help = 'Throw an error instead: a run ends by returning or throwing',
  cause?: unknown,
) {
  return new GreenroomError('THREAD_ENDED', `The thread that ran ${actor} ${how}`, {
    help,
    retryable: true,
    ...(cause === undefined ? {} : { cause }),
  })
}

/** From what Node tells of the end of a thread. */
export function endOf(actor: string, code: number, error: unknown): GreenroomError {
  if (error === undefined) return threadEnded(actor, `was ended by process.exit(${code})`)
  if ((error as { code?: unknown }).code === 'ERR_WORKER_OUT_OF_MEMORY')
    return threadEnded(
      actor,
      'ran out of memory',
      'Let it work on less at once, or give threads more: app.work({ threadMemory: 512 }), in MB',
      error,
    )
  return threadEnded(
    actor,
    `was ended by an error that nobody caught: ${failureOf(error).message}`,
    'Await every promise in the handler, and listen for "error" on every emitter',
    error,
  )
}

/** What opens a broker in a thread: ended in the middle of a transaction it would never end, and keep the lock of the whole machine. */
export const noBroker = (name: string) =>
  new GreenroomError('THREAD_BROKER', `${name} was opened in a thread of an isolated actor`, {
    help: 'Send through the app: in a thread it asks its parent. Or take isolate away',
  })
