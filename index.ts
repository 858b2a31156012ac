/**
 * The front door: what users import, which broker a URL means, and the chain an app has when it names none.
 * @module greenroom
 */
import { type App, createApp, type Platform } from './lib/app.ts'
import type { Broker, BrokerServices } from './lib/broker.ts'
import type { Config } from './lib/config.ts'
import { unknownBroker } from './lib/locate.ts'
import type { Entry, FeaturesOf, SpecsOf } from './lib/middleware.ts'
import { redactUrl } from './lib/redact.ts'
import { shared } from './lib/registry.ts'
import { noBroker } from './lib/thread/failures.ts'
import { standard, type Standard } from './middleware/index.ts'
import { logging } from './middleware/logging.ts'

export type {
  Actor,
  ActorOptions,
  AnyFn,
  Args,
  ArgsIn,
  Accepts,
  BaseActor,
  BaseSend,
  Declared,
  ForActor,
  Handle,
  Result,
  Sender,
  SendOptions,
  Sent,
  Shape,
  State,
  Untyped,
} from './lib/actor-types.ts'
export type { App } from './lib/app.ts'
export { type CliConfig, defineConfig, type WorkerConfig } from './lib/cli-config.ts'
export type { Config } from './lib/config.ts'
export { SUSPECT_FROM } from './lib/broker.ts'
export type * from './lib/broker.ts'
export { type Clock, systemClock, type Timer, type TimerOptions } from './lib/clock.ts'
export { current, type Current } from './lib/current.ts'
export type { Target } from './lib/definition.ts'
export type { Duration } from './lib/duration.ts'
export type { Encoding } from './lib/encoding.ts'
export { type Code, type ErrorDetails, GreenroomError } from './lib/errors.ts'
export type { EventKind, Events } from './lib/events.ts'
export type * from './lib/features.ts'
export { type Failure, giveUp, retryAfter } from './lib/failure.ts'
export type { BrokerConfig } from './lib/locate.ts'
export type { Logger } from './lib/log.ts'
export type { Band, Due, Message, Priority } from './lib/message.ts'
export {
  type AbortReason,
  type AnyMiddleware,
  type Asked,
  type Context,
  defineMiddleware,
  type FeaturesOf,
  type Middleware,
  type Next,
  type Provided,
  type Sending,
  type Services,
  type SpecsOf,
} from './lib/middleware.ts'
export {
  count,
  custom,
  duration,
  flag,
  knownOptions,
  type Option,
  type OptionSpecs,
  perMessage,
  type Resolved,
  text,
} from './lib/options.ts'
export type { Attempt, Outcome } from './lib/outcome.ts'
export { refusal } from './lib/refusal.ts'
export type * from './lib/store.ts'
export type { WorkOptions } from './lib/work-options.ts'
export type { Health } from './lib/health.ts'
export type { Worker } from './lib/worker.ts'
export { ageLimit, type AgeLimitSpecs } from './middleware/age-limit.ts'
export { callbacks, type CallbackSpecs, type OnFailure, type OnSuccess } from './middleware/callbacks.ts'
export { standard, type Standard, type StandardDefaults, type StandardSpecs } from './middleware/index.ts'
export { logging, type LoggingOptions } from './middleware/logging.ts'
export {
  type ErrorClass,
  type OnExhausted,
  retries,
  type RetriesDefaults,
  type RetriesSpecs,
  type RetryWhen,
} from './middleware/retries.ts'
export { shutdown, type ShutdownSpecs } from './middleware/shutdown.ts'
export { timeLimit, type TimeLimitSpecs } from './middleware/time-limit.ts'

/** Brokers by the beginning of their URL. Each is imported when it is first used, with its driver. */
const BROKERS: Readonly<Record<string, (url: string, services: BrokerServices) => Promise<Broker>>> = {
  'memory:': async (_url, services) => (await import('./brokers/memory/index.ts')).memoryBroker(services),
  'file:': async (url, services) => (await import('./brokers/embedded/url.ts')).embeddedBrokerOf(url, services),
  'redis:': redis,
  'rediss:': redis,
  'unix:': redis,
  'redis+sentinel:': redis,
  'rediss+sentinel:': redis,
  'redis+cluster:': redis,
  'rediss+cluster:': redis,
}
async function redis(url: string, services: BrokerServices): Promise<Broker> {
  return (await import('./brokers/redis/broker-url.ts')).redisBrokerOf(url, services)
}

/** A broker by its URL. @throws {GreenroomError} `BROKER_UNKNOWN` */
async function connect(url: string, services: BrokerServices): Promise<Broker> {
  if (shared.thread) throw noBroker(redactUrl(url))
  const scheme = Object.keys(BROKERS).find(scheme => url.startsWith(scheme))
  if (scheme === undefined) throw unknownBroker(url, Object.keys(BROKERS))
  return BROKERS[scheme]!(url, services)
}

/** Which middleware declares each option that comes with the library: for error messages. */
const hints = Object.fromEntries(
  [...standard(), logging({ log: console })].flatMap(({ name, options = {} }) =>
    Object.keys(options).map(option => [option, `${name}()`]),
  ),
)

const platform: Platform = { connect, standard, hints }

/**
 * Makes an app: one broker, one middleware chain, a set of actors. No I/O, and nothing starts.
 * @throws {GreenroomError} `OPTION_UNKNOWN`, `NAME_INVALID`, `DURATION_INVALID`, `CHAIN_CYCLE`, `CHAIN_DUPLICATE`, `OPTION_CLASH`
 * @example
 * export const app = greenroom({ broker: { development: 'file:.greenroom', test: 'memory:', production: process.env.BROKER_URL } })
 */
export function greenroom<const M extends readonly Entry[] = Standard>(config: Config<M> = {}): App<SpecsOf<M>, FeaturesOf<M>> {
  return createApp(config, platform)
}

/** The app that `actor()` defines on: `standard()`, the broker of `GREENROOM_BROKER`. Made at the first use, one a process. */
export const getDefaultApp = (): App<SpecsOf<Standard>> => (shared.defaultApp ??= greenroom()) as App<SpecsOf<Standard>>

/**
 * Makes a function sendable on the default app: the quick start needs no configuration.
 * @example export const hello = actor(async (name: string) => console.log(`hello, ${name}`), { name: 'hello' })
 */
export const actor: App<SpecsOf<Standard>>['actor'] = (handler, options) => getDefaultApp().actor(handler, options)
