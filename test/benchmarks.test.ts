/** That each benchmark works: a hundredth of it, once. Its figures are for people, and never a test. */
import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { needed } from './rig/needed.ts'
import { root } from './root.ts'

const run = promisify(execFile)
interface Scenario {
  readonly name: string
  readonly n: number
  readonly isPeer?: boolean
  run(): number
}
const { measure } = (await import(join(root, 'benchmarks/shared/harness.mjs'))) as {
  measure(title: string, scenarios: readonly Scenario[]): Promise<ReadonlyMap<string, number>>
}
needed('needRedis')
/** The broker alone has no quick form: it is for whoever works on it. */
const ALONE = ['embedded.mjs']
/** Others are not compared with here: they would have to be installed. */
const FLAGS: Readonly<Record<string, readonly string[]>> = { 'redis.mjs': ['--only=ours,bare,least'] }

const benchmarks = readdirSync(join(root, 'benchmarks')).filter(file => file.endsWith('.mjs') && !ALONE.includes(file))
for (const file of benchmarks) {
  t.test(`${file} prints a table and a line of JSON for each row`, async t => {
    const { stdout } = await run(process.execPath, [join(root, 'benchmarks', file), '--quick', '--json', ...(FLAGS[file] ?? [])])
    const rows = stdout.split('\n').flatMap(line => (line.startsWith('{') ? [JSON.parse(line)] : []))
    t.ok(rows.length > 0)
    for (const row of rows) {
      t.match(row, { bench: String, node: process.version, cores: Number })
      if ('median' in row) t.ok(row.n > 0 && row.low > 0 && row.low <= row.median && row.median <= row.high, row.name)
    }
    t.match(stdout, new RegExp(`node ${process.version}`), 'the table says where it was measured')
  })
}

t.test('a scenario that does not account for every message has no figure', async t => {
  await t.rejects(measure('lossy', [{ name: 'loses one', n: 10, run: () => 9 }]), /loses one: 9 of 10 messages/)
})

t.test('another queue that loses a message has no figure, and the rest has', async t => {
  const lossy = { name: 'another loses one', n: 10, isPeer: true, run: () => 9 }
  const printed = t.capture(console, 'log')
  const medians = await measure('beside others', [{ name: 'ours', n: 10, run: () => 10 }, lossy])
  t.strictSame([...medians.keys()], ['ours'])
  t.match(
    printed()
      .map(({ args }) => args.join(' '))
      .join('\n'),
    /another loses one +no figure: .*9 of 10 messages/,
  )
})
