/**
 * Failures of Redis and of the network as LinkErrors: why, and whether the command may have run. Only texts are kept: errors of the driver
 * hold the arguments of the command, which may be a password or a message.
 */
import { LinkError, type Why } from './link.ts'

/** What the server answered; `text` is all of it. */
export class Refusal extends LinkError {
  readonly text: string
  constructor(why: Why, ran: 'no' | 'maybe', message: string, text: string) {
    super(why, ran, message)
    this.text = text
  }
}

/** By the first word. Those that a server says before it begins to run a command. */
const BEFORE: Readonly<Record<string, Why>> = {
  LOADING: 'unready',
  BUSY: 'unready',
  MASTERDOWN: 'unready',
  READONLY: 'unready',
  CLUSTERDOWN: 'unready',
  TRYAGAIN: 'unready',
  UNBLOCKED: 'unready',
  NOREPLICAS: 'unready',
  MOVED: 'unready',
  ASK: 'unready',
  OOM: 'full',
  MISCONF: 'full',
  NOAUTH: 'denied',
  WRONGPASS: 'denied',
  NOPERM: 'denied',
  DENIED: 'denied',
  NOSCRIPT: 'broken',
  CROSSSLOT: 'broken',
}
/** Redis 7 puts it behind what went wrong inside of a script. */
const INSIDE = / script: [0-9a-f]{40}, on @user_script:|^ERR user_script:/

export const wordOf = (text: string): string => text.slice(0, text.search(/[ ,]|$/))

export function refusal(text: string, name: string): Refusal {
  const word = wordOf(text)
  const isInside = INSIDE.test(text)
  const before = BEFORE[word]
  const why =
    before ??
    (text.startsWith('ERR max number of clients')
      ? 'away'
      : text.startsWith("ERR The user executing the script can't")
        ? 'denied'
        : text.startsWith('ERR Script killed by user')
          ? 'unready'
          : 'broken')
  const ran = (before || why === 'away') && !isInside ? 'no' : 'maybe'
  return new Refusal(why, ran, `${name} answered: ${withoutArguments(text)}${HELP[word] ?? ''}`, text)
}

const HELP: Readonly<Record<string, string>> = {
  NOAUTH: '. Give a user and a password in the URL',
  WRONGPASS: '. Give the right user and password in the URL',
  NOPERM: '. Give its user the permission',
  OOM: '. Give it more memory, or take messages out',
  MISCONF: '. Look at its disk and its log',
  DENIED: '. Give it a password, or let it listen on addresses that only you reach',
}

/** Of unknown commands Redis repeats the arguments. */
const withoutArguments = (text: string) => text.replace(/,? with args beginning with:.*$|\.$/s, '').slice(0, 300)

const CERTIFICATE = /CERT|SIGNATURE|ISSUER|CRL|SELF_SIGNED|HOSTNAME_MISMATCH|PATH_LENGTH|INVALID_CA|INVALID_PURPOSE/

/** A connection that could not be made, or that broke with an error. */
export function unreachable(error: unknown, name: string): LinkError {
  const { code = '', message = '' } = error as { code?: string; message?: string }
  const broken = (help: string) => new LinkError('broken', 'no', `Cannot connect to ${name}: ${code}. ${help}`)
  if (code.includes('CERTIFICATE_REQUIRED') || /certificate required/i.test(message))
    return new LinkError('denied', 'no', `${name} wants a certificate of the client. Give one with cert= and key= in the URL`)
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return broken('The certificate is for another name: use that one in the URL, or give it with servername=')
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID')
    return broken('The certificate of the server is not valid now: renew it, and look at the clock of this machine')
  if (!code.startsWith('ERR_SSL') && CERTIFICATE.test(code))
    return broken('Nobody we trust has signed the certificate of the server: give the authority that did with ca= in the URL')
  if (/WRONG_VERSION|UNKNOWN_PROTOCOL|HTTP_REQUEST|PACKET_LENGTH/.test(code))
    return broken('It does not speak TLS on that port: use the TLS port, or redis://')
  if (code.startsWith('ERR_SSL')) return broken('TLS was refused: look at the versions and certificates of both sides')
  if (code === 'EACCES' || code === 'EPERM')
    return new LinkError('denied', 'no', `Cannot connect to ${name}: ${code}. Give this user the right to use it`)
  return new LinkError('away', 'no', `Cannot connect to ${name}: ${code || message}`)
}

export const closedByUs = (name: string) => new LinkError('away', 'no', `The connection to ${name} was closed by us`)

/** Trying again does not help. */
export const isFinal = ({ why }: LinkError): boolean => why === 'denied' || why === 'broken'

/** What the server said, if it was that. */
export const refused = (error: unknown): string => (error instanceof Refusal ? error.text : '')
