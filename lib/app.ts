/**
 * The app: one broker, one middleware chain, a set of actors. Making it does no I/O and starts nothing; it opens itself at
 * the first send or work, once, and closes once.
 */
import type {
  Actor,
  AnyFn,
  ArgsOf,
  Declared,
  DefineOptions,
  Handle,
  Handler,
  In,
  NameOf,
  Out,
  ReturnOf,
  Sent,
  Untyped,
  Where,
} from './actor-types.ts'
import { createActor } from './actor.ts'
import type { Broker, BrokerServices } from './broker.ts'
import { orderChain } from './chain.ts'
import { systemClock } from './clock.ts'
import { appSettings, type Config } from './config.ts'
import { connection } from './connections.ts'
import {
  callerPlace,
  define,
  type Definition,
  DEFAULT_QUEUE,
  type Hints,
  isElsewhere,
  placeText,
  RESERVED_OPTIONS,
} from './definition.ts'
import { createEncoder } from './encoding.ts'
import { GreenroomError, rejectNotStored } from './errors.ts'
import { systemId, systemRandom } from './ids.ts'
import { handleMaker } from './handle.ts'
import { INTERNALS, type Internals } from './internals.ts'
import { createLifecycle } from './lifecycle.ts'
import { openLive, type World } from './live.ts'
import { isBroker, locateBroker } from './locate.ts'
import type { Message } from './message.ts'
import type { AnyMiddleware, Entry, FeaturesOf, Sending, Services, SpecsOf } from './middleware.ts'
import { checkId, checkName } from './names.ts'
import { defaultsOf, optionTable } from './options.ts'
import { rememberApp, shared } from './registry.ts'
import { validate } from './schema.ts'
import { createSender, itemsOf, type Made, notCallable, sendable, type SenderHost, store } from './sender.ts'
import { toSending } from './sending.ts'
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { work } from './work.ts'
import type { WorkOptions } from './work-options.ts'
import type { Worker } from './worker.ts'

/**
 * One broker, one chain of middleware, a set of actors; made by `greenroom()`. `S` are the options that the chain declares, `P`
 * what it adds to handles. It opens itself at the first send or `work()`, and never earlier.
 */
export interface App<S = {}, P = never> extends AsyncDisposable {
  /**
   * Makes a function sendable; it stays callable. One signature, so that TypeScript's own "did you mean" survives.
   * With `input`, a Standard Schema, the handler takes its output and `send()` its input.
   * @throws {GreenroomError} `ACTOR_ANONYMOUS`, `OPTION_UNKNOWN`, `OPTION_INVALID`, `DURATION_INVALID`, `NAME_INVALID`
   * @example
   * export const resize = app.actor(async (url: string, width: number) => { … }, { name: 'resize', queue: 'images' })
   * await resize.send('https://…', 300)
   */
  actor<
    F extends Handler,
    const Q extends string = 'default',
    I extends StandardSchemaV1 = never,
    R = never,
    const N extends string = string,
  >(
    handler: [I] extends [never] ? F : (input: Out<I>) => R,
    options?: DefineOptions<
      S,
      [I] extends [never] ? ArgsOf<F> : [input: In<I>],
      [I] extends [never] ? ReturnOf<F> : Awaited<R>,
      Q,
      N,
      I
    >,
  ): [I] extends [never] ? Actor<F, S, P, Q, N> : Actor<(input: In<I>) => Promise<Awaited<R>>, S, P, Q, N>
  /**
   * A typed handle of an actor whose code is not here. `F` is a function type, or `typeof` an actor imported as a type: then the name
   * and the queue must match. "Expected 2 arguments": the actor has a queue of its own, so say it: `{ queue: 'images' }`.
   */
  declare<F extends AnyFn = Untyped>(name: NameOf<F>, ...where: Where<F>): Declared<F, S, P>
  /** Stores plain messages in one batch. @throws {GreenroomError} `MESSAGE_INVALID`, `SEND_PARTIAL` with a verdict for each */
  send(messages: Iterable<Message>): Promise<Handle[]>
  /** The handle of any message by its id. No I/O until it is asked something. */
  sent(id: string): Sent<unknown, P>
  /** The names of the middleware, outermost first. */
  readonly chain: readonly string[]
  /** Starts a worker in this process. It installs no signal handler. @throws {GreenroomError} `WORKER_INVALID`, `OPTION_UNKNOWN`, `ACTOR_DUPLICATE`, `BROKER_DOWN` */
  work(options?: WorkOptions): Promise<Worker>
  /** Stops its workers, waits for sends under way, lets go of the broker. Afterwards every call is `APP_CLOSED`. Twice is once. */
  close(): Promise<void>
}

/** What the front door gives: brokers by URL, the default chain, hints for error messages. */
export interface Platform {
  connect(url: string, services: BrokerServices): Promise<Broker>
  readonly standard: () => readonly AnyMiddleware[]
  readonly hints: Hints
}

export function createApp<const M extends readonly Entry[]>(
  config: Config<M>,
  { connect, standard, hints }: Platform,
): App<SpecsOf<M>, FeaturesOf<M>> {
  const { namespace, log, sendTimeoutMs, maxPending, maxBytes, encoding } = appSettings(config)
  const chain = orderChain((config.middleware as readonly AnyMiddleware[] | undefined) ?? standard())
  const table = optionTable(chain, RESERVED_OPTIONS),
    defaults = defaultsOf(table)
  const encoder = createEncoder({ encoding, maxBytes })
  const definitions = new Map<string, Definition>(),
    duplicates = new Map<string, Set<string>>()
  const workers = new Set<Worker>()
  const running: Internals['running'] = new Set()

  const realWorld: World = {
    clock: systemClock,
    random: systemRandom,
    newId: systemId,
    async connect() {
      if (shared.thread) return shared.thread.connect(app)
      const found = locateBroker(config.broker, process.env, process.cwd())
      if (isBroker(found)) return { broker: found, ...storeOf(found), release: async () => {} } // who made it disposes it
      const { broker, release } = await connection(`${namespace} ${found}`, () =>
        connect(found, { namespace, clock: systemClock, random: systemRandom, newId: systemId, log }),
      )
      return { broker, ...storeOf(broker), release }
    },
  }
  const place = placeText(callerPlace())
  const storeOf = (broker: Broker) => {
    const store = config.store ?? broker.store
    return store ? { store } : {}
  }
  let world = realWorld,
    reports = !chain.some(({ name }) => name === 'logging')

  const sending = (message: Message): Sending =>
    toSending(table, name => definitions.get(name), defaults, message, world.clock.now())
  const life = createLifecycle({
    // In a thread the parent has the chain, and tells by itself when it is too late.
    make: () =>
      openLive({
        world,
        encoder,
        log,
        maxPending,
        toSending: sending,
        ...(shared.thread ? { chain: [], sendTimeoutMs: 2 * sendTimeoutMs } : { chain, sendTimeoutMs }),
      }),
    endUsers: () => Promise.all([...workers].map(worker => worker.close())),
    clock: () => world.clock,
    sendTimeoutMs,
    maxPending,
  })
  const { live, open } = life
  const handle = handleMaker(chain, open)
  const services: Services = {
    get clock() {
      return world.clock
    },
    random: () => world.random(),
    newId: () => world.newId(),
    log,
    get store() {
      const open = live()
      if (open) return open.services.store
      throw new GreenroomError('STORE_MISSING', 'The store was read in a direct call before the app was open', {
        help: 'Send a message or start a worker first, or run it with greenroom/testing',
      })
    },
    push: async batch => (await open()).services.push(batch),
  }
  const host: SenderHost = {
    table,
    hints,
    now: () => world.clock.now(),
    newId: () => world.newId(),
    encode: message => encoder.encode(message),
    live,
    handle,
    openToSend: life.openToSend,
    services,
  }

  function add(definition: Definition): Definition {
    const before = definitions.get(definition.name)
    if (before?.place && definition.place && isElsewhere(before.place, definition.place)) {
      const places = duplicates.get(definition.name) ?? [placeText(before.place)]
      duplicates.set(definition.name, new Set([...places, placeText(definition.place)]))
    }
    definitions.set(definition.name, definition)
    return definition
  }

  async function checked(messages: Iterable<Message>): Promise<readonly Made[]> {
    const batch = itemsOf(messages, 'app.send()', 'Write app.send([message])').map(message => {
      const made = sending(message)
      return { ...made, body: encoder.encode(made.message) }
    })
    await Promise.all(batch.map(({ message }) => checkInput(message)))
    return batch
  }

  /** Where the schema is here: who only declares an actor leaves it to the worker. */
  async function checkInput({ actor, args }: Message): Promise<void> {
    const input = definitions.get(actor)?.input
    if (input) await validate(input, args[0], actor)
  }

  const internals: Internals = {
    definitions,
    duplicates,
    chain,
    table,
    defaults,
    encoder,
    log,
    namespace,
    workers,
    running,
    place,
    get isolates() {
      return world === realWorld
    },
    get reports() {
      return reports && world === realWorld
    },
    set reports(are) {
      reports = are
    },
    open,
    checkOpen: life.checkOpen,
    toSending: sending,
    brokerUrl: () => locateBroker(config.broker, process.env, process.cwd()),
    async enter(other) {
      if (other) life.checkNotClosed()
      await life.shut().finally(() => {
        world = realWorld // also when something fails to close
      })
      world = other ?? realWorld
    },
  }
  const app = {
    [INTERNALS]: internals,
    actor: (handler: unknown, options: Record<string, unknown> = {}) =>
      createActor(host, add(define(table, defaults, hints, handler, options, log)), definitions),
    declare(name: string, { queue = DEFAULT_QUEUE }: { queue?: string } = {}) {
      const declared: Definition = {
        name: checkName(name, 'actor'),
        queue: checkName(queue, 'queue'),
        priority: 'normal',
        options: defaults,
      }
      if (!definitions.has(name)) add(declared)
      const implement = (handler: unknown, options: Record<string, unknown> = {}) =>
        createActor(
          host,
          add({ ...define(table, defaults, hints, handler, { ...options, name }, log), queue: declared.queue }),
          definitions,
        )
      const sender = createSender(
        host,
        () => {
          const known = definitions.get(name)
          return known?.queue === declared.queue ? known : declared
        },
        undefined,
      )
      return Object.assign(sendable(notCallable(name), name, sender), { implement })
    },
    async send(messages: Iterable<Message>) {
      return store(host, await checked(messages).catch(rejectNotStored), undefined)
    },
    sent: (id: string) => handle(checkId(id), undefined),
    chain: chain.map(({ name }) => name),
    work: (options: WorkOptions = {}) => shared.thread?.working() ?? work(internals, options),
    close: life.close,
    [Symbol.asyncDispose]: () => app.close(),
  }
  rememberApp(app)
  return app as unknown as App<SpecsOf<M>, FeaturesOf<M>>
}
