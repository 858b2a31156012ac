/** Waiting without time: turns of the event loop, and promises that a test settles. (A rejection that nobody handles fails the test that made it: tap sees to it.) */

import type { MovingClock } from '../../lib/moving-clock.ts'

/** Lets everything run that needs no time to pass: so many turns of the event loop. A worker in memory needs two or three a message. */
export async function turns(count = 20): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise(resolve => setImmediate(resolve))
}

/** Moves the clock from timer to timer, as far as so much time, and lets everything happen on the way. */
export async function pass(clock: MovingClock, ms: number): Promise<void> {
  await turns()
  const end = clock.monotonic() + ms
  for (let next = clock.next(); next !== undefined && clock.monotonic() + next <= end; next = clock.next()) {
    clock.advance(next)
    await turns(6)
  }
  clock.advance(end - clock.monotonic())
  await turns()
}

/** A promise, and what settles it. */
export function gate<T = void>(): { readonly opened: Promise<T>; open(value: T): void } {
  let open!: (value: T) => void
  const opened = new Promise<T>(resolve => {
    open = resolve
  })
  return { opened, open }
}
