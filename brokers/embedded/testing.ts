/** For tests of this repository only: what the conformance suite must be able to do to a broker. Not exported by the package. */
import type { Broker, Consumer } from '../../lib/broker.ts'
import { consumerIds } from './consumer.ts'
import { brokerEngines } from './index.ts'

/** Moves the clock of the broker's engine on: what falls due, and lapses, by then has done so when this resolves. */
export async function advance(broker: Broker, ms: number): Promise<void> {
  const { engine, namespace } = brokerEngines.get(broker)!()
  await engine.ask(namespace, 'advance', { ms })
}

/** Makes the engine forget a consumer without giving anything back, as if its process had been killed and could not be seen to be. */
export async function crash(broker: Broker, consumer: Consumer): Promise<void> {
  const { engine, namespace } = brokerEngines.get(broker)!()
  await engine.ask(namespace, 'crash', { consumer: consumerIds.get(consumer)! })
}
