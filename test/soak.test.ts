/** The short form of each long run, and the runner of them. Figures of speed are never held here: others share the machine. */
import { existsSync } from 'node:fs'
import t from 'tap'
import { judge } from './soak/delayed.ts'
import { fit } from './soak/memory.ts'
import { soak } from './soak/runner.ts'
import { shortForms } from './soak/short-forms.ts'
import { type Row, atMost, count, exactly, scenario } from './soak/scenario.ts'

shortForms(['model', 'delayed', 'hostile', 'memory'])

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

const kept = (rows: readonly Row[]) => Object.fromEntries(rows.map(({ what, ok }) => [what, ok]))

t.test('delayed: early, lost, late and second runs are told apart; time without a worker is not late', async t => {
  const outages = [{ from: 1_000, to: 3_000 }]
  const judged = (...runs: readonly (readonly [n: number, due: number, ran: number])[]) =>
    kept(judge(runs, { messages: 2, outages, isShort: false }))
  const fine = judged([0, 500, 500], [1, 1_500, 3_200])
  t.notOk(Object.values(fine).includes(false), 'due while none was there, and run soon after')
  t.match(judged([0, 500, 499], [1, 600, 600]), { 'run before they were due': false, lost: true })
  t.match(judged([0, 500, 500]), { lost: false })
  t.match(judged([0, 500, 751], [1, 600, 600]), { 'at most 250 ms late': false, lost: true })
  t.match(judged([0, 900, 3_900], [1, 600, 600]), { 'the latest of those due while no worker was there': true })
  t.match(judged([0, 900, 3_901], [1, 600, 600]), { 'the latest of those due while no worker was there': false })
  t.match(judged([0, 900, 990], [0, 900, 3_010], [1, 600, 600]), { 'second runs that no kill explains': true })
  t.match(judged([0, 900, 990], [0, 900, 995], [1, 600, 600]), { 'second runs that no kill explains': false })
  t.match(judged([0, 500, 500], [1, 600, 600], [-1, 0, 700]), { 'run that were not due at all': false })
})

t.test('memory: the slope is that of the line, and noise is in its error', async t => {
  const points = (noise: number) =>
    Array.from({ length: 120 }, (_, x) => [x, 5 + 2 * x + noise * (x % 2 === 0 ? 1 : -1)] as const)
  const [clean, noisy] = [fit(points(0)), fit(points(3))]
  t.ok(Math.abs(clean.slope - 2) < 1e-9 && clean.error < 1e-9)
  t.ok(Math.abs(noisy.slope - 2) < 0.01)
  const stairs = fit(Array.from({ length: 120 }, (_, x) => [x, Math.floor(x / 40) % 2] as const))
  t.ok(stairs.error > 0.001, 'steps that last are not made small by looking often')
})
