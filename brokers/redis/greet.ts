/** What is said first on a connection: who we are, which database, and the scripts. All in one piece, as the answers are known beforehand. */
import type { Logger } from '../../lib/log.ts'
import { Refusal, refused } from './failures.ts'
import type { Argument } from './link.ts'
import { SCRIPTS } from './scripts.ts'
import type { Login } from './url.ts'
import type { Wire } from './wire.ts'

export interface Greeting {
  readonly login: Login | undefined
  readonly db: number
  /** For commands: scripts are run on it. */
  readonly scripts?: boolean
  /** It was found: it may be the master no more. */
  readonly masterOnly?: boolean
}

/** @throws {LinkError} what the server refuses; the connection is ended then */
export async function greet(wire: Wire, { login, db, scripts, masterOnly }: Greeting, log: Logger): Promise<void> {
  const said: Promise<unknown>[] = []
  // Each with a catch, so that the first refusal is the first to be seen.
  const say = (command: string, words: readonly Argument[], orElse: (error: unknown) => void = fail) =>
    said.push(wire.send(command, words).catch(orElse))
  if (login) {
    const words = login.user === undefined ? [login.password] : [login.user, login.password]
    said.push(wire.send('AUTH', words, true).catch((error: unknown) => passwordless(error, wire, log)))
  }
  if (db > 0) say('SELECT', [db])
  say('CLIENT', ['SETNAME', 'greenroom'], unlessAllowed)
  if (masterOnly) said.push(wire.send('ROLE', []).then(role => checkRole(role, wire), unlessAllowed))
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
  if (!refused(error).includes('without any password configured')) throw error
  log.warn({ redis: name }, 'the URL has a password, and the server wants none: give it one (requirepass)')
}
function checkRole(role: unknown, { name }: Wire): void {
  const is = String((role as unknown[])[0])
  if (is !== 'master') throw new Refusal('unready', 'no', `${name} is no master now but a ${is}`, '')
}
/** A name is for those who look, and a replica says so when something is written to it. */
function unlessAllowed(error: unknown): void {
  if (!refused(error).startsWith('NOPERM')) throw error
}
