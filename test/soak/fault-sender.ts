/** A sender of the runs with faults: sends numbers in batches, and notes which may be stored, and which were acknowledged. */
import { greenroom } from '../../index.ts'
import { openLedger } from '../rig/ledger.ts'
import { answers, given } from './crew.ts'

const BATCH = 50

const { url, folder } = given<{ url: string; folder: string }>()
const app = greenroom({ broker: url }),
  work = app.declare<(n: number) => void>('work'),
  ledger = openLedger(folder)
answers({
  ready() {},
  send: async ({ from, to }: { from: number; to: number }) => {
    for (let n = from; n < to; n += BATCH) {
      const batch = Array.from({ length: Math.min(BATCH, to - n) }, (_, i): [number] => [n + i])
      ledger.maybe(n, n + batch.length)
      await work.sendMany(batch)
      ledger.acked(n, n + batch.length)
    }
  },
})
