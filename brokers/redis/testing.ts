/** For tests of this repository only: what the conformance suite must be able to do to a broker. Not exported by the package. */
import type { Broker, Consumer } from '../../lib/broker.ts'
import { brokerLinks, openedConsumers } from './opened.ts'

/** As if the consumer's process stood still: the take that it waits in ends, and it asks for nothing more. */
export const standStill = (consumer: Consumer): void => openedConsumers.get(consumer)!.cancel()

/** Until what the broker is doing by itself is done: a few trips, each begun when the one before was answered. */
export async function settled(broker: Broker, trips = 8): Promise<void> {
  const link = brokerLinks.get(broker)!
  for (let trip = 0; trip < trips && link.isUp; trip++) {
    await link.ask('PING').catch(() => {})
    await new Promise(resolve => setImmediate(resolve))
  }
}
