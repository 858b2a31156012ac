/**
 * A handler that starts a promise and awaits it nowhere, or throws in a timer, ends the process as in any program of Node. Node's
 * stack says where, and not for which message: this says it, one line before.
 */
import { shared } from '../lib/registry.ts'
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
  return safe(
    `greenroom: ${run.message.actor} (message ${run.message.id}) ${what}, which ends this process: ${lineOf(error)}. Await it; ${then}`,
  )
}
