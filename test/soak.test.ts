/** The short form of each long run, and the runner of them. Figures of speed are never held here: others share the machine. */
import { existsSync } from 'node:fs'
import t from 'tap'
import { newSeed } from './model/hold.ts'
import { scenarios } from './soak/all.ts'
import { runOne, soak, valuesOf } from './soak/runner.ts'
import { type Row, atMost, count, exactly, scenario } from './soak/scenario.ts'

for (const each of scenarios) {
  t.test(`${each.name}: ${each.summary}`, async t => {
    const seed = newSeed()
    t.comment(`GREENROOM_SEED=${seed}`)
    const rows = await runOne(each, valuesOf(each.flags, true), { seed, isShort: true, say: line => t.comment(line) })
    for (const { what, goal, measured, ok } of rows) t.ok(ok, `${what}: ${measured}${goal && `, wanted ${goal}`}`)
  })
}

/** Runs the runner on scenarios that do nothing. */
async function printed(args: readonly string[], rows: (folder: string, values: object) => readonly Row[]) {
  const lines: string[] = []
  const make = (name: string) =>
    scenario({
      name,
      summary: `what ${name} does`,
      flags: { times: count(10, 2, 'how often') },
      run: async (values, { folder }) => rows(folder, values),
    })
  const code = await soak(args, [make('one'), make('two')], line => void lines.push(line))
  return { code, text: lines.join('\n') }
}

t.test('without a name each runs in a folder of its own, and the table says the seed', async t => {
  const folders: string[] = []
  const { code, text } = await printed(['--seed', '7'], folder => {
    t.ok(existsSync(folder))
    folders.push(folder)
    return [exactly('lost', 0, 0)]
  })
  t.equal(code, 0)
  t.equal(new Set(folders).size, 2)
  t.notOk(folders.some(existsSync))
  t.match(text, /what one does[^]*ok +lost +0 +0[^]*what two does[^]*all kept, seed 7/)
})

t.test('a row that is not kept, a run that throws, and one that promises nothing are failures', async t => {
  for (const rows of [
    () => [exactly('lost', 0, 1), exactly('dead', 1, 1)],
    () => [atMost('late', 5, NaN)],
    () => [],
    () => {
      throw new Error('no')
    },
  ]) {
    const { code, text } = await printed(['two'], rows)
    t.equal(code, 1)
    t.match(text, /FAIL[^]*1 not kept, seed \d+/)
  }
})

t.test('flags change the values of the form that is run; what makes no sense ends with 2 and the list', async t => {
  const seen: object[] = []
  const look = (_: string, values: object) => [exactly('seen', seen.push(values), seen.length)]
  for (const args of [['one'], ['one', '--short'], ['one', '--short', '--times', '5']]) await printed(args, look)
  t.strictSame(seen, [{ times: 10 }, { times: 2 }, { times: 5 }])
  for (const args of [['three'], ['one', '--no-such'], ['one', '--times', 'x'], ['one', '--seed', ''], ['--times', '5']]) {
    const { code, text } = await printed(args, look)
    t.equal(code, 2, args.join(' '))
    t.match(text, /npm run soak[^]*what one does/)
  }
  t.equal(seen.length, 3, 'nothing ran')
})

t.test('a line of JSON a row, and the list with each flag', async t => {
  const { text } = await printed(['one', '--json', '--seed', '3'], () => [exactly('lost', 0, 0)])
  const row = text.split('\n').find(line => line.startsWith('{'))!
  t.match(JSON.parse(row), { soak: 'one', what: 'lost', goal: '0', measured: '0', ok: true, seed: 3, node: process.version })
  const help = await printed(['--help'], () => [])
  t.equal(help.code, 0)
  t.match(help.text, /one +what one does\n +--times +how often \(10; short: 2\)/)
})
