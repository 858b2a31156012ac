/** The two compilers that users have, the oldest that is promised and the newest, on projects that have the installed package. */
import { execFile } from 'node:child_process'
import { mkdirSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { root } from '../root.ts'
import { environment, project } from './installed.ts'

const FOLDERS = { '5.4': 'typescript-5.4', '7': 'typescript' } as const
export type Version = keyof typeof FOLDERS
export const versions = Object.keys(FOLDERS) as Version[]
const STEP_MS = 60_000

/** A new project with packages of this repository beside greenroom. */
export async function typescriptProject(files: Readonly<Record<string, string>>, packages: readonly string[]): Promise<string> {
  const folder = await project(files)
  for (const name of packages) {
    const link = join(folder, 'node_modules', name)
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(join(root, 'node_modules', name), link, 'junction')
  }
  return folder
}

/** What tsc prints, whether or not it finds errors; nothing when all is well. */
export function tsc(folder: string, version: Version, args: readonly string[] = []): Promise<string> {
  const compiler = join(root, 'node_modules', FOLDERS[version], 'bin/tsc')
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      [compiler, '--pretty', 'false', ...args],
      { cwd: folder, env: environment(), timeout: STEP_MS },
      (error, stdout, stderr) => (error?.killed || stderr !== '' ? reject(error ?? new Error(stderr)) : resolve(stdout)),
    )
  })
}

export interface Diagnostic {
  readonly file: string
  readonly line: number
  /** `TS2322: Type …`, the first line of it. */
  readonly text: string
}

/** The errors of a file, in order. What belongs to no file is thrown: the project itself is wrong. */
export function diagnosticsOf(output: string): Diagnostic[] {
  return output
    .split('\n')
    .filter(line => /^\S/.test(line))
    .map(line => {
      const [, file, at, text] = /^(.+?)\((\d+),\d+\): error (TS\d+: .+)$/.exec(line) ?? []
      if (file === undefined || text === undefined) throw new Error(`tsc says: ${line}`)
      return { file, line: Number(at), text }
    })
}
