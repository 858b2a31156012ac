/**
 * An app that is open: its broker, its services and what sends for it. Made at the first use, thrown away by `close()`,
 * and exchanged as a whole by `greenroom/testing`, so that nothing else in an app changes between a test and production.
 */
import type { Broker, Envelope } from './broker.ts'
import { type Clock, within } from './clock.ts'
import { shown } from './duration.ts'
import type { Encoder } from './encoder.ts'
import { GreenroomError } from './errors.ts'
import { type EventStream, eventStream } from './events.ts'
import { misuse } from './layers.ts'
import { environmentOf } from './locate.ts'
import type { Logger } from './log.ts'
import type { Message } from './message.ts'
import type { AnyMiddleware, Sending, Services } from './middleware.ts'
import { createPusher, envelopeOf, type Pusher, pushedOf, tooLate, type Verdict } from './pusher.ts'
import { shared } from './registry.ts'
import { composeSend } from './send-chain.ts'
import { checkMessage } from './sending.ts'
import type { Store } from './store.ts'
import { watchUnserved } from './unserved.ts'

/** The world around an app: real, or a test's. */
export interface World {
  readonly clock: Clock
  readonly random: () => number
  readonly newId: () => string
  /** Opens, or finds, the broker, and says how to let go of it. */
  connect(): Promise<{ readonly broker: Broker; readonly store?: Store; release(): Promise<void> }>
}

export interface Live {
  readonly broker: Broker
  readonly clock: Clock
  readonly random: () => number
  readonly newId: () => string
  readonly services: Services
  readonly events: EventStream
  readonly pusher: Pusher
  /** Messages as envelopes, through the send chain, not yet stored; those that a middleware skips are left out. Rejects when one is refused. */
  prepare(batch: readonly Sending[]): Promise<readonly Envelope[]>
  /** Stores messages in one batch through the send chain; one verdict each, in order. */
  store(batch: readonly Sending[]): Promise<readonly Verdict[]>
  close(): Promise<void>
}

export interface LiveParts {
  readonly world: World
  readonly chain: readonly AnyMiddleware[]
  readonly encoder: Encoder
  readonly log: Logger
  readonly sendTimeoutMs: number
  readonly maxPending: number
  /** A plain message as it is sent: options resolved, time and band beside it. */
  toSending(message: Message): Sending
}

/** A connection that was not made by then, or a middleware's `setup` that has not answered, will not be waited for. */
const STEP_TIMEOUT_MS = 30_000

export async function openLive({ world, chain, encoder, log, sendTimeoutMs, maxPending, toSending }: LiveParts): Promise<Live> {
  const { clock, random, newId } = world
  const { broker, store, release } = await connect(world)
  const disposals: (() => Promise<void>)[] = []
  const closeAll = async () => {
    const errors: unknown[] = []
    for (const dispose of [...disposals.splice(0).reverse(), release]) {
      try {
        await dispose()
      } catch (error) {
        errors.push(error)
      }
    }
    if (errors.length > 0)
      throw errors.length === 1 ? errors[0] : new AggregateError(errors, `${errors.length} resources failed to close`)
  }
  const services: Services = {
    clock,
    random,
    newId,
    log,
    get store() {
      return store ?? missingStore(broker)
    },
    push: async batch => (await storeAll(batch.map(toSending))).map(pushedOf),
  }
  const events = eventStream(chain, log)
  const sendChain = composeSend(chain, services, clock, sendTimeoutMs)
  const firstSent = shared.thread || environmentOf(process.env) === 'production' ? () => {} : watchUnserved(broker, clock, log)
  const pusher = createPusher({ broker, sendChain, encoder, events, clock, sendTimeoutMs, maxPending, firstSent })
  const storeAll = (batch: readonly Sending[]) =>
    Promise.all(
      batch.map(
        sending =>
          new Promise<Verdict>(resolve => {
            try {
              pusher.submit(sending, encoder.encode(sending.message), resolve)
            } catch (failed) {
              resolve({ failed })
            }
          }),
      ),
    )
  const prepare: Live['prepare'] = async batch => {
    const passed = sendChain ? await sendChain(batch) : batch.map(sending => ({ sending }))
    const envelopes = passed.flatMap(item => {
      if ('refused' in item) throw item.refused
      return 'sending' in item ? [envelopeOf(item.sending, encoder.encode(checkMessage(item.sending.message)))] : []
    })
    await pusher.ready(new Set(envelopes.map(({ queue }) => queue)))
    return envelopes
  }
  try {
    for (const middleware of chain) {
      if (middleware.needs?.includes('store') && !store) missingStore(broker, middleware.name)
      const made = await inTime(middleware.name, 'setup()', clock, async () => middleware.setup?.(services))
      if (made === undefined) continue
      if (typeof made?.[Symbol.asyncDispose] !== 'function')
        throw misuse(
          middleware.name,
          `returned ${shown(made)} from setup()`,
          'Return nothing, or what has [Symbol.asyncDispose]()',
        )
      disposals.push(() => inTime(middleware.name, 'its disposal', clock, async () => made[Symbol.asyncDispose]()))
    }
  } catch (error) {
    await closeAll().catch((also: unknown) => log.error({ err: also }, 'a resource failed to close'))
    throw error
  }
  return {
    broker,
    clock,
    random,
    newId,
    services,
    events,
    pusher,
    prepare,
    store: storeAll,
    close: async () => {
      await pusher.idle()
      await closeAll()
    },
  }
}

/** What a middleware does when the app opens and closes: its own errors are told by its name, and it has its time. */
function inTime<T>(name: string, step: string, clock: Clock, body: () => Promise<T>): Promise<T> {
  const named = body().catch((error: unknown): never => {
    throw error instanceof GreenroomError ? error : misuse(name, `threw in ${step}`, 'See error.cause', error)
  })
  return within(named, STEP_TIMEOUT_MS, clock, () =>
    misuse(name, `did not finish ${step} within ${STEP_TIMEOUT_MS} ms`, 'Give its own I/O a shorter deadline'),
  )
}

async function connect({ connect, clock }: World): ReturnType<World['connect']> {
  const connecting = connect()
  return within(connecting, STEP_TIMEOUT_MS, clock, () => {
    connecting.then(({ release }) => release()).catch(() => {}) // it came too late, and nobody waits for it
    return tooLate({ name: 'The broker' }, STEP_TIMEOUT_MS, 'no')
  })
}

function missingStore(broker: Broker, by?: string): never {
  throw new GreenroomError('STORE_MISSING', `${by ?? 'A middleware'} needs a store, and ${broker.name} has none`, {
    help: 'Use a broker that has one, such as file:, or give one in greenroom({ store })',
  })
}
