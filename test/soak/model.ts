/** The long form of test/model. Each round has a seed of its own, counted from the first: a round that fails can be run alone. */
import { memoryTarget } from '../brokers/memory-target.ts'
import { fileTarget } from '../model/file-target.ts'
import { hold } from '../model/hold.ts'
import { type Row, choice, count, scenario, shown } from './scenario.ts'

/** Sequences in a round: seconds, and a folder of its own for each round of file:. */
const TIMES = 100
/** Longer than those in the tests: more is held, dead, remembered. */
const LENGTH = 400

export const model = scenario({
  name: 'model',
  summary: 'random commands on memory: and file: and on a reference of sets beside them, compared after each',
  flags: {
    commands: count(2_000_000, 1_000, 'commands for each broker'),
    broker: choice('both', 'both', 'memory, file or both'),
  },
  async run({ commands: most, broker }, { seed, isShort, say }) {
    const rows: Row[] = []
    for (const name of ['memory', 'file'] as const) {
      if (broker !== name && broker !== 'both') continue
      let total = 0,
        found: string | undefined
      for (let round = seed; total < most && found === undefined; round++) {
        await using target = name === 'file' ? await fileTarget() : undefined
        const times = isShort ? 5 : TIMES
        const { commands, difference } = await hold(async () => target ?? memoryTarget(), { seed: round, times, length: LENGTH })
        total += commands
        if (difference === undefined) continue
        found = `with the seed ${round}`
        say(`${name}: ${found}, after ${total} commands\n${difference}`)
      }
      rows.push({
        what: `${name}: differences in ${shown(total)} commands`,
        goal: 'none',
        measured: found ?? 'none',
        ok: found === undefined,
      })
    }
    return rows
  },
})
