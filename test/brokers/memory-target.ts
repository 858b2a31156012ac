/** The memory broker and store as targets of the conformance suites. */
import { memoryBroker, memoryStore } from '../../brokers/memory/index.ts'
import type { MemoryBroker } from '../../brokers/memory/index.ts'
import type { BrokerTarget, Sizes, StoreTarget } from '../../conformance.ts'
import type { Broker, Consumer } from '../../lib/broker.ts'
import { movingClock } from '../../lib/moving-clock.ts'
import type { MovingClock } from '../../lib/moving-clock.ts'

/** Puts something else in a broker's place, and tells which consumer is inside one of its own. */
export interface Disguise {
  broker(broker: Broker): Broker
  inside(consumer: Consumer): Consumer
}

const asItIs: Disguise = { broker: broker => broker, inside: consumer => consumer }

/** Lets what was woken run. */
const turn = () =>
  new Promise<void>(resolve => {
    setImmediate(resolve)
  })

export function memoryTarget(
  { broker: disguise, inside }: Disguise = asItIs,
  sizes: Sizes = {},
): BrokerTarget & { readonly clock: MovingClock } {
  const clock = movingClock()
  /** Whose a consumer is. */
  const owners = new WeakMap<Consumer, MemoryBroker>()
  return {
    clock,
    sizes,
    shared: false,
    async open(namespace = 'conformance') {
      const broker = memoryBroker({ clock, namespace })
      const consume: Broker['consume'] = async options => {
        const consumer = await broker.consume(options)
        owners.set(consumer, broker)
        return consumer
      }
      return disguise({ ...broker, consume })
    },
    async advance(ms) {
      clock.advance(ms)
      await turn()
    },
    async crash(consumer) {
      owners.get(inside(consumer))!.freeze(inside(consumer))
    },
  }
}

export function memoryStoreTarget(): StoreTarget & { readonly clock: MovingClock } {
  const clock = movingClock()
  return {
    clock,
    shared: false,
    open: async () => memoryStore({ clock }),
    async advance(ms) {
      clock.advance(ms)
      await turn()
    },
  }
}
