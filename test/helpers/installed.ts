/**
 * The package as a stranger has it: packed from this tree, and installed by npm in a temporary folder, once a test file. Projects
 * are folders below that one, and find the package as Node finds any. Needs `dist/`, which `npm test` builds.
 */
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { root } from '../root.ts'

const exec = promisify(execFile)
const STEP_MS = 50_000

/** Of this test file; everything that it makes is in it. */
export const shop = realpathSync(mkdtempSync(join(tmpdir(), 'greenroom-project-')))
t.teardown(() => rmSync(shop, { recursive: true, force: true, maxRetries: 5 }))

/** The user's environment: nothing of the npm and the test that run this. */
export function environment(node = process.execPath): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = {}
  for (const [name, value] of Object.entries(process.env))
    if (!/^(?:npm_(?!config_(?:cache|registry|userconfig))|INIT_CWD|NODE_|TAP|GREENROOM|DEBUG)/i.test(name)) env[name] = value
  return {
    ...env,
    PATH: `${dirname(node)}${delimiter}${env['PATH']}`,
    npm_config_prefer_offline: 'true',
    npm_config_update_notifier: 'false',
  }
}

/** Runs a program of a project and gives what it prints; rejects with `stdout` and `stderr` when it fails. */
export const run = (cwd: string, program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}, timeout = STEP_MS) =>
  exec(program, args, { cwd, env: { ...environment(), ...env }, timeout })

/** The packed package. */
let archive: Promise<string> | undefined
export const packed = (): Promise<string> =>
  (archive ??= run(root, 'npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', shop]).then(({ stdout }) =>
    join(shop, (JSON.parse(stdout) as { filename: string }[])[0]!.filename),
  ))

/** Installs the package in a folder, as `npm install greenroom` would. */
export async function install(folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{}')
  await run(folder, 'npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', await packed()])
}

let installed: Promise<void> | undefined
let projects = 0

/** A new project: its files by their paths. */
export async function project(files: Readonly<Record<string, string>>): Promise<string> {
  await (installed ??= install(join(shop, 'projects')))
  const folder = join(shop, 'projects', `${++projects}`)
  for (const [path, text] of Object.entries({ 'package.json': '{ "type": "module" }', ...files })) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  return folder
}

/** The command line of the installed package. */
export const commandLine = (): string => join(shop, 'projects/node_modules/greenroom/dist/esm/cli/main.js')
