/** A folder outside of this repository, with what a user has installed and written. */
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
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

/** The whole lines of a file to which others append meanwhile; none while there is no such file. */
export const linesIn = (folder: string, name: string): string[] =>
  existsSync(join(folder, name)) ? readFileSync(join(folder, name), 'utf8').split('\n').slice(0, -1) : []
