/**
 * Tells a developer, once a queue, that nobody runs what they send: the commonest surprise of the first day. It looks at the
 * first send and again a minute later, outside production, and only where messages outlive the process.
 */
import type { Broker } from './broker.ts'
import type { Clock } from './clock.ts'
import type { Logger } from './log.ts'

/** A worker that is restarted, or busy, is away for less. */
const UNSERVED_MS = 60_000

/** @returns what to call with the queues of each push */
export function watchUnserved(broker: Broker, clock: Clock, log: Logger): (queues: readonly string[]) => void {
  const { inspector } = broker
  if (!inspector || !broker.capabilities.durable || broker.capabilities.lease !== 'timed') return () => {}
  const said = new Set<string>()

  async function look(queue: string): Promise<void> {
    const { oldestMs, leased, paused } = await inspector!.counts(queue)
    if (oldestMs < UNSERVED_MS || leased > 0 || paused || said.has(queue)) return
    said.add(queue)
    log.warn(
      `nobody has served the queue ${queue} for ${Math.round(oldestMs / 1_000)} s. Start a worker: npx greenroom worker <your actors' module>`,
    )
  }
  const quietly = (queue: string) => void look(queue).catch(() => {}) // a courtesy: what is wrong with the broker, send() says
  return queues => {
    for (const queue of queues) {
      quietly(queue)
      clock.after(UNSERVED_MS, () => quietly(queue), { ref: false })
    }
  }
}
