/** For tests of this repository only: what the conformance suite must be able to do to a broker. Not exported by the package. */
import type { Broker, Consumer } from '../../lib/broker.ts'
import { brokerLinks, openedConsumers } from './opened.ts'

/** As if the consumer's process stood still: the take that it waits in ends, and it asks for nothing more. */
export const standStill = (consumer: Consumer): void => openedConsumers.get(consumer)!.cancel()

/** Turns of the event loop without a command under way, after which none is to come by itself. */
const QUIET_TURNS = 5

/** Counts a broker's commands from now on: what it gives back resolves when all that it does by itself is done. */
export function watchBroker(broker: Broker): () => Promise<void> {
  const link = brokerLinks.get(broker)!
  let underWay = 0
  const counted = <A extends unknown[]>(call: (...args: A) => Promise<unknown>) =>
    async function (...args: A): Promise<unknown> {
      underWay++
      try {
        return await call(...args)
      } finally {
        underWay--
      }
    }
  Object.assign(link, { run: counted(link.run), ask: counted(link.ask) })
  return async () => {
    for (let quiet = 0; quiet < QUIET_TURNS; quiet = underWay > 0 ? 0 : quiet + 1)
      await new Promise(resolve => setImmediate(resolve))
  }
}
