/** URLs of Redis: what they may say, and that no password in one is ever to be read anywhere. */
import { inspect } from 'node:util'
import t from 'tap'
import { readUrl } from '../../brokers/redis/connect.ts'
import type { GreenroomError } from '../../lib/errors.ts'
import { systemId } from '../../lib/ids.ts'
import { startDaemon } from '../rig/daemon.ts'
import { redis } from '../rig/redis.ts'
import { beside, failure, lines, linkTo, until } from './redis-links.ts'

process.env.DEBUG = '*' // the driver prints what it does, from when it is loaded
const printed: string[] = []
const { write } = process.stderr
process.stderr.write = (text: string | Uint8Array) => printed.push(`${text}`) > 0
t.teardown(() => {
  process.stderr.write = write
})

t.test('passwords, as they are and encoded: right, wrong, none; and they are nowhere to be read', async t => {
  const password = `p@s/s:?#%&=+ ${systemId()}`
  const encoded = encodeURIComponent(password)
  const said: unknown[] = []
  await using one = await startDaemon(redis())
  await beside(one.port, 'ACL', 'SETUSER', 'jo', 'on', `>${password}`, 'allkeys', 'allchannels', '+@all')
  await beside(one.port, 'CONFIG', 'SET', 'requirepass', encoded)
  for (const url of [
    `redis://jo:${encoded}@127.0.0.1:${one.port}`,
    `redis://:${encodeURIComponent(encoded)}@127.0.0.1:${one.port}`,
    `redis://jo:${encoded}@127.0.0.1:${one.port}/1`,
  ]) {
    await using link = linkTo(url)
    await link.up()
    said.push(link, link.name, readUrl(url), await link.ask('PING'))
  }
  for (const [url, text] of [
    [`redis://jo:${encoded}x@127.0.0.1:${one.port}`, /WRONGPASS/],
    [`redis://127.0.0.1:${one.port}`, /NOAUTH/],
  ] as const) {
    await using link = linkTo(url)
    const failed = await failure(link.up())
    t.equal(failed.why, 'denied')
    t.match(failed.message, text)
    said.push(failed, failed.stack, link)
  }
  for (const url of [
    `redis://jo:${password}@127.0.0.1`,
    `redis://:${password}@127.0.0.1`,
    `redis://127.0.0.1?password=${encoded}`,
    `redis://a/${password}`,
    `redis:${password}`,
    `redis://jo:${encoded}@h:x`,
    `redis+sentinel://jo:${encoded}@h`,
    password,
  ])
    try {
      readUrl(url)
      t.fail(url)
    } catch (error) {
      t.equal((error as GreenroomError).code, 'BROKER_INVALID')
      said.push(error)
    }
  const all = inspect(said, { depth: 20, showHidden: true }) + lines.join('\n') + printed.join('')
  t.match(printed.join(''), /write command.* -> AUTH\(/, 'the driver was heard')
  for (const secret of [password, encoded, password.slice(-12)])
    t.notOk(all.includes(secret), 'not in what was printed and thrown')
})

t.test('a password that the server does not want is no reason to fail', async t => {
  await using server = await startDaemon(redis())
  await using link = linkTo(`redis://:early@127.0.0.1:${server.port}`)
  const told = until(/wants none/)
  await link.up()
  t.match(await told, /requirepass/)
})

t.test('URLs: what they may say, and what is wrong with others', t => {
  const read = (url: string, others?: string[]) => {
    const { where, parameters } = readUrl(url, others)
    const { name, addresses, db } = where
    return { name, addresses, db, login: where.login(), parameters: Object.fromEntries(parameters) }
  }
  const plain = { db: 0, login: undefined, parameters: {} }
  t.strictSame(read('redis://h'), { ...plain, name: 'redis://h:6379/0', addresses: [{ host: 'h', port: 6379 }] })
  t.strictSame(read('redis://[::1]:1/2?maxDead=5', ['maxDead']), {
    name: 'redis://[::1]:1/2',
    addresses: [{ host: '::1', port: 1 }],
    db: 2,
    login: undefined,
    parameters: { maxDead: '5' },
  })
  t.strictSame(read('rediss://u:p%40@h/?servername=x').login, { user: 'u', password: 'p@' })
  t.strictSame(read('redis://p%3A:a:b@h').login, { user: 'p:', password: 'a:b' })
  t.strictSame(read('unix:/a%20b?user=u&password=a+b'), {
    ...plain,
    name: 'unix:/a b',
    addresses: [{ path: '/a b' }],
    login: { user: 'u', password: 'a+b' },
  })
  t.strictSame(read('redis+sentinel://:p@a,b:2/mymaster/3?sentinelPassword=q'), {
    name: 'redis+sentinel://a:26379,b:2/mymaster/3',
    addresses: [
      { host: 'a', port: 26379 },
      { host: 'b', port: 2 },
    ],
    db: 3,
    login: { user: undefined, password: 'p' },
    parameters: {},
  })
  t.strictSame(readUrl('redis+sentinel://a/m?sentinelPassword=q').where.sentinelLogin(), { user: undefined, password: 'q' })
  t.equal(read('rediss+cluster://a,b:2').name, 'rediss+cluster://a:6379,b:2')
  for (const [url, text] of [
    ['redis:h', /no URL of Redis/],
    ['http://h', /no URL of Redis/],
    ['redis://', /host is missing/],
    ['redis://h:0', /port is no number/],
    ['redis://h:65536', /port is no number/],
    ['redis://a,b', /redis\+sentinel/],
    ['redis://h/x', /database is no number/],
    ['redis://h/1/2', /too many parts/],
    ['redis://u:%zz@h', /hexadecimal/],
    ['redis://h?ca=x', /Begin with rediss/],
    ['rediss://h?servernam=x', /Did you mean servername\?/],
    ['redis://h?maxDaed=1', /Did you mean maxDead\?/],
    ['redis+cluster://h/1', /database 0 only/],
    ['redis+sentinel://h', /name of the master/],
    ['unix:a', /absolute path/],
  ] as const)
    t.throws(() => readUrl(url, ['maxDead']), { code: 'BROKER_INVALID', message: text }, url)
  t.end()
})
