/** A worker of the run `recovery`: holds what it takes until its lease is lost, and says so. */
import { current, type GreenroomError, greenroom } from '../../index.ts'
import { openLedger } from '../rig/ledger.ts'
import { answers, given } from './crew.ts'

const { url, folder, lease, held } = given<{ url: string; folder: string; lease: number; held: number }>()
const app = greenroom({ broker: url, log: { debug() {}, info() {}, warn() {}, error: console.error } })
const ledger = openLedger(folder)
ledger.opened()
let running = 0,
  lost = 0
const told: (() => void)[] = []
const tell = () => told.splice(0).forEach(each => each())
const once = async (isSo: () => boolean) => {
  while (!isSo()) await new Promise<void>(resolve => told.push(resolve))
}
app.actor(
  async (n: number) => {
    const { attempt, deliveries, signal } = current()
    ledger.start(n, attempt, deliveries)
    running++
    tell()
    await new Promise(resolve => signal.addEventListener('abort', resolve))
    if ((signal.reason as GreenroomError).code === 'LEASE_LOST') lost++
    tell()
  },
  { name: 'hold', maxRetries: 0 },
)
const started = app.work({ concurrency: held, lease })
answers({
  ready: async () => void (await started),
  holds: () => once(() => running === held),
  fenced: async () => {
    await once(() => lost === held)
    return lost
  },
})
