/**
 * What the keeper thread of a worker does for consumers that leave their renewals to it, while rules move the target's clock: a
 * consumer that lives is renewed in time, however far the clock goes; one that crashed is not, and one that is disposed not any more.
 */
import assert from 'node:assert/strict'
import type { Consumer, KeeperModule, Renewal } from '../../lib/broker.ts'
import type { BrokerTarget } from './bench.ts'

/** So many renewals in one move of the clock. One of days is made at once: nothing is held over days. */
const MOST_STEPS = 100

export interface Keeping {
  /** Begins, where the consumer has a keeper. @throws {AssertionError} for one that no keeper thread could follow */
  keep(consumer: Consumer, leaseMs: number): Promise<void>
  advance(ms: number): Promise<void>
  /** Its process is gone, and its thread with it. */
  crash(consumer: Consumer): Promise<void>
  /** As a worker does it: the renewal is closed first. */
  dispose(consumer: Consumer): Promise<void>
}

interface Kept {
  readonly everyMs: number
  readonly renewal: Renewal
}

export function createKeeping(target: BrokerTarget, soon: <T>(promise: Promise<T>, what: string) => Promise<T>): Keeping {
  const living = new Map<Consumer, Kept>()

  async function start({ module, data }: NonNullable<Consumer['keeper']>): Promise<Renewal> {
    const { keep } = (await import(module)) as Partial<KeeperModule>
    assert.equal(typeof keep, 'function', `the keeper's module ${module} exports no keep()`)
    const renewal = await keep!(structuredClone(data))
    await renewal.renew()
    return renewal
  }
  async function renewAll(): Promise<void> {
    for (const { renewal } of living.values()) {
      // A server that is away is no failure of the rule: the thread reports it, and calls again.
      const renew = async () => renewal.renew()
      await soon(
        renew().catch(() => {}),
        'renew() did not end',
      )
    }
  }
  async function close(consumer: Consumer): Promise<void> {
    const kept = living.get(consumer)
    const end = async () => kept?.renewal[Symbol.asyncDispose]?.()
    living.delete(consumer)
    await soon(end(), 'closing the renewal did not end')
  }
  return {
    async keep(consumer, leaseMs) {
      const { keeper } = consumer
      if (!keeper) return
      const { everyMs } = keeper
      assert.ok(
        everyMs > 0 && everyMs <= leaseMs / 3,
        `everyMs of the keeper is ${everyMs}, and a third of the lease ${leaseMs / 3}`,
      )
      living.set(consumer, { everyMs, renewal: await soon(start(keeper), 'the keeper did not begin') })
    },
    async advance(ms) {
      const everyMs = Math.min(ms, ...Array.from(living.values(), ({ everyMs }) => everyMs))
      const stepMs = ms / everyMs > MOST_STEPS ? ms : everyMs
      let left = ms
      do {
        await target.advance(Math.min(left, stepMs))
        await renewAll()
        left -= stepMs
      } while (left > 0)
    },
    async crash(consumer) {
      await close(consumer) // its thread is gone, and what that had open
      await target.crash(consumer)
    },
    async dispose(consumer) {
      await close(consumer)
      await soon(Promise.resolve(consumer[Symbol.asyncDispose]()), 'disposing did not end')
    },
  }
}
