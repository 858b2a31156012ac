/** A process that has no file descriptor left: its sends are refused with the reason, none is lost, and it goes on when it has some again. */
import { spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { root } from '../root.ts'
import { folder } from './embedded-target.ts'

/** What a process may have open in all. Node alone needs some 20. */
const LIMIT = 64
/** With so many left, a folder can be opened for sure. */
const ENOUGH = 24

interface Try {
  readonly left: number
  readonly without: { readonly verdict?: string; readonly code?: string; readonly stored?: string; readonly message?: string }
  readonly after: { readonly verdict?: string }
  readonly ready: number
}

t.test('no file descriptor left', async t => {
  const path = folder(t)
  mkdirSync(path)
  const script = `ulimit -n ${LIMIT} && exec "$0" "$@"`,
    args = [process.execPath, join(root, 'test/fixtures/few-files.mjs'), path, `${ENOUGH}`]
  const child = spawn('sh', ['-c', script, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, EMBEDDED: fileURLToPath(new URL('../../brokers/embedded/index.js', import.meta.url)) },
  })
  let stdout = '',
    stderr = ''
  child.stdout.setEncoding('utf8').on('data', text => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', text => (stderr += text))
  const code = await new Promise(resolve => child.on('close', resolve))
  t.strictSame([code, stderr], [0, ''], 'nothing brings the process down')
  const lines = stdout
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as Try)

  const tries = lines.slice(0, -1)
  t.equal(tries.length, ENOUGH + 1)
  for (const { left, without, after, ready } of tries) {
    const isStored = without.verdict === 'stored'
    if (!isStored)
      t.match(
        without,
        { code: 'BROKER_DOWN', stored: 'no', retryable: true, message: /EMFILE|[Tt]oo many open files.*\(ulimit -n\)/s },
        `${left} left`,
      )
    t.strictSame(
      { after, ready },
      { after: { verdict: 'stored' }, ready: isStored ? 2 : 1 },
      `then, with files again, after ${left} left`,
    )
  }
  t.ok(tries.some(({ without }) => without.verdict === undefined))
  t.equal(tries.at(-1)!.without.verdict, 'stored')
  t.strictSame(
    lines.at(-1),
    { before: { verdict: 'stored' }, during: { verdict: 'stored' }, settled: ['ok', 'ok'] },
    'a folder that is open needs no more',
  )
})
