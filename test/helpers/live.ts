/** The live example as a user starts it, in a temporary folder and on a free port, and what its tests ask of it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { program } from '../cli/program.ts'
import { root } from '../root.ts'

export const EXAMPLE = join(root, 'examples/live')
const JSON_TYPE = { 'content-type': 'application/json' }

export function folder(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'greenroom-test-live-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 }))
  return path
}

/** Starts the example, and waits until all of it is ready. */
export async function live(t: Test, ...argv: readonly string[]) {
  const temporary = folder(t)
  const run = program([join(EXAMPLE, 'start.mjs'), '--port', '0', ...argv], { cwd: temporary, env: { TMPDIR: temporary } })
  t.teardown(async () => {
    run.child.kill('SIGTERM')
    await run.ended
  })
  const [, url = ''] = await run.until(/open (http:\S+)/)
  await run.until(/process \d+ is ready/, 2)
  return { run, url, temporary }
}

export const post = (url: string, body: unknown, headers: Record<string, string> = JSON_TYPE) =>
  fetch(`${url}/jobs`, { method: 'POST', headers, body: typeof body === 'string' ? body : JSON.stringify(body) })

/** All states of a stream that ends by itself. */
export async function statesOf(url: string, id: string): Promise<Record<string, unknown>[]> {
  const response = await fetch(`${url}/jobs/${id}/events`)
  const text = await response.text()
  return text
    .split('\n\n')
    .filter(event => event.startsWith('data: '))
    .map(event => JSON.parse(event.slice('data: '.length)) as Record<string, unknown>)
}
