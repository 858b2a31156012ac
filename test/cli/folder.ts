/** A folder outside of this repository, with what a user has installed and written. */
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { install } from './program.ts'

export function folderOf(t: Test, files: Readonly<Record<string, string>>): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'greenroom-cli-')))
  t.teardown(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 }))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text)
  return install(path)
}
