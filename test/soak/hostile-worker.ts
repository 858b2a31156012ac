/** The worker of the run `hostile`. Good messages send their own successors, more of them than run at once: its slots are never idle. */
import { subscribe } from 'node:diagnostics_channel'
import { greenroom } from '../../index.ts'
import { answers, given } from './crew.ts'
import { pause } from './scenario.ts'

const HANDLER_MS = 20
const SLOTS = 20
const CHAINS = 10 * SLOTS

const { url } = given<{ url: string }>()
const before = Object.getOwnPropertyNames(Object.prototype).join()
const app = greenroom({ broker: url, log: { debug() {}, info() {}, warn() {}, error() {} } })
let ran = 0,
  sent = 0,
  rejected = 0,
  isStopping = false
subscribe('greenroom:rejected', () => void rejected++)
const good = app.actor(
  async (chain?: number) => {
    ran++
    await pause(HANDLER_MS)
    if (isStopping || chain === undefined) return
    sent++
    await good.send(chain)
  },
  { name: 'good' },
)
async function start() {
  sent += CHAINS
  await good.sendMany(Array.from({ length: CHAINS }, (_, chain): [number] => [chain]))
  await app.work({ concurrency: SLOTS })
}
const started = start()
answers({
  ready: () => started,
  now: () => ({ ran, sent, rejected, polluted: Object.getOwnPropertyNames(Object.prototype).join() !== before }),
  stop() {
    isStopping = true
  },
})
