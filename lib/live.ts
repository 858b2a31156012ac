/**
 * An app that is open: its broker, its services and what sends for it. Made at the first use, thrown away by `close()`,
 * and exchanged as a whole by `greenroom/testing`, so that nothing else in an app changes between a test and production.
 */
import type { Broker, Envelope } from './broker.ts'
import { type Clock, sleep } from './clock.ts'
import type { Encoder } from './encoder.ts'
import { GreenroomError } from './errors.ts'
import { type EventStream, eventStream } from './events.ts'
import { environmentOf } from './locate.ts'
import type { Logger } from './log.ts'
import type { Message } from './message.ts'
import type { AnyMiddleware, Sending, Services } from './middleware.ts'
import { createPusher, envelopeOf, type Pusher, pushedOf, type Verdict } from './pusher.ts'
import { composeSend } from './send-chain.ts'
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

/** A middleware's `setup` that has not answered by then is a bug in it. */
const SETUP_TIMEOUT_MS = 30_000

export async function openLive({ world, chain, encoder, log, sendTimeoutMs, maxPending, toSending }: LiveParts): Promise<Live> {
  const { clock, random, newId } = world
  const { broker, store, release } = await world.connect()
  const disposals: AsyncDisposable[] = []
  const closeAll = async () => {
    const errors: unknown[] = []
    const attempt = async (closing: PromiseLike<void>) => {
      try {
        await closing
      } catch (error) {
        errors.push(error)
      }
    }
    for (const disposal of disposals.splice(0).reverse()) await attempt(disposal[Symbol.asyncDispose]())
    await attempt(release())
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
  const firstSent = environmentOf(process.env) === 'production' ? () => {} : watchUnserved(broker, clock, log)
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
    return passed.flatMap(item => {
      if ('refused' in item) throw item.refused
      return 'sending' in item ? [envelopeOf(item.sending, encoder.encode(item.sending.message))] : []
    })
  }
  try {
    for (const middleware of chain) {
      if (middleware.needs?.includes('store') && !store) missingStore(broker, middleware.name)
      const made = await withDeadline(async () => middleware.setup?.(services), middleware.name, clock)
      if (made) disposals.push(made)
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

async function withDeadline<T>(body: () => Promise<T>, name: string, clock: Clock): Promise<T> {
  const given = new AbortController()
  const late = sleep(clock, SETUP_TIMEOUT_MS, { signal: given.signal }).then(() => {
    throw new GreenroomError('MIDDLEWARE_FAILED', `The middleware ${name} did not finish setup() within ${SETUP_TIMEOUT_MS} ms`, {
      help: 'Give its own I/O a shorter deadline',
      details: { middleware: name },
    })
  })
  try {
    return await Promise.race([body(), late])
  } finally {
    given.abort()
    late.catch(() => {})
  }
}

function missingStore(broker: Broker, by?: string): never {
  throw new GreenroomError('STORE_MISSING', `${by ?? 'A middleware'} needs a store, and ${broker.name} has none`, {
    help: "Add greenroom({ store: 'redis://…' }) or 'file:…'",
  })
}
