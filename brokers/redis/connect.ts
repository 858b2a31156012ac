/**
 * Makes a Link from a URL: no more than two connections to a server, one for commands and, once somebody listens, one that listens. Nothing
 * is connected before `up()` or `listen()`.
 */
import type { Clock } from '../../lib/clock.ts'
import type { Random } from '../../lib/ids.ts'
import type { Logger } from '../../lib/log.ts'
import { openCluster } from './cluster.ts'
import { dialer } from './dial.ts'
import { openEars } from './ears.ts'
import { capitals, evaluate } from './evaluate.ts'
import { openLine } from './line.ts'
import type { Link } from './link.ts'
import { masterOf } from './sentinel.ts'
import { type Where, readUrl } from './url.ts'
import type { Wire } from './wire.ts'

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
  if (where.kind === 'cluster') return openCluster(where, dial, { clock, random, log })

  async function connect(signal: AbortSignal, heard?: (channel: string, message: Buffer) => void): Promise<Wire> {
    const isFound = where.kind === 'sentinel'
    const address = isFound ? await masterOf(where, dial, signal) : where.addresses[0]
    return await dial({ address, signal, heard, login: where.login(), db: where.db, scripts: !heard, masterOnly: isFound })
  }
  const shared = { name, dial: connect, clock, random, log }
  const line = openLine({ ...shared, purpose: 'commands' })
  const ears = openEars(shared)
  const wire = () => {
    if (line.wire) return line.wire
    throw line.absence()
  }

  return {
    name,
    oneSlot: true,
    get isUp() {
      return line.wire !== undefined
    },
    get lives() {
      return line.lives
    },
    up: signal => line.up(signal),
    run: async (script, keys, args) => evaluate(wire(), script, keys, args),
    ask: async (command, ...args) => wire().send(capitals(command), args),
    listen: (channel, heard) => ears.listen(channel, heard),
    async [Symbol.asyncDispose]() {
      await Promise.all([line[Symbol.asyncDispose](), ears[Symbol.asyncDispose]()])
    },
  }
}
