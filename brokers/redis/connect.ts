/**
 * Makes a Link from a URL: no more than two connections to a server, one for commands and, once somebody listens, one that listens. Nothing
 * is connected before `up()` or `listen()`.
 */
import type { Clock } from '../../lib/clock.ts'
import type { Random } from '../../lib/ids.ts'
import type { Logger } from '../../lib/log.ts'
import { dialer } from './dial.ts'
import { openEars } from './ears.ts'
import { Refusal } from './failures.ts'
import { type Line, openLine } from './line.ts'
import type { Argument, Link } from './link.ts'
import { SCRIPTS } from './scripts.ts'
import { type Where, readUrl } from './url.ts'

export { readUrl } from './url.ts'

export interface LinkOptions {
  /** Or what `readUrl` made of it. */
  readonly url: string | Where
  /** A connection that owes a reply longer than this is given up. @default 5_000 */
  readonly replyTimeoutMs?: number
  readonly log: Logger
  readonly clock: Clock
  readonly random: Random
}

/** @throws {GreenroomError} `BROKER_INVALID` for a URL that is none */
export function openLink({ url, replyTimeoutMs = 5_000, log, clock, random }: LinkOptions): Link {
  const where = typeof url === 'string' ? readUrl(url).where : url
  const { name } = where

  const dial = dialer({ tls: where.tls, replyTimeoutMs, clock, log })
  const [address] = where.addresses
  const connect = (signal: AbortSignal, heard?: (channel: string, message: Buffer) => void) =>
    dial({ address, signal, heard, login: where.login(), db: where.db, scripts: !heard })
  const line = openLine({ name, purpose: 'commands', dial: connect, clock, random, log })
  const ears = openEars({ name, dial: connect, sharded: false, clock, random, log })

  return {
    name,
    oneSlot: true,
    get isUp() {
      return line.wire !== undefined
    },
    up: signal => line.up(signal),
    run: (script, keys, args) => run(line, script, keys, args),
    ask: (command, ...args) => sendOn(line, command, args),
    listen: (channel, heard) => ears.listen(channel, heard),
    async [Symbol.asyncDispose]() {
      await Promise.all([line[Symbol.asyncDispose](), ears[Symbol.asyncDispose]()])
    },
  }
}

const sendOn = (line: Line, command: string, words: readonly Argument[]): Promise<unknown> =>
  line.wire?.send(command, words) ?? Promise.reject(line.absence())

async function run(
  line: Line,
  script: keyof typeof SCRIPTS,
  keys: readonly string[],
  args: readonly Argument[],
): Promise<unknown> {
  const { sha, lua } = SCRIPTS[script]
  const words = [sha, keys.length, ...keys, ...args]
  const { wire } = line
  if (!wire) throw line.absence()
  try {
    return await wire.send('EVALSHA', words)
  } catch (error) {
    if (!(error instanceof Refusal && error.text.startsWith('NOSCRIPT'))) throw error
  }
  await wire.send('SCRIPT', ['LOAD', lua]) // somebody has flushed them
  return await wire.send('EVALSHA', words)
}
