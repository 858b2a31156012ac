/**
 * The embedded broker: a durable queue, and a store, in one folder of this machine, shared by any number of its processes, with nothing to
 * install. Everything is done by one thread a process and folder (engine.ts); this file is what the core sees of it. No I/O before the first call.
 * @module greenroom/embedded
 */
import { isAbsolute } from 'node:path'
import type { Broker, BrokerServices, Capabilities, Envelope, Pushed } from '../../lib/broker.ts'
import { systemClock } from '../../lib/clock.ts'
import { shown } from '../../lib/duration.ts'
import { GreenroomError } from '../../lib/errors.ts'
import { consoleLogger } from '../../lib/log.ts'
import { checkName } from '../../lib/names.ts'
import { knownOptions } from '../../lib/options.ts'
import type { Engine } from './client.ts'
import { engineOf } from './client.ts'
import type { Opened } from './consumer.ts'
import { openConsumer } from './consumer.ts'
import { DUPLICATE } from './exchange.ts'
import { brokerClosed } from './failures.ts'
import { embeddedInspector } from './inspector.ts'
import { MOST, MOST_BYTES } from './limits.ts'
import { recordBytes } from './record.ts'
import { refusal } from '../../lib/refusal.ts'
import { embeddedStore } from './store.ts'
import { packPush } from './wire.ts'

/** Which folder, and how it is kept. All but `path` have a default. */
export interface EmbeddedOptions extends Partial<BrokerServices> {
  /** The folder, absolute. Made when it is missing, for this user alone. Nothing else may live in it. */
  readonly path: string
  /**
   * `'flush'`: a send resolves when it is on disk. `'none'`: when the operating system has it; a killed process loses nothing, a power cut may cost the whole folder.
   * All processes of a folder use the same. @default 'flush'
   */
  readonly sync?: 'flush' | 'none' | undefined
  /** The most that messages and the store's entries may take, bytes; sends past it are `DISK_FULL`. @default Infinity */
  readonly maxBytes?: number | undefined
  /** After so long a wait for the folder's lock, which a stopped process may hold, a warning names that process. Milliseconds. @default 10 000 */
  readonly lockTimeoutMs?: number | undefined
  /** Dead letters kept a queue; the oldest go first. @default 10 000 */
  readonly maxDead?: number | undefined
  /** How long a dead letter is kept, ms. @default 30 days */
  readonly maxDeadMs?: number | undefined
}

const SERVICES = ['namespace', 'clock', 'random', 'newId', 'log']
const KNOWN = ['path', 'sync', 'maxBytes', 'lockTimeoutMs', 'maxDead', 'maxDeadMs', ...SERVICES]
const SECOND_MS = 1_000,
  DAY_MS = 86_400_000

const CAPABILITIES: Capabilities = {
  lease: 'timed',
  once: true,
  uniqueIds: true,
  atomicThen: 'always',
  delayMs: 50,
  peek: true,
  removal: true,
  durable: true,
}

/** For tests: the engine behind a broker. */
export const brokerEngines = new WeakMap<Broker, () => { readonly engine: Engine; readonly namespace: string }>()

const invalid = (name: string, value: unknown, help: string) =>
  new GreenroomError('OPTION_INVALID', `${name} of embeddedBroker() cannot be ${shown(value)}`, { help })

/**
 * A broker, with its store and inspector, on a folder of this machine.
 *
 * @throws {GreenroomError} `BROKER_INVALID` when the path is not absolute, `OPTION_UNKNOWN`, `OPTION_INVALID`. Its calls reject with `FOLDER_INVALID` when the folder cannot be
 * used, and with `DISK_FULL` when there is no room for more.
 * @example const app = greenroom({ broker: embeddedBroker({ path: join(import.meta.dirname, '.greenroom') }) })
 */
export function embeddedBroker(options: EmbeddedOptions): Broker {
  const {
    path,
    namespace = 'greenroom',
    clock = systemClock,
    log = consoleLogger,
    sync = 'flush',
    maxBytes = Infinity,
    lockTimeoutMs = 10 * SECOND_MS,
    maxDead = 10_000,
    maxDeadMs = 30 * DAY_MS,
  } = knownOptions(options, KNOWN, 'embeddedBroker()')
  if (typeof path !== 'string' || !isAbsolute(path)) {
    throw new GreenroomError('BROKER_INVALID', `The embedded broker's folder is not an absolute path: ${shown(path)}`, {
      help: 'Give an absolute one, for example with path.resolve()',
    })
  }
  if (sync !== 'flush' && sync !== 'none') throw invalid('sync', sync, "It is 'flush' or 'none'")
  for (const [name, value] of Object.entries({ maxBytes, lockTimeoutMs, maxDead, maxDeadMs }))
    if (!(typeof value === 'number' && value > 0)) throw invalid(name, value, 'It is a number above 0')
  checkName(namespace, 'namespace')
  let current: Engine | undefined, closed: Promise<void> | undefined
  const consumers = new Set<Opened>(),
    store = embeddedStore(connected, namespace)
  function engine(): Engine {
    if (closed) throw brokerClosed('broker')
    return connected()
  }
  function connected(): Engine {
    if (!current?.running) current = engineOf({ path, sync, maxBytes, lockTimeoutMs, maxDead, maxDeadMs, clock, log })
    return current
  }

  async function pushPart(part: readonly Envelope[], verdicts: Pushed[], indexes: readonly number[]): Promise<void> {
    const batch = packPush(part)
    try {
      const answers = await engine().ask(namespace, 'push', batch, [batch.bytes])
      for (const [at, index] of indexes.entries()) verdicts[index] = answers[at] === DUPLICATE ? 'duplicate' : 'stored'
    } catch (error) {
      // A full folder is a verdict on each message; a folder that cannot be used is not about messages.
      if (!(error instanceof GreenroomError) || error.code !== 'DISK_FULL') throw error
      for (const index of indexes) verdicts[index] = error
    }
  }

  const self: Broker = {
    name: `file:${path}`,
    capabilities: CAPABILITIES,
    inspector: embeddedInspector(engine, namespace),
    store,
    async open(queues, signal) {
      signal?.throwIfAborted()
      await engine().ask(namespace, 'open', { queues })
    },
    async push(batch, { signal } = {}) {
      signal?.throwIfAborted()
      const verdicts: Pushed[] = [],
        parts: Promise<void>[] = []
      let part: Envelope[] = [],
        indexes: number[] = [],
        bytes = 0
      const flush = () => {
        if (part.length > 0) parts.push(pushPart(part, verdicts, indexes))
        part = []
        indexes = []
        bytes = 0
      }
      for (const [index, envelope] of batch.entries()) {
        const refused = refusal(envelope)
        if (refused) {
          verdicts[index] = refused
          continue
        }
        const size = recordBytes(envelope.id, envelope.body)
        if (part.length === MOST || (bytes > 0 && bytes + size > MOST_BYTES)) flush()
        part.push(envelope)
        indexes.push(index)
        bytes += size
      }
      flush()
      await Promise.all(parts)
      return verdicts
    },
    async consume(options) {
      const opened = await openConsumer(engine(), namespace, options, {
        log,
        closed: () => consumers.delete(opened),
        isBrokerClosed: () => closed !== undefined,
      })
      consumers.add(opened)
      return opened.consumer
    },
    [Symbol.asyncDispose]: () => (closed ??= close()),
  }
  brokerEngines.set(self, () => ({ engine: engine(), namespace }))
  return self

  async function close(): Promise<void> {
    if (!current) return
    await store[Symbol.asyncDispose]()
    // First all takes end: what one consumer gives back must not be taken by the next that is to go.
    await Promise.all([...consumers].map(({ cancel }) => cancel()))
    await Promise.all([...consumers].map(({ consumer }) => consumer[Symbol.asyncDispose]())).finally(() => current?.release())
  }
}
