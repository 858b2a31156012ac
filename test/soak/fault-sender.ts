/** A sender of the runs with faults: sends numbers in batches, and notes which were acknowledged. */
import { openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { greenroom } from '../../index.ts'
import { answers, given } from './crew.ts'

const BATCH = 50

const { url, folder } = given<{ url: string; folder: string }>()
const app = greenroom({ broker: url }),
  work = app.declare<(n: number) => void>('work')
const file = openSync(join(folder, `acked-${process.pid}`), 'a')
answers({
  ready() {},
  send: async ({ from, to }: { from: number; to: number }) => {
    for (let n = from; n < to; n += BATCH) {
      const batch = Array.from({ length: Math.min(BATCH, to - n) }, (_, i): [number] => [n + i])
      await work.sendMany(batch)
      writeSync(file, Uint32Array.of(n, n + batch.length))
    }
  },
})
