/** That each benchmark works: a hundredth of it, once. Its figures are for people, and never a test. */
import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { root } from './root.ts'

const run = promisify(execFile)
const { measure } = (await import(join(root, 'benchmarks/harness.mjs'))) as {
  measure(title: string, scenarios: readonly { name: string; n: number; run: () => number }[]): Promise<unknown>
}
/** Not a benchmark each: what they share. */
const PARTS = ['harness.mjs', 'scenarios.mjs', 'bare-lmdb.mjs']
/** The broker alone has no quick form: it is for whoever works on it. */
const ALONE = ['embedded.mjs']

const benchmarks = readdirSync(join(root, 'benchmarks')).filter(file => ![...PARTS, ...ALONE].includes(file))
for (const file of benchmarks) {
  t.test(`${file} prints a table and a line of JSON for each row`, async t => {
    const { stdout } = await run(process.execPath, [join(root, 'benchmarks', file), '--quick', '--json'])
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
