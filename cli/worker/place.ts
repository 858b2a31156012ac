/**
 * One of the places of `--processes n`: the child that serves in it, and now and then a second one that is to take over.
 *
 *   starting -> serving -> ended, and nobody asked for it: waits, starting
 *   renew(): another one starts, and once it is ready the first one drains; if it does not start, the first one stays
 *   renew() once more meanwhile: what starts may have read old code, so yet another one starts in its stead
 */
import type { Clock, Timer } from '../../lib/clock.ts'
import type { Child } from '../command.ts'

/** A child, from its start to its end. */
export interface Life {
  readonly child: Child
  readonly place: number
  readonly bornAt: number
  isReady: boolean
  /** How it ended. */
  end: number | NodeJS.Signals | undefined
  /** It was told to end. */
  isDismissed: boolean
  killTimer: Timer | undefined
}

export interface Place {
  readonly number: number
  /** A child starts, or there is somebody who waits for one. */
  readonly isRenewing: boolean
  /** Resolves with whether a child that started after this call serves now. */
  renew(): Promise<boolean>
  /** Goes on where it waits to start again. */
  wake(): void
  /** Resolves when a child is ready for the first time, or none will be. */
  readonly up: Promise<void>
  /** Resolves when the place is given up. */
  readonly over: Promise<void>
}

export interface PlaceParts {
  readonly clock: Clock
  readonly stop: AbortSignal
  start(place: number): Life
  /** It drains, and is killed if it does not end. */
  dismiss(life: Life): void
  /** A successor is not ready, and `serving` stays. */
  kept(life: Life, serving: Life): void
  /** One that served ended while its successor started. */
  succeeded(life: Life): void
  /** How long to wait before the next start (Infinity: until somebody renews); undefined: no more starts. */
  ended(life: Life): number | undefined
}

export function keepPlace(number: number, { clock, stop, start, dismiss, kept, succeeded, ended }: PlaceParts): Place {
  let asking: ((isUp: boolean) => void)[] = [],
    poke = () => {},
    isStarting = false,
    isOver = false,
    isUp!: () => void
  const up = new Promise<void>(resolve => {
    isUp = resolve
  })
  const poked = () =>
    new Promise<void>(resolve => {
      poke = resolve
      if (asking.length > 0) resolve()
    })

  async function nap(ms: number): Promise<void> {
    const woken = poked()
    const timer = ms === Infinity ? undefined : clock.after(ms, () => poke())
    if (!stop.aborted) await woken
    timer?.cancel()
  }

  async function keep(): Promise<void> {
    let serving: Life | undefined
    while (!stop.aborted) {
      const asked = asking
      asking = []
      isStarting = true
      const next = start(number)
      await Promise.race([next.child.ready, poked()])
      if (asking.length > 0 && !next.isReady && next.end === undefined) {
        asking.push(...asked)
        dismiss(next)
        continue
      }
      await next.child.ready
      isStarting = false
      if (next.isReady) {
        isUp()
        if (serving?.end !== undefined) succeeded(serving)
        else if (serving) dismiss(serving)
        serving = next
      } else if (serving && serving.end === undefined) kept(next, serving)
      else serving = next
      for (const tell of asked) tell(next.isReady)
      await Promise.race([serving.child.ended, poked()])
      if (serving.end === undefined) {
        if (stop.aborted) await serving.child.ended
        continue
      }
      const waitMs = ended(serving)
      serving = undefined
      if (waitMs === undefined) return
      await nap(waitMs)
    }
  }

  const over = keep().finally(() => {
    isOver = true
    isUp()
    for (const tell of asking) tell(false)
  })
  return {
    number,
    get isRenewing() {
      return isStarting || asking.length > 0
    },
    renew: () =>
      new Promise(resolve => {
        if (isOver) return resolve(false)
        asking.push(resolve)
        poke()
      }),
    wake: () => poke(),
    up,
    over,
  }
}
