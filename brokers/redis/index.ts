/**
 * The broker `redis:`: lists, one script a transition, at most three connections a process. docs/redis.md tells what is where.
 * @module greenroom/redis
 */
import type { Broker, BrokerServices, Capabilities } from '../../lib/broker.ts'
import { sleep, systemClock } from '../../lib/clock.ts'
import { shown } from '../../lib/duration.ts'
import { GreenroomError } from '../../lib/errors.ts'
import { systemId, systemRandom } from '../../lib/ids.ts'
import { consoleLogger } from '../../lib/log.ts'
import { checkName } from '../../lib/names.ts'
import { knownOptions } from '../../lib/options.ts'
import { openLink } from './connect.ts'
import { openConsumer, type Opened } from './consumer.ts'
import { diagnose } from './diagnose.ts'
import { report } from './durability.ts'
import { closed, failureOf, passes } from './errors.ts'
import { redisInspector } from './inspect.ts'
import { keysOf } from './keys.ts'
import { LinkError } from './link.ts'
import { brokerLinks, openedConsumers } from './opened.ts'
import { createPush } from './push.ts'
import { replicaWaiter } from './replicas.ts'
import { createRoster } from './roster.ts'
import { redisStore } from './store.ts'
import { programOf } from '../../lib/programs.ts'
import { createSweeper, dropWarner } from './sweeper.ts'
import { PARAMETERS, readUrl } from './url.ts'

/** What a Redis broker is made with. All but `url` may be left out. */
export interface RedisOptions extends Partial<BrokerServices> {
  /** `redis://`, `rediss://` or `unix:`; see docs/redis.md. */
  readonly url: string
  /** A server that has not answered for so long counts as away: its connection is ended and made again. @default 5 000 */
  readonly replyTimeoutMs?: number
  /** The oldest dead letters of a queue beyond so many are deleted. @default 10 000 */
  readonly maxDead?: number
  /** Dead letters older than this are deleted, ms. @default 30 days */
  readonly maxDeadMs?: number
  /** Whether a server whose settings lose what it acknowledged is refused when a worker starts (`BROKER_INVALID`), and not only told of. @default false */
  readonly strict?: boolean
  /** A send resolves when so many replicas have its message too: then a failover to one of them loses none. It takes a connection more. @default 0 */
  readonly waitReplicas?: number
}

const KNOWN = [
  'url',
  'replyTimeoutMs',
  'maxDead',
  'maxDeadMs',
  'waitReplicas',
  'strict',
  'namespace',
  'clock',
  'random',
  'newId',
  'log',
]
const DAY_MS = 86_400_000
/** Between two tries while the server is there and does not serve. */
const AGAIN_MS = 50

function keeperModule(): string {
  const program = programOf('brokers/redis/keeper')
  if (program) return program.href
  throw new GreenroomError(
    'ENGINE_MISSING',
    'This is a bundle, and the package that has the keeper of `redis:` is not installed',
    {
      help: 'Run npm install greenroom, of the version that was bundled, where the worker runs',
    },
  )
}

const invalid = (name: string, value: unknown, help: string) =>
  new GreenroomError('OPTION_INVALID', `${name} of redisBroker() cannot be ${shown(value)}`, { help })

/**
 * A broker on a Redis or Valkey server. No I/O before the first call.
 *
 * @throws {GreenroomError} `BROKER_INVALID` for a URL that is none, `OPTION_UNKNOWN`, `OPTION_INVALID`. Its calls reject with `BROKER_DOWN` when the
 * server cannot be reached, `BROKER_FULL` when it has no room, `BROKER_DENIED` when it refuses the user.
 * @example const app = greenroom({ broker: redisBroker({ url: 'redis://localhost:6379/0' }) })
 */
export function redisBroker(options: RedisOptions): Broker {
  const {
    url,
    namespace = 'greenroom',
    clock = systemClock,
    random = systemRandom,
    newId = systemId,
    log = consoleLogger,
    replyTimeoutMs = 5_000,
    maxDead = 10_000,
    maxDeadMs = 30 * DAY_MS,
    waitReplicas = 0,
    strict = false,
  } = knownOptions(options, KNOWN, 'redisBroker()')
  for (const [name, value] of Object.entries({ replyTimeoutMs, maxDead, maxDeadMs }))
    if (!(typeof value === 'number' && value > 0)) throw invalid(name, value, 'It is a number above 0')
  if (typeof strict !== 'boolean') throw invalid('strict', strict, 'It is true or false')
  if (!(Number.isInteger(waitReplicas) && waitReplicas >= 0))
    throw invalid('waitReplicas', waitReplicas, 'It is a whole number from 0')
  checkName(namespace, 'namespace')
  const { where } = readUrl(url, PARAMETERS),
    link = openLink({ url: where, replyTimeoutMs, log, clock: systemClock, random })
  const id = newId(),
    dead = { most: maxDead, forMs: maxDeadMs },
    /** WAIT blocks its connection. */
    pushLink = waitReplicas > 0 ? openLink({ url: where, replyTimeoutMs, log, clock: systemClock, random }) : link,
    replicated = waitReplicas > 0 ? replicaWaiter(pushLink, waitReplicas, replyTimeoutMs / 2) : undefined,
    push = createPush({ link: pushLink, namespace, id, clock: systemClock, replicated }),
    consumers = new Set<Opened>(),
    roster = createRoster(link, namespace),
    warnOfDropped = dropWarner(log, clock)
  const store = redisStore({ link, namespace, clock, random, replyTimeoutMs })
  const sweeper = createSweeper({ link, namespace, id, dead, clock })
  let consumersMade = 0,
    reported: Promise<void> | undefined,
    closing: Promise<void> | undefined

  const capabilities: Capabilities = {
    lease: 'timed',
    once: true,
    uniqueIds: false,
    atomicThen: link.oneSlot ? 'always' : 'same slot',
    delayMs: 100,
    peek: true,
    removal: true,
    durable: true,
  }

  async function open(queues: readonly string[], signal?: AbortSignal): Promise<void> {
    if (closing) throw closed('broker')
    signal?.throwIfAborted()
    for (const queue of queues) checkName(queue, 'queue')
    if (queues.length === 0) return
    for (;;) {
      try {
        await link.up(signal)
        return await roster.add(queues)
      } catch (error) {
        signal?.throwIfAborted()
        // A connection that broke just then is no reason for a worker not to start: it waits for the next one, as for the first.
        if (closing || !(error instanceof LinkError && passes(error.why))) throw failureOf(error, link.name)
        if (link.isUp) await sleep(systemClock, AGAIN_MS, signal ? { signal } : {})
      }
    }
  }

  const self: Broker = {
    name: link.name,
    capabilities,
    store,
    inspector: redisInspector({ link, namespace, random }),
    open,
    async push(batch, options = {}) {
      if (closing) throw closed('broker')
      roster.repeat()
      return push(batch, options)
    },
    async consume(asked) {
      if (asked.queues.length === 0)
        throw new GreenroomError('OPTION_INVALID', 'A consumer of no queues was asked for', { help: 'Give at least one' })
      await open(asked.queues)
      await (reported ??= report(link, { strict, log }).catch(error => {
        reported = undefined // the next consumer asks again
        throw error
      }))
      const opened = openConsumer(
        {
          link,
          namespace,
          id: `${id}.${++consumersMade}`,
          dead,
          clock,
          network: systemClock,
          random,
          log,
          keeper: { module: keeperModule(), data: { url, replyTimeoutMs } },
          dropped: warnOfDropped,
          listen: (queue, woken) => link.listen(keysOf(namespace, queue).wake, woken),
          push: link.oneSlot ? undefined : push,
          isBrokerClosed: () => closing !== undefined,
          ended() {
            consumers.delete(opened)
            sweeper.left(opened)
          },
        },
        asked,
      )
      openedConsumers.set(opened.consumer, opened)
      consumers.add(opened)
      sweeper.joined(opened, asked)
      return opened.consumer
    },
    async diagnose() {
      if (closing) throw closed('broker')
      return diagnose(link, namespace, systemClock)
    },
    [Symbol.asyncDispose]: () => (closing ??= close()),
  }
  brokerLinks.set(self, link)
  return self

  async function close(): Promise<void> {
    // First all takes end: what one consumer gives back must not be taken by the next that is to go.
    for (const { cancel } of consumers) cancel()
    await Promise.all([...consumers].map(({ consumer }) => consumer[Symbol.asyncDispose]()))
    sweeper.end()
    await store[Symbol.asyncDispose]()
    await Promise.all([link, pushLink].map(one => one[Symbol.asyncDispose]()))
  }
}
