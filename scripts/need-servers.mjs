/**
 * The programs of the servers that tests start for themselves (test/rig), and what they run them with: as the system has them. One that is missing is installed, if
 * that is permitted (apt.mjs); elsewhere the answer says what to do, and the test that asked fails with it.
 * A server that runs already is not looked for and not touched.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { aptInstall } from './apt.mjs'
import { onPath } from './tree.mjs'

/** The first one that can do what the scripts of the Redis broker need: their flags, LPOP with a count. */
const REDIS_FLOOR = 7
/** Where Debian keeps the program itself: `rabbitmq-server` on its PATH is a wrapper that becomes another user. */
const RABBITMQ = '/usr/lib/rabbitmq/bin/rabbitmq-server'

/** `{ path }` of redis-server; or `{ help }` where there is none and none can be had. */
export const needRedis = () =>
  need('redis-server', `redis-server ${REDIS_FLOOR}.0 or later`, () =>
    onPath('redis-server').find(path => {
      const { stdout } = spawnSync(path, ['--version'], { encoding: 'utf8' })
      return Number(/ v=(\d+)\./.exec(stdout ?? '')?.[1] ?? 0) >= REDIS_FLOOR
    }),
  )

/** `{ path }` of rabbitmq-server, with rabbitmqctl beside it; or `{ help }` where there is none and none can be had. */
export const needRabbitmq = () =>
  need('rabbitmq-server', 'rabbitmq-server 3.10 or later', () => [RABBITMQ, ...onPath('rabbitmq-server')].find(existsSync))

/** `{ path }` of openssl, which makes certificates for servers; or `{ help }`. */
export const needOpenssl = () => need('openssl', 'openssl', () => onPath('openssl')[0], 'on the PATH')

/** `{ path }` of libfaketime, which moves the clock of one process; or `{ help }`. */
export const needFaketime = () => need('libfaketime', 'libfaketime', faketimes, 'in lib/faketime, beside a folder of the PATH')

/** Debian has it in /usr/lib/<machine>/faketime, others do without the machine. */
function faketimes() {
  const libs = onPath('../lib').flatMap(lib => [lib, ...readdirSync(lib).map(name => join(lib, name))])
  return libs.map(lib => join(lib, 'faketime/libfaketime.so.1')).find(existsSync)
}

function need(name, what, find, where = 'on the PATH; it need not run, tests start their own') {
  const path = find() ?? (aptInstall(name) ? find() : undefined)
  return path === undefined ? { help: `no ${what}: install it (Debian: apt-get install ${name}) and put it ${where}` } : { path }
}
