/** The short forms of long runs as tests: their counts are held, their times only told. In files of a few each, as a file has two minutes. */
import t from 'tap'
import { newSeed } from '../model/hold.ts'
import { scenarios } from './all.ts'
import { runOne, valuesOf } from './runner.ts'

export function shortForms(names: readonly string[]): void {
  for (const name of names) {
    const each = scenarios.find(scenario => scenario.name === name)!
    t.test(`${each.name}: ${each.summary}`, async t => {
      const seed = newSeed()
      t.comment(`GREENROOM_SEED=${seed}`)
      const rows = await runOne(each, valuesOf(each.flags, true), { seed, isShort: true, say: line => t.comment(line) })
      for (const { what, goal, measured, ok } of rows) t.ok(ok, `${what}: ${measured}${goal && `, wanted ${goal}`}`)
    })
  }
}
