/**
 * Redis that speaks TLS alone. It shows a certificate that a client should accept, or one of those that it should refuse, and can
 * ask clients for theirs.
 *
 *     await using server = await redisTls({ shows: 'expired' })
 *     connect({ port: server.port, ca: server.certificates.ca })   // CERT_HAS_EXPIRED
 */
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ConnectionOptions, connect } from 'node:tls'
import { type Certificates, certificates } from './certificates.ts'
import { type Daemon, startDaemon } from './daemon.ts'
import { type RedisSettings, isRedis, redis } from './redis.ts'
import { type Resp, openResp } from './resp.ts'

export interface RedisTlsOptions {
  /** Its certificate. @default 'server' */
  readonly shows?: 'server' | 'expired' | 'wrongHost' | 'stranger'
  /** Refuses clients without a certificate of the authority's. @default false */
  readonly asksClients?: boolean
  readonly settings?: RedisSettings
}

export interface RedisTls extends Daemon {
  readonly certificates: Certificates
}

export async function redisTls({ shows = 'server', asksClients = false, settings }: RedisTlsOptions = {}): Promise<RedisTls> {
  const all = certificates()
  const kind = redis({
    port: 0,
    'tls-auth-clients': asksClients ? 'yes' : 'no',
    'tls-cert-file': 'cert.pem',
    'tls-key-file': 'key.pem',
    'tls-ca-cert-file': 'ca.pem',
    ...settings,
  })
  const server = await startDaemon({
    ...kind,
    command(place) {
      const { program, args } = kind.command(place)
      for (const [name, text] of Object.entries({ cert: all[shows].cert, key: all[shows].key, ca: all.ca }))
        writeFileSync(join(place.folder, `${name}.pem`), text, { mode: 0o600 })
      return { program, args: ['--tls-port', `${place.ports[0]}`, ...args] }
    },
    async isOurs({ ports: [port] }, pid) {
      // Whoever it is shows its process id: its certificate is for the tests to judge.
      using resp = await openRespTls(port, { ...all.client, rejectUnauthorized: false })
      return await isRedis(resp, pid)
    },
  })
  return Object.assign(server, { certificates: all })
}

/** Rejects when the two do not trust each other, as far as the client can tell: a server of TLS 1.3 says no with its first reply. */
export async function openRespTls(port: number, options: ConnectionOptions = {}): Promise<Resp> {
  const socket = connect({ port, host: '127.0.0.1', ...options })
  await once(socket, 'secureConnect')
  return openResp(socket)
}
