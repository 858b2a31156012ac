/** Adapters that leave their renewals to a keeper: the suite renews as a worker's keeper thread does, and notices one that does not. */
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { type BrokerTarget, brokerRules, runBrokerRules } from '../../conformance.ts'
import type { Broker, Consumer } from '../../lib/broker.ts'
import { root } from '../root.ts'
import { memoryTarget } from './memory-target.ts'

const MODULE = pathToFileURL(`${root}test/fixtures/keeper-flag.mjs`).href
const LIVING = 'a living consumer keeps what it holds, however long it runs'

interface Kept {
  readonly inner: Consumer
  /** Whether it was renewed since the last look; whether its renewal was closed. */
  readonly flags: Int32Array
}

/** Memory, where a consumer that was not renewed since the last move of the clock is renewed no more. */
function keeperTarget(keeper: (flags: SharedArrayBuffer, leaseMs: number) => Consumer['keeper']) {
  const insides = new Map<Consumer, Kept>(),
    inside = (consumer: Consumer) => insides.get(consumer)?.inner ?? consumer
  let leaks = 0
  const memory = memoryTarget({
    inside,
    broker(broker) {
      const consume: Broker['consume'] = async options => {
        const inner = await broker.consume(options),
          flags = new SharedArrayBuffer(8),
          kept = keeper(flags, options.leaseMs)
        const consumer: Consumer = {
          take: (max, how) => inner.take(max, how),
          settle: batch => inner.settle(batch),
          ...(kept && { keeper: kept }),
          async [Symbol.asyncDispose]() {
            const own = insides.get(consumer)
            if (own && kept && !crashed.has(consumer) && own.flags[1] === 0) leaks++
            insides.delete(consumer)
            await inner[Symbol.asyncDispose]()
          },
        }
        insides.set(consumer, { inner, flags: new Int32Array(flags) })
        return consumer
      }
      return { ...broker, consume }
    },
  })
  const crashed = new WeakSet<Consumer>()
  // A class with a private field, as targets of others are: nothing may take it apart.
  class Target implements BrokerTarget {
    readonly shared = false
    readonly #memory = memory
    open(namespace?: string) {
      return this.#memory.open(namespace)
    }
    async advance(ms: number) {
      for (const [consumer, { flags }] of insides) if (Atomics.exchange(flags, 0, 0) === 0) await this.#memory.crash(consumer)
      await this.#memory.advance(ms)
    }
    async crash(consumer: Consumer) {
      crashed.add(consumer)
      await this.#memory.crash(consumer)
    }
  }
  return {
    target: new Target(),
    get leaks() {
      return leaks
    },
  }
}

/** The rules that fail, with what they say. */
async function failures(target: BrokerTarget, rules = brokerRules): Promise<ReadonlyMap<string, string>> {
  const failed = new Map<string, string>()
  await runBrokerRules(rules, target, (rule, verdict) => {
    if (verdict.kind === 'failed') failed.set(rule, String(verdict.error))
  })
  return failed
}
const living = brokerRules.filter(([rule]) => rule === LIVING)

t.test('an adapter that relies on its keeper passes every rule, and its renewals are closed before its consumers', async t => {
  const made = keeperTarget((flags, leaseMs) => ({ module: MODULE, data: { flags }, everyMs: leaseMs / 3 }))
  t.strictSame([...(await failures(made.target))], [])
  t.equal(made.leaks, 0)
})

t.test('without its keeper it loses what a living consumer holds', async t => {
  t.match((await failures(keeperTarget(() => undefined).target)).get(LIVING), /deep-equal/)
})

t.test('a keeper that no thread could follow is told', async t => {
  for (const [keeper, says] of [
    [{ module: MODULE, data: {}, everyMs: 6_000 }, /everyMs of the keeper is 6000, and a third of the lease 4000/],
    [{ module: MODULE, data: { name: 'broken', flags: new SharedArrayBuffer(8) }, everyMs: 4_000 }, /no connection/],
    [{ module: 'node:path', data: {}, everyMs: 4_000 }, /the keeper's module node:path exports no keep\(\)/],
    [{ module: MODULE, data: { send: () => {} }, everyMs: 4_000 }, /could not be cloned/],
  ] as const)
    t.match((await failures(keeperTarget(() => keeper).target, living)).get(LIVING), says)
})
