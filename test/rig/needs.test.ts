/** What the tests need of the system: found, installed where that is permitted, and otherwise asked for in clear words. */
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import t, { type Test } from 'tap'
import { root } from '../root.ts'

const POLICY = '/usr/sbin/policy-rc.d'
const isRoot = process.getuid?.() === 0

/** A PATH with these programs alone: their lines, in the shell's language. */
function path(t: Test, programs: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'greenroom-path-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  for (const [name, text] of Object.entries(programs)) program(folder, name, text)
  return folder
}
function program(folder: string, name: string, text: string): void {
  writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`)
  chmodSync(join(folder, name), 0o755)
}

/** What a line of code prints where the PATH is that folder. */
const say = (PATH: string, script: string, code: string): unknown =>
  JSON.parse(
    execFileSync(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        `import * as its from ${JSON.stringify(join(root, 'scripts', script))}; console.log(JSON.stringify(${code}))`,
      ],
      { env: { PATH }, stdio: ['ignore', 'pipe', 'ignore'] },
    ).toString(),
  )
const version = (version: string) => `echo "Redis server v=${version} sha=00000000:0 malloc=jemalloc bits=64"`
/** An apt-get that keeps what it was asked for, whether services may start meanwhile, and puts a redis-server beside itself. */
const aptGet = (installs: string) =>
  `echo "$DEBIAN_FRONTEND $*" >> "\${0%/*}/asked"; [ "$(${POLICY} >/dev/null 2>&1; echo $?)" = 101 ] || echo started >> "\${0%/*}/asked"\n${installs}`

t.test('a server that is there is used, its version permitting', async t => {
  const folder = path(t, { 'redis-server': version('7.2.4') })
  t.strictSame(say(folder, 'need-servers.mjs', 'its.needRedis()'), { path: join(folder, 'redis-server') })
})

for (const [what, programs] of [
  ['missing', {}],
  ['too old', { 'redis-server': version('6.2.14') }],
  ['broken', { 'redis-server': 'exit 1' }],
] as const)
  t.test(`${what}, and nothing may be installed: what to do, and no server`, async t => {
    t.strictSame(say(path(t, programs), 'need-servers.mjs', 'its.needRedis()'), {
      help: 'no redis-server 7.0 or later: install it (Debian: apt-get install redis-server) and put it on the PATH; it need not run, tests start their own',
    })
  })

if (isRoot)
  t.test('root with apt-get has it installed, and no service of it is started', async t => {
    const before = existsSync(POLICY)
    const install = `/bin/cat > "\${0%/*}/redis-server" <<'END'\n#!/bin/sh\n${version('7.0.15')}\nEND\n/bin/chmod +x "\${0%/*}/redis-server"`
    const folder = path(t, { 'apt-get': aptGet(install) })
    t.strictSame(say(folder, 'need-servers.mjs', 'its.needRedis()'), { path: join(folder, 'redis-server') })
    const asked = readFileSync(join(folder, 'asked'), 'utf8')
    t.match(asked, /^noninteractive .*DPkg::Lock::Timeout=\d+ update$/m)
    t.match(asked, /^noninteractive .*install -y --no-install-recommends redis-server$/m)
    if (!before || readFileSync(POLICY, 'utf8').includes('exit 101')) t.notMatch(asked, /started/)
    t.equal(existsSync(POLICY), before, 'the policy of the system is as it was')
  })

if (isRoot)
  t.test('installed before the tests run is what a test file asks for, or what it imports', async t => {
    const folder = path(t, { 'apt-get': aptGet('[ "$1" = --version ]') })
    const file = (name: string, text: string) => writeFileSync(join(folder, name), text)
    file('a.test.js', `import t from 'tap';\nimport { b } from './b.js'`)
    file('b.js', `export {\n  c\n} from './c.js'`)
    file('c.js', `import './a.test.js'\nexport const c = needed('needRedis')`)
    file('d.test.js', `import './e.js'`)
    const ask = (name: string) =>
      say(folder, 'needs.mjs', `its.provide([${JSON.stringify(relative(root, join(folder, name)))}]) ?? null`)
    ask('d.test.js')
    t.notOk(existsSync(join(folder, 'asked')), 'nothing for a file that needs nothing')
    ask('a.test.js')
    t.match(readFileSync(join(folder, 'asked'), 'utf8'), /install .* redis-server$/m)
    t.notMatch(readFileSync(join(folder, 'asked'), 'utf8'), /rabbitmq|chromium/)
  })

t.test('libfaketime is looked for beside the programs of the PATH, as Debian has it and as others do', async t => {
  for (const lib of ['lib/aarch64-linux-gnu/faketime', 'lib/faketime']) {
    const folder = path(t, {}),
      library = join(folder, lib, 'libfaketime.so.1')
    mkdirSync(join(folder, 'bin'))
    t.match(say(join(folder, 'bin'), 'need-servers.mjs', 'its.needFaketime()'), {
      help: /^no libfaketime: install it \(Debian: apt-get install libfaketime\)/,
    })
    mkdirSync(dirname(library), { recursive: true })
    writeFileSync(library, '')
    t.strictSame(say(join(folder, 'bin'), 'need-servers.mjs', 'its.needFaketime()'), { path: library })
  }
})
