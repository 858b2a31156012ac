/** An app on a memory broker, with its events and log lines kept; on request with a clock that only the test moves. */
import type { Test } from 'tap'
import { type MemoryBroker, memoryBroker } from '../../brokers/memory/index.ts'
import { type App, greenroom, standard, type Standard } from '../../index.ts'
import type { Config } from '../../lib/config.ts'
import type { Broker } from '../../lib/broker.ts'
import { systemClock } from '../../lib/clock.ts'
import { systemId } from '../../lib/ids.ts'
import { internalsOf } from '../../lib/internals.ts'
import type { AnyMiddleware, FeaturesOf, SpecsOf } from '../../lib/middleware.ts'
import { type MovingClock, movingClock } from '../../lib/moving-clock.ts'
import { type Faults, faulty } from './faulty.ts'
import { keepLines, recorder } from './recorder.ts'

export type Options<M> = Omit<Config<M>, 'broker'> & {
  /** @default a memory broker on the same clock */
  readonly broker?: Broker
  /** @default 0.5, always */
  readonly random?: () => number
}

function make<const M extends readonly AnyMiddleware[] = Standard>(t: Test, options: Options<M>, clock = systemClock) {
  const { watch, all, until } = recorder()
  const { log, lines } = keepLines()
  const memory = memoryBroker({ clock, log })
  const { broker = memory, random = () => 0.5, middleware, ...config } = options
  const chain = (middleware as readonly AnyMiddleware[] | undefined) ?? standard()
  const app = greenroom({ log, ...config, broker, middleware: [...chain, watch] }) as unknown as App<SpecsOf<M>, FeaturesOf<M>>
  t.teardown(() => app.close().catch(() => {})) // what closing throws is for the tests of it
  const enter = () =>
    internalsOf(app).enter({
      clock,
      random,
      newId: systemId,
      connect: async () => ({ broker, ...(broker.store && { store: broker.store }), release: async () => {} }),
    })
  return { app, broker, memory, all, until, lines, enter }
}

/** An app in real time. */
export function open<const M extends readonly AnyMiddleware[] = Standard>(t: Test, options: Options<M> = {}) {
  return make(t, options)
}

/** An app whose time stands still until `clock.advance()`. */
export async function openMoving<const M extends readonly AnyMiddleware[] = Standard>(
  t: Test,
  options: Options<M> | ((clock: MovingClock) => Options<M>) = {},
) {
  const clock = movingClock()
  const { enter, ...made } = make(t, typeof options === 'function' ? options(clock) : options, clock)
  await enter()
  return { ...made, clock }
}

/** The same on a broker that can be made to fail. */
export async function openFaulty<const M extends readonly AnyMiddleware[] = Standard>(
  t: Test,
  options: Omit<Options<M>, 'broker'> = {},
) {
  let memory!: MemoryBroker
  let faults!: Faults
  const opened = await openMoving(t, clock => {
    memory = memoryBroker({ clock })
    const { broker, ...rest } = faulty(memory)
    faults = rest.faults
    return { ...options, broker }
  })
  return { ...opened, memory, faults }
}
