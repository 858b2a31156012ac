/** A worker of the run `delayed`: notes each run (due when, run when, which) past any buffer, so that a kill loses none of it. */
import { openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { greenroom } from '../../index.ts'
import { systemClock } from '../../lib/clock.ts'
import { answers, given, memoryNow } from './crew.ts'

const { url, folder } = given<{ url: string; folder: string }>()
const app = greenroom({ broker: url, log: { debug() {}, info() {}, warn() {}, error: console.error } })
const file = openSync(join(folder, `ran-${process.pid}`), 'a'),
  row = new Float64Array(3),
  bytes = Buffer.from(row.buffer)
app.actor(
  (n: number, due: number) => {
    row[0] = n
    row[1] = due
    row[2] = systemClock.now()
    writeSync(file, bytes)
  },
  { name: 'late', maxRetries: 0 },
)
const started = app.work({ concurrency: 100 })
answers({
  ready: async () => void (await started),
  memory: memoryNow,
})
