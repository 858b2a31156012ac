/** How an inspector asks the server: scripts on one queue, and what went wrong in the words of people. */
import type { Place } from '../../lib/broker.ts'
import { failureOf } from './errors.ts'
import { keysOf } from './keys.ts'
import { type Argument, type Link, LinkError } from './link.ts'
import type { ScriptName } from './scripts.ts'

/** The most that one script looks at, and about how many bytes it reads: it runs for some milliseconds at most, however long a queue is. */
export const MOST = 1_000
export const MOST_BYTES = 4 * 1_048_576

export type Timed = Extract<Place, 'delayed' | 'dead'>
export type Reply = readonly (Buffer | number)[]

export interface Server {
  /** Runs a script on the keys of a queue; `to`: another one that it writes to. */
  run(script: ScriptName, queue: string, args?: readonly Argument[], to?: string): Promise<unknown>
  ask(command: string, ...args: readonly Argument[]): Promise<unknown>
  /** Makes ready what is due, so that all is seen in the order in which it would be taken: all of it, or a few pieces. */
  promoteDue(queue: string, pieces?: number): Promise<void>
  /** Who holds something of a queue, in an order that stays. */
  holders(queue: string): Promise<readonly string[]>
  /** Members that are not called by their id alone, as another message had it: bounded pieces, in no order. */
  doubles(queue: string, place: Timed): AsyncGenerator<Buffer, void>
}

const PROMOTED_AT_ONCE = 256
/** People wait for a server that is away, not for ever. */
const WAIT_MS = 5_000

function notUp(error: unknown): never {
  throw error instanceof LinkError ? error : new LinkError('away', 'no', `no connection within ${WAIT_MS} ms`)
}

export function inspectServer(link: Link, namespace: string): Server {
  async function asked<T>(ask: () => Promise<T>): Promise<T> {
    try {
      if (!link.isUp) await link.up(AbortSignal.timeout(WAIT_MS)).catch(notUp)
      return await ask()
    } catch (error) {
      throw failureOf(error, link.name)
    }
  }
  const keys = (queue: string) => keysOf(namespace, queue)
  const self: Server = {
    run: (script, queue, args = [], to) =>
      asked(() => link.run(script, [keys(queue).ready[0], ...(to === undefined ? [] : [keys(to).ready[0]])], args)),
    ask: (command, ...args) => asked(() => link.ask(command, ...args)),
    async promoteDue(queue, pieces = Infinity) {
      for (let piece = 0; piece < pieces; piece++)
        if ((await self.run('inspect-due', queue, [PROMOTED_AT_ONCE])) !== PROMOTED_AT_ONCE) return
    },
    async holders(queue) {
      const found = (await self.ask('ZRANGE', keys(queue).leases, 0, -1)) as readonly Buffer[]
      return found.map(String).sort()
    },
    async *doubles(queue, place) {
      let cursor = '0'
      do {
        const [next, found] = (await self.ask('ZSCAN', keys(queue)[place], cursor, 'MATCH', '* *', 'COUNT', MOST)) as [
          Buffer,
          Buffer[],
        ]
        for (let i = 0; i < found.length; i += 2) yield found[i]!
        cursor = String(next)
      } while (cursor !== '0')
    },
  }
  return self
}
