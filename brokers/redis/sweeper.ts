/**
 * Looks after all queues of a namespace, also those that nobody serves: what dead workers held there comes back, and dead letters that are
 * too old go. One worker of all does it once a lease; whoever consumes tries to be that one.
 */
import type { ConsumeOptions } from '../../lib/broker.ts'
import type { Clock, Timer } from '../../lib/clock.ts'
import type { Logger } from '../../lib/log.ts'
import { keysOf, queuesKey, sweepKey } from './keys.ts'
import type { Link } from './link.ts'

export interface SweeperParts {
  readonly link: Link
  readonly namespace: string
  readonly id: string
  readonly dead: { readonly most: number; readonly forMs: number }
  readonly clock: Clock
}

export interface Sweeper {
  joined(consumer: object, options: ConsumeOptions): void
  left(consumer: object): void
  end(): void
}

/** Messages that one call puts back. */
const MOST_BACK = 256
/** Queues that are looked at at once. */
const AT_ONCE = 32

export function createSweeper({ link, namespace, id, dead, clock }: SweeperParts): Sweeper {
  const consumers = new Map<object, ConsumeOptions>()
  let timer: Timer | undefined,
    isOver = false

  const everyMs = () => Math.min(...[...consumers.values()].map(({ leaseMs }) => leaseMs))
  function arm(): void {
    timer?.cancel()
    timer = undefined
    if (isOver || consumers.size === 0) return
    timer = clock.after(everyMs(), () => void sweep().finally(arm), { ref: false })
  }

  async function sweep(): Promise<void> {
    if (!link.isUp) return
    try {
      const served = [...consumers.values()].flatMap(({ queues }) => queues)
      await link.ask('SADD', queuesKey(namespace), ...served) // a server without persistence forgets them
      if (!(await link.ask('SET', sweepKey(namespace), id, 'NX', 'PX', Math.ceil(everyMs() / 2)))) return
      const queues = (await link.ask('SMEMBERS', queuesKey(namespace))) as Buffer[]
      while (queues.length > 0) await Promise.all(queues.splice(-AT_ONCE).map(name => look(name.toString('latin1'))))
    } catch {
      // A server that is away is told of by the takes; the next turn looks again.
    }
  }
  async function look(queue: string): Promise<void> {
    const key = [keysOf(namespace, queue).ready[0]]
    const lapsed = (await link.run('sweep', key, [dead.most, dead.forMs])) as readonly Buffer[]
    for (const one of lapsed) while (Number(await link.run('giveback', key, [one, MOST_BACK, '1'])) > 0);
  }

  return {
    joined(consumer, options) {
      consumers.set(consumer, options)
      arm()
    },
    left(consumer) {
      consumers.delete(consumer)
      arm()
    },
    end() {
      isOver = true
      arm()
    },
  }
}

/** A line about dropped dead letters at most so often: a flood of them must not become a flood of lines. */
const WARN_EVERY_MS = 60_000

export function dropWarner(log: Logger, clock: Clock): (queue: string, dropped: number) => void {
  const counts = new Map<string, number>()
  let warnedAt = -Infinity
  return (queue, dropped) => {
    counts.set(queue, (counts.get(queue) ?? 0) + dropped)
    const now = clock.monotonic()
    if (now - warnedAt < WARN_EVERY_MS) return
    warnedAt = now
    for (const [name, count] of counts)
      log.warn(
        { queue: name, dropped: count },
        'the oldest dead letters were dropped: there are more, or older ones, than are kept',
      )
    counts.clear()
  }
}
