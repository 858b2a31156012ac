/** Holds a broker against the reference, under a seed: `GREENROOM_SEED`, else a new one each time. What fails is shortened and says its seed. */
import * as fc from 'fast-check'
import type { BrokerTarget } from '../../conformance.ts'
import { systemClock } from '../../lib/clock.ts'
import { systemRandom } from '../../lib/ids.ts'
import { Difference, play, runs } from './commands.ts'

/** How a broker is held against the reference. */
export interface Held {
  readonly seed: number
  /** How many sequences of commands. */
  readonly times: number
  /** The longest of them. */
  readonly length: number
  /** Whether what fails is shortened. @default true */
  readonly shorten?: boolean
}

/** Once something failed it is shortened for so long, ms. */
const SHORTEN_MS = 20_000

export const newSeed = (): number => Number(process.env.GREENROOM_SEED ?? Math.floor(systemRandom() * 2 ** 31))

let namespaces = 0

/** Resolves to what differed, shortened, or to undefined; and to how many commands ran. */
export async function hold(
  open: () => Promise<BrokerTarget>,
  { seed, times, length, shorten = true }: Held,
): Promise<{ readonly commands: number; readonly difference: string | undefined }> {
  let commands = 0,
    failedAt: number | undefined
  const property = fc.asyncProperty(runs(length), async run => {
    if (failedAt !== undefined && systemClock.monotonic() - failedAt > SHORTEN_MS) return
    try {
      commands += await play(await open(), `model-${++namespaces}`, run)
    } catch (error) {
      failedAt ??= systemClock.monotonic()
      throw error
    }
  })
  const details = await fc.check(property, { seed, numRuns: times, endOnFailure: !shorten })
  if (!details.failed) return { commands, difference: undefined }
  const [run] = details.counterexample ?? [],
    why = details.errorInstance
  const ran = run?.commands.slice(0, why instanceof Difference ? why.step + 1 : undefined) ?? []
  const difference = [
    why instanceof Error ? why.message : String(why),
    `after these commands, looked at each ${run?.every}:`,
    ...ran.map(each => `  ${JSON.stringify(each)}`),
    `Once more: GREENROOM_SEED=${seed}`,
  ]
  return { commands, difference: difference.join('\n') }
}
