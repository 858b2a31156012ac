/** The defects of others cannot come back: every mutant of the core fails the test that the table names, and those of brokers are in theirs. */
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import t from 'tap'
import { brokerMutants } from '../brokers/mutants.ts'
import { systemClock } from '../../lib/clock.ts'
import { root } from '../root.ts'
import { type CoreDefect, DEFECTS } from './defects.ts'

const AT_ONCE = 2
const PATIENCE_MS = 30_000
const names = new Set(brokerMutants.map(([name]) => name))

t.test('a defect of brokers is a mutant that the conformance suite must notice', async t => {
  for (const defect of DEFECTS) if ('broker' in defect) t.ok(names.has(defect.broker), defect.broker)
})

t.test('each mutant of the core fails the test that is named', async t => {
  t.ok(existsSync(`${root}.build/lib/settler.js`), 'the tree is compiled')
  const left = DEFECTS.filter((defect): defect is CoreDefect => 'file' in defect)
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let defect = left.shift(); defect; defect = left.shift()) t.equal(await noticed(defect), 'noticed', defect.what)
    }),
  )
})

/** Runs the named test on the changed tree. */
async function noticed({ what, file, find, put, by: [test, name] }: CoreDefect): Promise<string> {
  if (readFileSync(`${root}.build/${file}.js`, 'utf8').split(find).length !== 2) return `${file} does not have once: ${find}`
  const path = `${root}.build/${test.replace(/ts$/, 'js')}`
  if (!readFileSync(path, 'utf8').includes(name.replaceAll("'", "\\'"))) return `${test} has no test "${name}"`
  const grep = name.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')
  const env = {
    ...process.env,
    TAP: '1',
    TAP_GREP: `/^${grep}$/`,
    TAP_TIMEOUT: '25',
    MUTANT: JSON.stringify({ file, find, put }),
  }
  const child = spawn(process.execPath, ['--import', `${root}test/fixtures/mutant.mjs`, path], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const start = systemClock.monotonic()
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  const deadline = systemClock.after(PATIENCE_MS, () => child.kill('SIGKILL'))
  await new Promise(resolve => child.once('close', resolve))
  deadline.cancel()
  if (child.signalCode !== null) return `hung for ${PATIENCE_MS} ms: name a test that ends`
  t.comment(`${((systemClock.monotonic() - start) / 1_000).toFixed(1)} s: ${what}`)
  if (/ has the text \d+ times: /.test(output)) return 'the mutant was not made'
  // A mutant that breaks the module itself proves nothing: the test must have begun.
  if (!output.includes(`# Subtest: ${name}`)) return `the test did not run: ${output.slice(-500)}`
  return child.exitCode === 0 ? `survived "${name}"` : 'noticed'
}
