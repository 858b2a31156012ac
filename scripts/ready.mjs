/**
 * Makes a working tree ready for whatever comes next: dependencies installed, `dist/` built from the sources as they are.
 * Silent and quick when nothing is to do. Uses Node alone, as it runs in a fresh clone, before anything is installed.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fingerprint, readOr, root } from './tree.mjs'

/** What the package is built from. */
const SOURCES = ['lib', 'middleware', 'brokers', 'cli', 'scripts/build.mjs', 'package-lock.json']

/** False when the sources do not compile; the compiler has said why by then, and `dist/` is as it was. */
export async function ready() {
  install()
  const inputs = fingerprint(SOURCES)
  if (readOr(join(root, 'dist/.inputs')) === inputs) return true
  const { build } = await import('./build.mjs')
  return build(inputs)
}

/**
 * Installs the dependencies of the tree, or of a folder of it that has its own, where they do not fit the lockfile.
 * Ends the process when that fails: nothing works without them.
 */
export function install(folder = '') {
  const cwd = join(root, folder)
  if (isInstalled(cwd)) return
  console.log(`installing the dependencies${folder && ` of ${folder}`} (npm ci) ...`)
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  const shell = process.platform === 'win32' // npm is a .cmd file there
  const { status } = spawnSync('npm', ['ci', ...flags], { cwd, shell, stdio: ['ignore', 'ignore', 'inherit'] })
  if (status === 0) return
  console.error('npm ci failed: the lines above say why')
  process.exit(1)
}

/** Does node_modules hold what the lockfile says? A package that may be missing (of another platform) may be missing. */
function isInstalled(folder) {
  const installed = readOr(join(folder, 'node_modules/.package-lock.json'))
  if (installed === undefined) return false
  const present = JSON.parse(installed).packages
  const wanted = Object.entries(JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8')).packages)
  return wanted.every(
    ([path, { version, optional }]) => path === '' || (path in present ? present[path].version === version : optional === true),
  )
}

if (process.argv[1] === fileURLToPath(import.meta.url) && !(await ready())) process.exitCode = 1
