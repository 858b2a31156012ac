/**
 * Debian's packages for the tests that need a program of the system. Only root on a system with apt-get (a container, CI) has them
 * installed by itself; everybody else is told what to install.
 *
 * Debian starts the service of a package as soon as that is installed. A test starts its own, on its own port, so none of that is
 * wanted: a service on the usual port would answer where a test expects nobody, and would outlive the tests.
 */
import { spawnSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'

/** Another apt-get may be at work. */
const LOCK_SECONDS = 120
/** What Debian asks before it starts a service: 101 forbids it. */
const POLICY = '/usr/sbin/policy-rc.d'

/** Whether the package is there now; false also where it may not be installed. */
export function aptInstall(name) {
  if (process.getuid?.() !== 0 || spawnSync('apt-get', ['--version'], { stdio: 'ignore' }).status !== 0) return false
  console.error(`installing ${name} (apt-get) ...`)
  const lock = ['-o', `DPkg::Lock::Timeout=${LOCK_SECONDS}`]
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const stdio = ['ignore', 'ignore', 'inherit']
  return withoutServices(() => {
    // An update that fails for one source of several is no reason to give up.
    spawnSync('apt-get', [...lock, 'update'], { env, stdio })
    return spawnSync('apt-get', [...lock, 'install', '-y', '--no-install-recommends', name], { env, stdio }).status === 0
  })
}

function withoutServices(install) {
  const isMine = forbid()
  try {
    return install()
  } finally {
    if (isMine) rmSync(POLICY, { force: true })
  }
}

/** False where there is a policy already: it stays, as containers have one, and elsewhere somebody wants it. */
function forbid() {
  try {
    writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { flag: 'wx', mode: 0o755 })
    return true
  } catch {
    return false
  }
}
