/**
 * A handler that starts a promise and awaits it nowhere, or throws in a timer, ends the process as in any program of Node. Node's
 * stack says where, and not for which message: this says it, one line before. And of `process.exit()`, which says nothing at all.
 */
import { internalsOf } from '../lib/internals.ts'
import { rememberedApps, shared } from '../lib/registry.ts'
import type { Run } from '../lib/run.ts'
import { lineOf } from './failure.ts'
import { safe } from './text.ts'

/** @returns a line, or undefined where no run is to blame */
export function crashLine(error: unknown, origin: NodeJS.UncaughtExceptionOrigin): string | undefined {
  const run = shared.runs.getStore() as Run | undefined
  if (!run) return undefined
  const what = origin === 'unhandledRejection' ? 'left a promise alone that was rejected' : 'threw outside of what it awaits'
  const then = run.over
    ? 'its message had ended; others that this process held run again'
    : 'its message runs again, with one delivery more, and so does what else this process held'
  return safe(`greenroom: ${named(run.message)} ${what}, which ends this process: ${lineOf(error)}. Await it; ${then}`)
}

/** So many names help; more are a wall. */
const MOST_NAMED = 3

/** @returns a line for the end of a process that nobody asked for, or undefined where nothing ran */
export function exitLine(code: number): string | undefined {
  const run = shared.runs.getStore() as Run | undefined
  const running = rememberedApps().flatMap(app => [...internalsOf(app).running].flatMap(messages => messages()))
  const help = 'A handler must not end its process: throw, or return'
  const again = 'with one delivery more'
  if (run && !run.over)
    return safe(
      `greenroom: ${named(run.message)} called process.exit(), exit code ${code}. ${help}; its message runs again, ${again}, and so does what else this process held`,
    )
  if (running.length === 0) return undefined
  const more = running.length > MOST_NAMED ? ` and ${running.length - MOST_NAMED} more` : ''
  const names = running.slice(0, MOST_NAMED).map(named)
  return safe(
    `greenroom: this process ends with exit code ${code} while it runs ${names.join(', ')}${more}: what it held runs again, ${again}`,
  )
}

const named = ({ actor, id }: Run['message']): string => `${actor} (message ${id})`
