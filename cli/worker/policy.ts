/**
 * What a parent does when a child has ended: pure, the lives so far decide.
 *
 *   asked to end, or drained -> over
 *   a flag or a module is wrong, and no child was ever ready -> fail: a second try would end like the first
 *   died -> again, after a wait that doubles while lives are short; too many in a row -> fail
 *   with --watch, where it would fail, or is not even ready -> change: only an edit helps
 */
import { EXIT } from '../exit.ts'

/** A child that lived longer was well: the count of quick deaths starts again. */
const LONG_LIFE_MS = 10_000
/** So many in a row that never became ready: they will not tomorrow either. */
const MOST_FAILED_STARTS = 5
/** Of those that were ready more are borne: a message that kills its worker is buried only after `maxDeliveries` deaths, and there may be a few. */
const MOST_CRASHES = 20
const WAIT_MIN_MS = 100
const WAIT_MAX_MS = 5_000

export interface Life {
  readonly end: number | NodeJS.Signals
  readonly wasReady: boolean
  readonly livedMs: number
}

/** Deaths in a row, of all children. */
export interface Deaths {
  readonly failedStarts: number
  readonly crashes: number
}
export const NO_DEATHS: Deaths = { failedStarts: 0, crashes: 0 }

export type Next =
  | { readonly kind: 'over' }
  | { readonly kind: 'again'; readonly waitMs: number }
  | { readonly kind: 'change' }
  | { readonly kind: 'fail'; readonly code: number; readonly why: string }

export interface World {
  readonly stopping: boolean
  readonly drain: boolean
  readonly watch: boolean
  /** Some child was ready once: the flags and the modules are right. */
  readonly everReady: boolean
}

/** @returns what to do, and the count for the next time */
export function afterEnd(life: Life, before: Deaths, world: World): { readonly next: Next; readonly deaths: Deaths } {
  const { end, wasReady } = life
  if (world.stopping || (world.drain && end === EXIT.ok)) return { next: { kind: 'over' }, deaths: before }
  const deaths = counted(life, before)
  if (world.watch && !wasReady) return { next: { kind: 'change' }, deaths: NO_DEATHS }
  if (!world.everReady && (end === EXIT.usage || end === EXIT.module))
    return { next: { kind: 'fail', code: end, why: 'a second try would end like the first' }, deaths }
  const most = deaths.failedStarts >= MOST_FAILED_STARTS ? deaths.failedStarts : deaths.crashes
  if (deaths.failedStarts < MOST_FAILED_STARTS && deaths.crashes < MOST_CRASHES)
    return { next: { kind: 'again', waitMs: Math.min(WAIT_MAX_MS, WAIT_MIN_MS * 2 ** Math.min(deaths.crashes, 10)) }, deaths }
  if (world.watch) return { next: { kind: 'change' }, deaths: NO_DEATHS }
  const why = `the processes keep dying (${most} times in a row). Mend what the lines above say; greenroom worker without --processes shows one of them alone`
  return { next: { kind: 'fail', code: EXIT.children, why }, deaths }
}

function counted({ wasReady, livedMs }: Life, { failedStarts, crashes }: Deaths): Deaths {
  if (livedMs >= LONG_LIFE_MS) return NO_DEATHS
  return { failedStarts: wasReady ? 0 : failedStarts + 1, crashes: crashes + 1 }
}
