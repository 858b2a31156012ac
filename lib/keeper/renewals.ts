/**
 * Renews the leases of adapters that leave it to the keeper thread. Each is on its own: one that fails or hangs is told of once and
 * tried again at the next turn; it holds up no other, nor the watch.
 */
import type { KeeperModule, Renewal } from '../broker.ts'
import { type Clock, type Timer, within } from '../clock.ts'
import type { Kept } from './protocol.ts'

export interface Renewals {
  keep(id: number, kept: Kept): void
  /** Renews it no more, and lets its module close what it holds. Never rejects. */
  drop(id: number): Promise<void>
}

/** So long a module may close what it holds. */
const CLOSE_MS = 2_000

/** @param told of the first of some failures in a row, and with undefined when it works again */
export function createRenewals(
  clock: Clock,
  load: (module: string) => Promise<unknown>,
  told: (id: number, error: string | undefined) => void,
): Renewals {
  const keeping = new Map<number, () => Promise<void>>()

  function keep(id: number, { module, data, everyMs }: Kept): void {
    let timer: Timer | undefined,
      renewal: Promise<Renewal> | undefined,
      underWay: { readonly since: number } | undefined,
      isFailing = false,
      isOver = false

    const make = async (): Promise<Renewal> => {
      const { keep } = (await load(module)) as Partial<KeeperModule>
      if (typeof keep !== 'function') throw new TypeError(`${module} exports no function keep(data)`)
      return keep(data)
    }
    function tell(error: string | undefined): void {
      if (isFailing === (error !== undefined) || isOver) return
      isFailing = error !== undefined
      told(id, error)
    }
    async function renew(): Promise<void> {
      const turn = { since: clock.monotonic() }
      underWay = turn
      try {
        renewal ??= make()
        await (await renewal).renew()
        if (underWay === turn) tell(undefined)
      } catch (error) {
        tell(error instanceof Error ? error.message : String(error))
        if (
          await renewal?.then(
            () => false,
            () => true,
          )
        )
          renewal = undefined // it was never made
      } finally {
        if (underWay === turn) underWay = undefined
      }
    }
    function turn(): void {
      // One answer may be late; one that never comes must not end the renewals.
      const lateMs = underWay ? clock.monotonic() - underWay.since : 0
      if (underWay && lateMs >= everyMs / 2) tell(`it has not answered for ${Math.round(lateMs)} ms`)
      if (!underWay || lateMs >= 1.5 * everyMs) void renew()
      timer = clock.after(everyMs, turn)
    }
    turn()
    keeping.set(id, async () => {
      isOver = true
      timer?.cancel()
      const close = async () => (await renewal)?.[Symbol.asyncDispose]?.()
      await within(close(), CLOSE_MS, clock, () => undefined).catch(() => {}) // it is over all the same
    })
  }
  return {
    keep,
    async drop(id) {
      const end = keeping.get(id)
      keeping.delete(id)
      await end?.()
    },
  }
}
