/** Redis over TLS: which certificates are accepted, and what a refusal says at once. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { certificates } from '../rig/certificates.ts'
import { startDaemon } from '../rig/daemon.ts'
import { redis } from '../rig/redis.ts'
import { openProxy } from '../rig/proxy.ts'
import { redisTls } from '../rig/redis-tls.ts'
import { failure, hearing, linkTo, until } from './redis-links.ts'

const folder = mkdtempSync(join(tmpdir(), 'greenroom-link-tls-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))
function file(name: string, text: string): string {
  writeFileSync(join(folder, name), text, { mode: 0o600 })
  return encodeURIComponent(join(folder, name))
}
const { ca, client, stranger } = certificates()
const ours = `ca=${file('ca.pem', ca)}`
const shown = (name: string, { cert, key }: { cert: string; key: string }) =>
  `cert=${file(`${name}-cert.pem`, cert)}&key=${file(`${name}-key.pem`, key)}`

t.test('a certificate of the authority, for that name or address, is accepted; it listens over TLS too', async t => {
  await using server = await redisTls()
  for (const [host, more] of [
    ['127.0.0.1', ''],
    ['localhost', ''],
    ['127.0.0.1', '&servername=localhost'],
  ]) {
    await using link = linkTo(`rediss://${host}:${server.port}/1?${ours}${more}`)
    const ear = hearing()
    link.listen('c', ear.heard)
    await link.up()
    t.equal(await ear.next(), undefined)
    await link.ask('SPUBLISH', 'c', Buffer.alloc(100_000, 'm'))
    t.equal((await ear.next())!.length, 100_000)
    t.equal(await link.run('renew', ['{n:q}:r0'], ['me', 1_000]), 0)
    t.equal(link.name, `rediss://${host}:${server.port}/1`)
  }
})

for (const [shows, text] of [
  ['expired', /is not valid now/],
  ['wrongHost', /for another name.*servername=/],
  ['stranger', /Nobody we trust.*ca=/],
] as const)
  t.test(`a certificate that is "${shows}" is refused at once`, async t => {
    await using server = await redisTls({ shows })
    await using link = linkTo(`rediss://127.0.0.1:${server.port}?${ours}`)
    const failed = await failure(link.up())
    t.strictSame([failed.why, failed.ran], ['broken', 'no'])
    t.match(failed.message, text)
  })

t.test('without the authority it is not trusted; where the file cannot be read, the failure names it', async t => {
  await using server = await redisTls()
  await using link = linkTo(`rediss://127.0.0.1:${server.port}`)
  t.match(await failure(link.up()), { why: 'broken', message: /Nobody we trust/ })
  await using other = linkTo(`rediss://127.0.0.1:${server.port}?ca=/no/such/file`)
  t.match(await failure(other.up()), { why: 'broken', message: /Cannot read \/no\/such\/file.*ca=.*ENOENT/ })
})

t.test('a server that asks for the certificate of the client', async t => {
  await using server = await redisTls({ asksClients: true })
  const url = `rediss://127.0.0.1:${server.port}?${ours}`
  await using link = linkTo(`${url}&${shown('client', client)}`)
  await link.up()
  t.equal(String(await link.ask('PING')), 'PONG')
  await using none = linkTo(url)
  t.match(await failure(none.up()), { why: 'denied', message: /cert= and key=/ })
  await using bad = linkTo(`${url}&${shown('stranger', stranger)}`)
  t.match(await failure(bad.up()), { why: 'broken' })
})

t.test('what speaks no TLS on that port: one that answers is not waited for, and one that says nothing may be Redis', async t => {
  const other = createServer(socket => socket.on('error', () => {}).end('-ERR what?\r\n')).listen(0, '127.0.0.1')
  t.teardown(() => other.close())
  await once(other, 'listening')
  await using link = linkTo(`rediss://127.0.0.1:${(other.address() as AddressInfo).port}?${ours}`)
  t.match(await failure(link.up()), { why: 'broken', message: /does not speak TLS/ })

  await using plain = await startDaemon(redis())
  await using waiting = linkTo(`rediss://127.0.0.1:${plain.port}?${ours}`, 100)
  const up = failure(waiting.up())
  t.match(await until(/no answer within 100 ms/), /Does it speak TLS/)
  await waiting[Symbol.asyncDispose]()
  t.equal((await up).why, 'away')
})

t.test('silence over TLS is noticed, on both connections', async t => {
  await using server = await redisTls()
  await using proxy = await openProxy({ to: server })
  await using link = linkTo(`rediss://127.0.0.1:${proxy.port}?${ours}`, 150)
  await link.up()
  proxy.silence('both')
  t.match(await failure(link.ask('PING')), { why: 'away', ran: 'maybe' })
  proxy.heal()
  await link.up()

  await using other = linkTo(`rediss://127.0.0.1:${proxy.port}?${ours}`, 150)
  const ear = hearing()
  other.listen('c', ear.heard) // its only connection
  t.equal(await ear.next(), undefined)
  await link[Symbol.asyncDispose]()
  proxy.silence('both')
  await proxy.connected()
  proxy.heal()
  t.equal(await ear.next(), undefined)
})
