/** Waiting without time: turns of the event loop, and promises that a test settles. (A rejection that nobody handles fails the test that made it: tap sees to it.) */

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
