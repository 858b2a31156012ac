/** A Redis that speaks TLS alone, and its certificates: whom clients accept, and whom it does. */
import { X509Certificate } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { certificates } from './certificates.ts'
import { openRespTls, redisTls } from './redis-tls.ts'
import { openResp } from './resp.ts'

const temporary = mkdtempSync(join(tmpdir(), 'greenroom-temporary-')),
  { TMPDIR } = process.env
process.env.TMPDIR = temporary // only what is made here is in it
const { ca, client } = certificates()
if (TMPDIR === undefined) delete process.env.TMPDIR
else process.env.TMPDIR = TMPDIR
t.teardown(() => rmSync(temporary, { recursive: true, force: true }))

t.test('certificates are made once, say what they should, and leave nothing on the disk', t => {
  t.equal(certificates(), certificates())
  const { server, expired, wrongHost, stranger } = certificates()
  const authority = new X509Certificate(ca)
  for (const [pair, host, signed] of [
    [server, 'localhost', true],
    [client, 'client', true],
    [expired, 'localhost', true],
    [wrongHost, 'elsewhere.example', true],
    [stranger, 'localhost', false],
  ] as const) {
    const its = new X509Certificate(pair.cert)
    t.equal(its.checkHost(host), host)
    t.equal(its.verify(authority.publicKey), signed, host)
    t.equal(new Date(its.validTo).getFullYear() === 2020, pair === expired)
  }
  t.equal(new X509Certificate(server.cert).checkIP('127.0.0.1'), '127.0.0.1')
  t.strictSame(readdirSync(temporary), [])
  t.end()
})

t.test('it answers over TLS to whoever trusts its authority, and not without', async t => {
  await using server = await redisTls()
  {
    using resp = await openRespTls(server.port, { ca })
    await resp.ask('SET', 'k', 'v')
    await t.rejects(openRespTls(server.port), { code: 'SELF_SIGNED_CERT_IN_CHAIN' })
    using plain = await openResp(server.port)
    await t.rejects(plain.ask('PING'), /ended after 0 of/)
  }
  await server.kill()
  await server.start()
  using again = await openRespTls(server.port, { ca, servername: 'localhost' })
  t.equal(await again.ask('GET', 'k'), 'v', 'killed and started again')
})

for (const [shows, code] of [
  ['expired', 'CERT_HAS_EXPIRED'],
  ['wrongHost', 'ERR_TLS_CERT_ALTNAME_INVALID'],
  ['stranger', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
] as const)
  t.test(`one that shows its certificate "${shows}" is refused: ${code}`, async t => {
    await using server = await redisTls({ shows })
    await t.rejects(openRespTls(server.port, { ca }), { code })
    using resp = await openRespTls(server.port, { ca, rejectUnauthorized: false })
    t.equal(await resp.ask('PING'), 'PONG', 'but it works')
  })

t.test('one that asks clients for theirs refuses those with none, or with a bad one', async t => {
  const { expired, stranger } = certificates()
  await using server = await redisTls({ asksClients: true, settings: { maxmemory: '7mb' } })
  const ping = async (pair: object) => {
    using resp = await openRespTls(server.port, { ca, ...pair })
    return await resp.ask('PING')
  }
  t.equal(await ping(client), 'PONG')
  for (const bad of [{}, expired, stranger]) await t.rejects(ping(bad), /ended after 0 of|alert/)
  using resp = await openRespTls(server.port, { ca, ...client })
  t.match(await resp.ask('INFO', 'memory'), /maxmemory:7340032\r/, 'with settings of its own')
})

t.test('it is gone with its folder and its keys', async t => {
  let folder!: string
  {
    await using server = await redisTls()
    folder = server.place.folder
    t.ok(existsSync(folder))
  }
  t.notOk(existsSync(folder))
})
