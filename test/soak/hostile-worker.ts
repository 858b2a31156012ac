/**
 * The worker of the run `hostile`, and its good traffic. Under load `steady` messages are sent at an even pace, half of what it manages; under
 * `full` each sends its successor when it ends, and more of them than run at once are under way, so that its slots are never idle of themselves.
 */
import { subscribe } from 'node:diagnostics_channel'
import { greenroom } from '../../index.ts'
import { systemClock } from '../../lib/clock.ts'
import { answers, given } from './crew.ts'
import { pause } from './scenario.ts'

const HANDLER_MS = 20
const SLOTS = 20
const CHAINS = 10 * SLOTS
/** A second; 20 slots of 20 ms manage 1,000. */
const STEADY_RATE = 500
const STEADY_EVERY_MS = 20

export type Load = 'steady' | 'full' | 'none'

const { url } = given<{ url: string }>()
const before = Object.getOwnPropertyNames(Object.prototype).join()
const app = greenroom({ broker: url, log: { debug() {}, info() {}, warn() {}, error() {} } })
let ran = 0,
  sent = 0,
  rejected = 0,
  load: Load = 'none',
  waits: number[] = []
subscribe('greenroom:rejected', () => void rejected++)
const good = app.actor(
  async (sentAt: number) => {
    waits.push(systemClock.monotonic() - sentAt)
    await pause(HANDLER_MS)
    ran++
    if (load === 'full') void send(1) // not awaited: what is measured is how soon a slot is filled again, not how long a send takes in it
  },
  { name: 'good' },
)
async function send(count: number): Promise<void> {
  sent += count
  const now = systemClock.monotonic()
  await good.sendMany(Array.from({ length: count }, (): [number] => [now]))
}
async function steadily(): Promise<void> {
  const began = systemClock.monotonic()
  for (let done = 0; load === 'steady'; await pause(STEADY_EVERY_MS)) {
    const due = Math.floor(((systemClock.monotonic() - began) * STEADY_RATE) / 1_000) - done
    if (due > 0) void send(due)
    done += due
  }
}
function quantile(q: number): number {
  waits.sort((a, b) => a - b)
  return waits[Math.min(waits.length - 1, Math.floor(waits.length * q))] ?? NaN
}
const started = app.work({ concurrency: SLOTS })
answers({
  ready: async () => void (await started),
  now: () => ({ ran, sent, rejected, polluted: Object.getOwnPropertyNames(Object.prototype).join() !== before }),
  /** How long good messages have waited for their start since the last question, ms. */
  waited() {
    const found = { median: quantile(0.5), most: quantile(0.99) }
    waits = []
    return found
  },
  async load(next: Load) {
    load = next
    if (load === 'full') await send(CHAINS)
    if (load === 'steady') void steadily()
  },
})
