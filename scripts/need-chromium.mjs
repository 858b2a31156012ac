/**
 * The browser of the tests that need one: Chromium as the system has it. Where it has none it is installed, if that is permitted
 * (apt.mjs); elsewhere the answer says what to do. Playwright's own download is never used.
 */
import { spawnSync } from 'node:child_process'
import { aptInstall } from './apt.mjs'
import { onPath } from './tree.mjs'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

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
  const path = find() ?? (aptInstall(NAMES[0]) ? find() : undefined)
  return path === undefined
    ? { help: `no ${NAMES[0]}: install it (Debian: apt-get install chromium), and put it on the PATH` }
    : { path }
}

/** One that also starts: on some systems the name is a stub that asks for another installation. */
const find = () => NAMES.flatMap(onPath).find(path => spawnSync(path, ['--version'], { stdio: 'ignore' }).status === 0)
