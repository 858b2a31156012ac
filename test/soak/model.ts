/**
 * The long form of test/model: `node scripts/soak.mjs model [--commands 2000000] [--broker memory|file|both] [--seed n]`.
 * Each round has a seed of its own, counted from the first, which is printed: a round that fails can be run alone.
 */
import { parseArgs } from 'node:util'
import { systemClock } from '../../lib/clock.ts'
import { memoryTarget } from '../brokers/memory-target.ts'
import { fileTarget } from '../model/file-target.ts'
import { hold, newSeed } from '../model/hold.ts'

const { values } = parseArgs({
  options: {
    commands: { type: 'string', default: '2000000' },
    broker: { type: 'string', default: 'both' },
    seed: { type: 'string', default: `${newSeed()}` },
  },
})
/** Sequences in a round: seconds, and a folder of its own for each round of file:. */
const TIMES = 100
/** Longer than those in the tests: more is held, dead, remembered. */
const LENGTH = 400

async function soak(name: 'memory' | 'file', most: number): Promise<boolean> {
  const started = systemClock.monotonic()
  let total = 0
  for (let seed = Number(values.seed); total < most; seed++) {
    await using target = name === 'file' ? await fileTarget() : undefined
    const { commands, difference } = await hold(async () => target ?? memoryTarget(), { seed, times: TIMES, length: LENGTH })
    total += commands
    if (difference === undefined) continue
    console.log(`${name}: with the seed ${seed}, after ${total} commands\n${difference}`)
    return false
  }
  console.log(
    `${name}: ${total} commands from seed ${values.seed}, ${((systemClock.monotonic() - started) / 1_000).toFixed(0)} s, no difference`,
  )
  return true
}

for (const name of ['memory', 'file'] as const) {
  if (values.broker !== name && values.broker !== 'both') continue
  if (!(await soak(name, Number(values.commands)))) process.exitCode = 1
}
