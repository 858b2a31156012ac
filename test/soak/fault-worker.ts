/** A worker of the runs with faults: notes each run before and after its effect. SIGTERM drains it. */
import { current, greenroom } from '../../index.ts'
import { openLedger } from '../rig/ledger.ts'
import { answers, given } from './crew.ts'
import { pause } from './scenario.ts'

/** What it is started with. */
export interface FaultWorker {
  readonly url: string
  /** Of the ledger. */
  readonly folder: string
  readonly concurrency: number
}

const { url, folder, concurrency } = given<FaultWorker>()
const app = greenroom({ broker: url, log: { debug() {}, info() {}, warn() {}, error: console.error } }),
  ledger = openLedger(folder)
ledger.opened()
app.actor(
  async (n: number) => {
    const { attempt, deliveries } = current()
    ledger.start(n, attempt, deliveries)
    if (n % 16 === 0) await pause(2) // most end at once, some while others begin: so that there is always one that runs
    ledger.effect(n)
  },
  { name: 'work', maxRetries: 0 },
)
const started = app.work({ concurrency })
process.once(
  'SIGTERM',
  () =>
    void started
      .then(worker => worker.close())
      .then(() => app.close())
      .then(() => process.disconnect()),
)
answers({
  ready: async () => void (await started),
  /** How many it runs and holds. */
  held: async () => {
    const { running, held } = (await started).health()
    return running + held
  },
})
