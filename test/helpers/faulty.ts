/** A broker that can be made to fail: each call first waits for its fault, which may reject, hang or come late. */
import type { Broker, Consumer } from '../../lib/broker.ts'
import { GreenroomError } from '../../lib/errors.ts'

type Fault = () => Promise<void> | void
type Call = 'open' | 'push' | 'consume' | 'take' | 'settle' | 'counts'

export interface Faults {
  /** Awaited before the call reaches the broker. */
  readonly before: Partial<Record<Call, Fault>>
  /** Awaited after the broker has done it: the answer is lost, or late. */
  readonly after: Partial<Record<Call, Fault>>
  /** Whether it pays no attention to signals. */
  deaf: boolean
}

export function faulty(broker: Broker): { readonly broker: Broker; readonly faults: Faults } {
  const faults: Faults = { before: {}, after: {}, deaf: false }
  async function call<T>(name: Call, body: () => Promise<T>): Promise<T> {
    await faults.before[name]?.()
    const answer = await body()
    await faults.after[name]?.()
    return answer
  }
  const faultyConsumer = (consumer: Consumer): Consumer => ({
    take: (max, options) => call('take', () => consumer.take(max, options)),
    settle: batch => call('settle', () => consumer.settle(batch)),
    [Symbol.asyncDispose]: () => consumer[Symbol.asyncDispose](),
  })
  return {
    faults,
    broker: {
      ...broker,
      ...(broker.inspector && {
        inspector: { ...broker.inspector, counts: queue => call('counts', () => broker.inspector!.counts(queue)) },
      }),
      open: (queues, signal) => call('open', () => broker.open(queues, faults.deaf ? undefined : signal)),
      push: (batch, options) => call('push', () => broker.push(batch, faults.deaf ? {} : options)),
      consume: options => call('consume', async () => faultyConsumer(await broker.consume(options))),
    },
  }
}

export const hangs: Fault = () => new Promise(() => {})
export const down: Fault = () => {
  throw new GreenroomError('BROKER_DOWN', 'The test broker is away', { help: 'It comes back', retryable: true, stored: 'no' })
}
/** A fault that happens so often, and then no more. */
export function times(count: number, fault: Fault): Fault {
  let left = count
  return () => (left-- > 0 ? fault() : undefined)
}
