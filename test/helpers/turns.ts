/** Fails the test file for what nobody handles: a rejection without a listener would end a user's process. */
import t from 'tap'

const unhandled: unknown[] = []
process.on('unhandledRejection', error => unhandled.push(error))

/** To be called once, at the top of a test file. */
export function guardRejections(): void {
  t.teardown(async () => {
    await turns()
    t.strictSame(unhandled.map(String), [], 'no unhandled rejection')
  })
}

/** Lets everything run that needs no time to pass: so many turns of the event loop. A worker in memory needs two or three a message. */
export async function turns(count = 20): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise(resolve => setImmediate(resolve))
}

/** A promise, and what settles it. */
export function gate<T = void>(): { readonly opened: Promise<T>; open(value: T): void } {
  let open!: (value: T) => void
  const opened = new Promise<T>(resolve => {
    open = resolve
  })
  return { opened, open }
}
