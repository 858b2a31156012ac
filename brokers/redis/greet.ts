/** What is said first on a connection: who we are, which database, and the scripts. All in one piece, as the answers are known beforehand. */
import type { Logger } from '../../lib/log.ts'
import { Refusal } from './failures.ts'
import type { Argument } from './link.ts'
import { SCRIPTS } from './scripts.ts'
import type { Login } from './url.ts'
import type { Wire } from './wire.ts'

export interface Greeting {
  readonly login: Login | undefined
  readonly db: number
  /** For commands: scripts are run on it. */
  readonly scripts: boolean
}

/** @throws {LinkError} what the server refuses; the connection is ended then */
export async function greet(wire: Wire, { login, db, scripts }: Greeting, log: Logger): Promise<void> {
  const said: Promise<unknown>[] = []
  // Each with a catch, so that the first refusal is the first to be seen.
  const say = (command: string, words: readonly Argument[], orElse: (error: unknown) => void = fail) =>
    said.push(wire.send(command, words).catch(orElse))
  // As bytes, so that no trace of the driver shows it.
  if (login) {
    const { user, password } = login
    say('AUTH', [...(user === undefined ? [] : [user]), Buffer.from(password)], error => passwordless(error, wire, log))
  }
  if (db > 0) say('SELECT', [db])
  say('CLIENT', ['SETNAME', 'greenroom'], unnamed)
  if (scripts) for (const { lua } of Object.values(SCRIPTS)) say('SCRIPT', ['LOAD', lua])
  try {
    await Promise.all(said)
  } catch (error) {
    if (error instanceof Refusal) wire.end(error)
    throw await wire.ended // why the connection ended, where it did by itself
  }
}

function fail(error: unknown): never {
  throw error
}
/** The password is set on the clients first, and then on the server. */
function passwordless(error: unknown, { name }: Wire, log: Logger): void {
  if (!(error instanceof Refusal && error.text.includes('without any password configured'))) throw error
  log.warn({ redis: name }, 'the URL has a password, and the server wants none: give it one (requirepass)')
}
/** A name for those who look; who may not give it has none. */
function unnamed(error: unknown): void {
  if (!(error instanceof Refusal && error.text.startsWith('NOPERM'))) throw error
}
