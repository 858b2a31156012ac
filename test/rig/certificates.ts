/**
 * Certificates for servers of tests, made by `openssl` when they are first asked for, and the same ones for the rest of the process:
 * an authority and what it has signed, good and bad. They are good for two days. Nothing of them stays on the disk.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { needed } from './needed.ts'

/** PEM, both. */
export interface Pair {
  readonly cert: string
  readonly key: string
}
export interface Certificates {
  /** The certificate of the authority that signed all but `stranger`. */
  readonly ca: string
  /** Of localhost and 127.0.0.1. */
  readonly server: Pair
  readonly client: Pair
  /** As `server`, but its time was in January 2020. */
  readonly expired: Pair
  /** Of elsewhere.example. */
  readonly wrongHost: Pair
  /** As `server`, but by another authority. */
  readonly stranger: Pair
}

let made: Certificates | undefined
export function certificates(): Certificates {
  return (made ??= make())
}

const LOCAL = 'DNS:localhost,IP:127.0.0.1'
const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
/** `openssl ca` can date a certificate back, in all versions; `openssl x509` cannot. */
const AUTHORITY = `
[ca]
default_ca = it
[it]
database = index.txt
new_certs_dir = .
default_md = sha256
policy = any
copy_extensions = copy
rand_serial = yes
unique_subject = no
[any]
commonName = supplied
`
const TWO_DAYS = ['-days', '2']

function make(): Certificates {
  const program = needed('needOpenssl'),
    folder = mkdtempSync(join(tmpdir(), 'greenroom-certificates-'))
  const openssl = (...args: readonly string[]) =>
    execFileSync(program, args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
  const read = (name: string) => readFileSync(join(folder, name), 'utf8')
  function authority(name: string): void {
    openssl('req', '-x509', ...NEW_KEY, '-keyout', `${name}.key`, '-out', `${name}.pem`, ...TWO_DAYS, '-subj', `/CN=${name}`)
  }
  function sign(by: string, subject: string, names: string, time = TWO_DAYS): Pair {
    openssl(
      'req',
      ...NEW_KEY,
      '-keyout',
      'key',
      '-out',
      'request',
      '-subj',
      `/CN=${subject}`,
      '-addext',
      `subjectAltName=${names}`,
    )
    const its = ['-config', 'authority', '-cert', `${by}.pem`, '-keyfile', `${by}.key`]
    openssl('ca', '-batch', '-notext', ...its, '-in', 'request', '-out', 'cert', ...time)
    return { cert: read('cert'), key: read('key') }
  }
  try {
    writeFileSync(join(folder, 'authority'), AUTHORITY)
    writeFileSync(join(folder, 'index.txt'), '')
    authority('greenroom')
    authority('another')
    return {
      ca: read('greenroom.pem'),
      server: sign('greenroom', 'localhost', LOCAL),
      client: sign('greenroom', 'client', 'DNS:client'),
      expired: sign('greenroom', 'localhost', LOCAL, ['-startdate', '20200101000000Z', '-enddate', '20200131000000Z']),
      wrongHost: sign('greenroom', 'elsewhere.example', 'DNS:elsewhere.example'),
      stranger: sign('another', 'localhost', LOCAL),
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
