/** The keeper thread and an adapter that leaves its lease to it, in this process: the loop that is blocked is that of the test. */
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import { memoryBroker } from '../../brokers/memory/index.ts'
import type { Broker, Consumer } from '../../lib/broker.ts'
import { machineMs } from '../../lib/clock.ts'
import { open } from '../helpers/open.ts'
import { root } from '../root.ts'

const LEASE_MS = 1_200

/** Memory, but a lease that was not renewed for too long is gone at the next settlement. Its keeper's module is all that renews it. */
function leasing(module: string | undefined) {
  const memory = memoryBroker(),
    renewed = new SharedArrayBuffer(16),
    times = new Float64Array(renewed)
  const consume: Broker['consume'] = async options => {
    const inner = await memory.consume(options)
    times[0] = machineMs()
    const consumer: Consumer = {
      take: (max, waiting) => inner.take(max, waiting),
      settle: async batch => (machineMs() - times[0]! > options.leaseMs ? batch.map(() => 'lost' as const) : inner.settle(batch)),
      ...(module !== undefined && { keeper: { module, data: { renewed }, everyMs: options.leaseMs / 4 } }),
      [Symbol.asyncDispose]: () => Promise.resolve(inner[Symbol.asyncDispose]()),
    }
    return consumer
  }
  return { broker: { ...memory, consume } satisfies Broker, times }
}

async function blockFor(t: Test, ms: number, module?: string) {
  const { broker, times } = leasing(module)
  const { app, until, all, lines } = open(t, { broker })
  const spin = app.actor(
    () => {
      for (const end = machineMs() + ms; machineMs() < end;);
    },
    { name: 'spin' },
  )
  const worker = await app.work({ lease: LEASE_MS })
  // The thread has to be there before the loop is gone.
  if (module?.startsWith('file:')) for (const first = times[0]; times[0] === first;) await new Promise(setImmediate)
  return { app, spin, worker, times, until, all, lines }
}

t.test('a lease that only its keeper module renews outlives a blocked loop', async t => {
  const { spin, worker, times, until, all } = await blockFor(
    t,
    3 * LEASE_MS,
    pathToFileURL(`${root}test/fixtures/keeper-module.mjs`).href,
  )
  await spin.send()
  t.match(await until('settled'), [{ outcome: { kind: 'done' }, settled: 'ok' }])
  t.match(await until('blocked'), [{ actors: ['spin'], stack: [/keeper\.test\.js:\d+:\d+\)$/] }])
  t.equal(all('blocked')[0]!.stack.length, 1, 'frames of the library say nothing')
  await worker.close()
  t.equal(times[1], 1, 'it has closed what it held before the consumer was disposed')
})

t.test('without it the lease lapses, and the late success is lost', async t => {
  const { spin, until } = await blockFor(t, 1.5 * LEASE_MS)
  await spin.send()
  t.match(await until('settled'), [{ outcome: { kind: 'done' }, settled: 'lost' }])
})

t.test('a keeper module that cannot be loaded is told of', async t => {
  const { until, lines, worker } = await blockFor(t, 0, 'nothing:here')
  t.match(await until('trouble'), [{ what: 'the lease could not be renewed' }])
  t.match(lines.at(-1), { level: 'error', text: 'the lease could not be renewed; it is tried again' })
  await worker.close()
})

t.test('the thread ends with the last worker', async t => {
  const ports = () => process.getActiveResourcesInfo().filter(name => name === 'MessagePort').length,
    before = ports()
  const { app } = open(t)
  app.actor(() => {}, { name: 'noop' })
  const workers = [await app.work(), await app.work()]
  t.equal(ports(), before + 1, 'one for both')
  for (const worker of workers) await worker.close()
  t.equal(ports(), before)
})
