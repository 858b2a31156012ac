/**
 * The browser of the tests that need one: Chromium as the system has it. Where it has none it is installed, if this is root on a
 * system with apt-get (a container, CI); elsewhere the answer says what to do. Playwright's own download is never used.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
/** Another apt-get may be at work. */
const LOCK_SECONDS = 120

/** For a container's root and for no profile but an empty one; nothing is asked of the network but the page. */
export const CHROMIUM_ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** `{ path }`, or `{ help }` where there is none and none can be had. */
export function needChromium() {
  const path = find() ?? (canInstall() && install() ? find() : undefined)
  return path === undefined
    ? { help: `no ${NAMES[0]}: install it (Debian: apt-get install chromium), and put it on the PATH` }
    : { path }
}

/** One that also starts: on some systems the name is a stub that asks for another installation. */
const find = () =>
  NAMES.flatMap(name => (process.env.PATH ?? '').split(delimiter).map(folder => join(folder, name))).find(
    path => existsSync(path) && spawnSync(path, ['--version'], { stdio: 'ignore' }).status === 0,
  )

const canInstall = () => process.getuid?.() === 0 && spawnSync('apt-get', ['--version'], { stdio: 'ignore' }).status === 0

function install() {
  console.error('installing chromium (apt-get) ...')
  const lock = ['-o', `DPkg::Lock::Timeout=${LOCK_SECONDS}`]
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const stdio = ['ignore', 'ignore', 'inherit']
  // An update that fails for one source of several is no reason to give up.
  spawnSync('apt-get', [...lock, 'update'], { env, stdio })
  return spawnSync('apt-get', [...lock, 'install', '-y', '--no-install-recommends', 'chromium'], { env, stdio }).status === 0
}
