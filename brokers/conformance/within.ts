/** Patience: a promise that must settle soon. */
import { AssertionError } from 'node:assert/strict'
import type { Clock } from '../../lib/clock.ts'

/** The promise's own end, or an assertion that fails because it took too long. */
export function within<T>(clock: Clock, ms: number, promise: Promise<T>, otherwise: string | (() => string)): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(ms, () => {
      const what = typeof otherwise === 'string' ? otherwise : otherwise()
      reject(new AssertionError({ message: `${what} within ${ms} ms` }))
    })
    promise.then(resolve, reject).finally(() => timer.cancel())
  })
}
