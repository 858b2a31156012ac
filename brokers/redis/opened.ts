/** What is open, for the tests of this repository: what the conformance suite must be able to do to a broker and to a consumer. */
import type { Broker, Consumer } from '../../lib/broker.ts'
import type { Opened } from './consumer.ts'
import type { Link } from './link.ts'

export const openedConsumers = new WeakMap<Consumer, Opened>()
export const brokerLinks = new WeakMap<Broker, Link>()
