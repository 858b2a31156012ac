import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { memoryBroker } from '../../brokers/memory/index.ts'
import { environmentOf, fileUrl, folderOf, locateBroker, unknownBroker } from '../../lib/locate.ts'

const tree = realpathSync(mkdtempSync(join(tmpdir(), 'greenroom-')))
t.teardown(() => rmSync(tree, { recursive: true }))
const folder = (path: string, files: Readonly<Record<string, string>> = {}) => {
  mkdirSync(join(tree, path), { recursive: true })
  for (const [name, text] of Object.entries(files)) writeFileSync(join(tree, path, name), text)
  return join(tree, path)
}

t.test('GREENROOM_ENV says which environment it is, else NODE_ENV, else it is development', async t => {
  for (const [env, environment] of [
    [{}, 'development'],
    [{ NODE_ENV: 'test' }, 'test'],
    [{ NODE_ENV: 'production', GREENROOM_ENV: 'staging' }, 'staging'],
  ] as const)
    t.equal(environmentOf(env), environment)
})

t.test('the broker of an environment', async t => {
  const broker = memoryBroker()
  for (const [config, env, found] of [
    ['memory:', { NODE_ENV: 'production' }, 'memory:'],
    [broker, {}, broker],
    [{ development: 'memory:', production: 'redis://h' }, {}, 'memory:'],
    [{ development: 'memory:', production: 'redis://h' }, { NODE_ENV: 'production' }, 'redis://h'],
    [{ test: broker }, { GREENROOM_ENV: 'test' }, broker],
    [undefined, { GREENROOM_BROKER: 'redis://h' }, 'redis://h'],
    [undefined, { GREENROOM_BROKER: 'redis://h', NODE_ENV: 'production' }, 'redis://h'],
    [undefined, {}, `file:${join(tree, '.greenroom')}`],
  ] as const)
    t.equal(locateBroker(config, env, tree), found)
})

t.test('no broker in production, no row, or an empty one, says which rows there are', async t => {
  const rows = { development: 'memory:', production: undefined, empty: '' }
  for (const [config, env, message] of [
    [
      undefined,
      { NODE_ENV: 'production' },
      /No broker is set, and NODE_ENV is production.*GREENROOM_BROKER=file:\.greenroom, or greenroom\(\{ broker: 'file:\/var\/lib\/myapp\/queue' \}\)/,
    ],
    [undefined, { GREENROOM_BROKER: '' }, /empty/],
    ['', {}, /empty/],
    [rows, { NODE_ENV: 'production' }, /The broker for production is undefined.*development, production, empty/],
    [rows, { NODE_ENV: 'empty' }, /The broker for empty is empty/],
    [rows, { NODE_ENV: 'staging' }, /environment "staging"/],
    [rows, { NODE_ENV: 'toString' }, /environment "toString"/],
    [{ development: 5 as never }, {}, /The broker for development is 5/],
    [{}, {}, /rows for none/],
  ] as const)
    t.throws(() => locateBroker(config, env, tree), { code: 'BROKER_NOT_SET', message })
})

t.test('what is no broker at all says so', async t => {
  for (const config of [null, 5, true, [], () => 'memory:'] as never[])
    t.throws(
      () => locateBroker(config, {}, tree),
      { name: 'GreenroomError', code: /BROKER_INVALID|BROKER_NOT_SET/ },
      String(config),
    )
})

t.test('a relative file: starts at the nearest config, else at the root of the workspace, else here', async t => {
  const here = folder('plain/deep')
  t.equal(locateBroker('file:data', {}, here), `file:${join(here, 'data')}`)

  folder('work', { 'package.json': '{"workspaces":["packages/*"]}' })
  const inside = folder('work/packages/a', { 'package.json': '{}' })
  t.equal(locateBroker('file:data', {}, inside), `file:${join(tree, 'work/data')}`)

  folder('pnpm', { 'pnpm-workspace.yaml': '' })
  t.equal(locateBroker('file:data', {}, folder('pnpm/packages/a')), `file:${join(tree, 'pnpm/data')}`)

  folder('work/packages/b', { 'greenroom.config.ts': '' })
  t.equal(locateBroker('file:data', {}, folder('work/packages/b/src/deep')), `file:${join(tree, 'work/packages/b/data')}`)
})

t.test("a package.json that is not one is nobody's workspace", async t => {
  for (const text of ['{', 'null', '5', '[]', '{"name":"x"}']) {
    const here = folder('odd', { 'package.json': text })
    t.equal(locateBroker('file:data', {}, here), `file:${join(here, 'data')}`, text)
  }
})

t.test('an absolute file: stays, a query is kept, and one without a folder is refused', async t => {
  t.equal(locateBroker('file:/var/lib/app', {}, tree), 'file:/var/lib/app')
  t.equal(locateBroker('file:///var/lib/app', {}, tree), 'file:///var/lib/app')
  t.equal(locateBroker('file:data?sync=off', {}, tree), `file:${join(tree, 'data')}?sync=off`)
  for (const url of ['file:', 'file:?sync=off'])
    t.throws(() => locateBroker(url, {}, tree), { code: 'BROKER_UNKNOWN', message: /names no folder/ })
})

t.test('a file: URL names no host: nothing is made at the root of a disk by mistake', async t => {
  t.throws(() => locateBroker('file://host/x', {}, tree), { code: 'BROKER_UNKNOWN', message: /names a host.*file:\.greenroom/ })
  t.equal(locateBroker('file:///srv/x', {}, tree), 'file:///srv/x')
})

t.test('a folder may be called anything: its URL names it and nothing else', async t => {
  for (const name of ['plain', 'a b', '100%', '50%25', 'what?', 'a#b', 'ümlaut'])
    t.equal(folderOf(fileUrl(`/data/${name}`)), `/data/${name}`)
  const odd = folder('100%?')
  t.equal(folderOf(locateBroker('file:.greenroom?sync=none', {}, odd) as string), join(odd, '.greenroom'))
  t.match(locateBroker('file:.greenroom?sync=none', {}, odd), /\?sync=none$/)
})

t.test('a URL that nobody knows: what was probably meant', async t => {
  for (const [url, help] of [
    ['./queue', 'For a folder write "file:./queue". It starts with one of memory:, file:'],
    ['/var/lib/app', 'For a folder write "file:/var/lib/app". It starts with one of memory:, file:'],
    ['100%', 'For a folder write "file:100%25". It starts with one of memory:, file:'],
    ['valkey://:secret@db:6379', 'Write redis: for Valkey too, and rediss: for TLS. It starts with one of memory:, file:'],
    ['amqps://db', 'RabbitMQ is not in this version. It starts with one of memory:, file:'],
    ['memory', 'Write "memory:". It starts with one of memory:, file:'],
    ['file', 'Write "file:.greenroom". It starts with one of memory:, file:'],
    ['localhost:6379', 'A server is written with its scheme, redis://localhost:6379. It starts with one of memory:, file:'],
    ['mq.example:5672', 'RabbitMQ is not in this version. It starts with one of memory:, file:'],
    ['mongodb://db', 'It starts with one of memory:, file:'],
    ['me:secret@db', 'It starts with one of memory:, file:'],
  ] as const) {
    const { code, help: said, message } = unknownBroker(url, ['memory:', 'file:'])
    t.strictSame([code, said], ['BROKER_UNKNOWN', help], url)
    t.notMatch(message, 'secret')
  }
})
