/**
 * `greenroom/testing`: an app on memory and a clock that stands still, whatever its broker. No server, no waiting, no runner
 * needed; when it is disposed the app is back on its own broker.
 * @module greenroom/testing
 */
import { memoryBroker } from './brokers/memory/index.ts'
import type { Sender } from './lib/actor-types.ts'
import type { App } from './lib/app.ts'
import type { Broker, Envelope } from './lib/broker.ts'
import { afterRealTime, systemClock } from './lib/clock.ts'
import { type Target, targetOf } from './lib/definition.ts'
import { type Duration, durationMs, shown } from './lib/duration.ts'
import { GreenroomError, listed } from './lib/errors.ts'
import { type Failure, decodeFailure } from './lib/failure.ts'
import { systemId, systemRandom } from './lib/ids.ts'
import { type Internals, internalsOf } from './lib/internals.ts'
import type { Logger } from './lib/log.ts'
import type { Message } from './lib/message.ts'
import { knownOptions } from './lib/options.ts'
import { type MovingClock, movingClock } from './lib/moving-clock.ts'
import { recorder } from './lib/recorder.ts'
import { runAlone } from './lib/run-alone.ts'
import { work } from './lib/work.ts'

export { type MovingClock, movingClock } from './lib/moving-clock.ts'

/** How a test runs its messages, and what it puts in the place of chance and time. Each has a default. */
export interface TestOptions {
  /**
   * When messages run. `joined`: at `join()` and `advance()`. `inline`: before `send()` resolves. `never`: not at all.
   * @default 'joined'
   */
  readonly run?: 'joined' | 'inline' | 'never'
  /** Injects failures: given the memory broker, returns one that misbehaves as the test wants. */
  readonly decorate?: (broker: Broker) => Broker
  /** Jitter and the like. @default Math.random */
  readonly random?: () => number
  /** What the clock says at first: a date, or ms since 1970. @default the time at which the test begins */
  readonly now?: Date | number
}

/** What `join()` runs, and for how long at most. */
export interface JoinOptions {
  /** Only these queues. @default all that messages were sent to */
  readonly queues?: readonly string[]
  /** How long it may take in real time, so that an actor which sends itself for ever fails the test. @default '5s' */
  readonly timeout?: Duration
}

/** How long `advance()` may take at most: `timeout`, in real time. */
export type AdvanceOptions = Pick<JoinOptions, 'timeout'>

/** A message that was given up during the test. */
export interface DeadMessage {
  /** As it was sent. What could not be decoded has its id and its queue, and an empty actor. */
  readonly message: Message
  /** Why, e.g. `retries exhausted after 3 retries: no answer`. */
  readonly reason: string
  /** Its last error; none where nothing was thrown. */
  readonly error?: Failure
}

/** An app under test, from `testing()` until it is disposed. A method that is called or still waits after that is a `LEAK`. */
export interface TestApp extends AsyncDisposable {
  /** What was sent since the test began, oldest first: to everyone, or to one actor, typed by it. */
  sent(): readonly Message[]
  /** What was sent to one actor since the test began, oldest first, typed by the actor. */
  sent<A extends readonly unknown[], R>(actor: Sender<A, R, any, any>): readonly Message<A, R>[]
  /** Runs everything, and moves the clock over delays and back-offs. @throws {GreenroomError} `TEST_UNBOUNDED` when there is no end to it */
  join(options?: JoinOptions): Promise<void>
  /** Moves the clock, and runs what becomes due on the way. @throws {GreenroomError} `TEST_UNBOUNDED` as join() */
  advance(by: Duration, options?: AdvanceOptions): Promise<void>
  /**
   * Runs the handler alone: no queue, no middleware; with `current()` as given.
   * @throws {GreenroomError} `ACTOR_NOT_IMPLEMENTED`, `ACTOR_INVALID`, `MESSAGE_INVALID`, `SCHEMA_MISMATCH`, and whatever the handler throws
   */
  run<A extends readonly unknown[], R>(
    actor: Sender<A, R, any, any>,
    args: A,
    options?: { readonly attempt?: number; readonly signal?: AbortSignal },
  ): Promise<R>
  /** What was given up since the test began, oldest first. */
  readonly dead: readonly DeadMessage[]
  /** The clock that the app runs on. */
  readonly clock: MovingClock
}

const TEST_OPTIONS = ['run', 'decorate', 'random', 'now']
const DEFAULT_TIMEOUT_MS = 5_000
/** Taken when the module loads: fake timers of test runners replace the global. */
const turnEnds = setImmediate
const underTest = new WeakSet<Internals>()
/** An orderly end needs no time, only turns. So many are given before the clock is moved, which would fire timers that were left. */
const QUIET_TURNS = 20

/** Any app, also one of the CommonJS copy of the types. */
export type AnyApp = Pick<App<any, any>, 'chain' | 'close'>

/**
 * Puts an app on a memory broker and a moving clock until it is disposed.
 * @throws {GreenroomError} `TEST_UNBOUNDED` when it is under test already, `OPTION_UNKNOWN`, `OPTION_INVALID`
 * @example
 * await using t = await testing(app)
 * await mail.send('ada@example.com')
 * await t.join()
 * assert.deepEqual(t.dead, [])
 */
export async function testing(app: AnyApp, options: TestOptions = {}): Promise<TestApp> {
  const {
    run = 'joined',
    decorate = (broker: Broker) => broker,
    random = systemRandom,
    now = systemClock.now(),
  } = knownOptions(options, TEST_OPTIONS, 'testing()')
  const internals = internalsOf(app),
    start: unknown = now?.valueOf(),
    clock = movingClock(start as number)
  if (!['joined', 'inline', 'never'].includes(run))
    throw new GreenroomError('OPTION_INVALID', `run cannot be ${shown(run)}`, { help: "It is 'joined', 'inline' or 'never'" })
  for (const [name, value] of Object.entries({ decorate, random }))
    if (typeof value !== 'function')
      throw new GreenroomError('OPTION_INVALID', `${name} cannot be ${shown(value)}`, { help: 'It is a function' })
  if (!Number.isFinite(start))
    throw new GreenroomError('OPTION_INVALID', `now cannot be ${shown(now)}`, {
      help: 'It is a Date, or milliseconds since 1970',
    })
  if (underTest.has(internals))
    throw new GreenroomError('TEST_UNBOUNDED', 'This app is under test already', {
      help: 'Dispose the other one first: `await using t = await testing(app)` inside the test',
    })
  const memory = memoryBroker({
    clock: { ...clock, steady: true },
    random,
    newId: systemId,
    log: internals.log,
    namespace: internals.namespace,
  })
  const { broker, stored, died } = recorder(decorate(memory), () => (run === 'inline' && !draining ? drain() : undefined))
  let draining: Promise<void> | undefined,
    over = false

  underTest.add(internals) // before the first wait: two may begin at once
  try {
    await internals.enter({
      clock,
      random,
      newId: systemId,
      connect: async () => ({ broker, store: memory.store, release: async () => {} }),
    })
  } catch (error) {
    underTest.delete(internals)
    throw error
  }

  /** What a test does while it lasts; afterwards it would do it to the real broker. */
  async function during<T>(what: string, body: () => Promise<T>): Promise<T> {
    try {
      const value = over ? undefined : await body()
      if (!over) return value as T
    } catch (error) {
      if (!over) throw error
    }
    throw new GreenroomError('LEAK', `${what} went on after the end of the test`, { help: `Await t.${what} inside the test` })
  }

  const queues = () => [...new Set(stored.map(({ queue }) => queue))]
  const waiting = async (names: readonly string[], place: 'ready' | 'delayed') => {
    const counts = await Promise.all(names.map(name => memory.inspector.counts(name)))
    return counts.reduce((sum, count) => sum + count[place], 0)
  }

  /** Runs what is ready, with a worker that ends when nothing is; and with another when a queue was first used meanwhile. */
  function drain(only?: readonly string[]): Promise<void> {
    return (draining ??= during('join()', async () => {
      for (let names = only ?? queues(), served = 0; names.length > served && !over; names = only ?? queues()) {
        served = names.length
        await (
          await work({ ...internals, log: quiet(internals.log) }, { queues: names, until: 'idle' })
        ).stopped
      }
    }).finally(() => {
      draining = undefined
    }))
  }

  /** Runs what is ready, and again after each `move` of the clock, until that says that there is nothing to move it to. */
  async function runOn(
    what: string,
    move: () => boolean | Promise<boolean>,
    { queues: only, timeout = DEFAULT_TIMEOUT_MS }: JoinOptions,
  ): Promise<void> {
    let late = false,
      wake = () => {}
    const lateness = new Promise<void>(resolve => {
      wake = resolve
    })
    const bound = afterRealTime(durationMs(timeout, 'timeout'), () => {
      late = true
      wake()
    })
    try {
      for (;;) {
        await new Promise(turnEnds) // the rest may be promises alone, and the bound is a timer
        if (over) return
        if (late) throw unbounded(what, only ?? queues(), internals)
        const isWork = draining || (run !== 'never' && (await waiting(only ?? queues(), 'ready')) > 0)
        if (isWork) await Promise.race([drain(only), lateness])
        else if (!(await move())) return
      }
    } finally {
      bound.cancel()
    }
  }

  async function join(options: JoinOptions = {}): Promise<void> {
    knownOptions(options, ['queues', 'timeout'], 'join()')
    if (run === 'never')
      throw new GreenroomError('OPTION_INVALID', "join() runs messages, and this test was made with run: 'never'", {
        help: 'Leave `run` out, or only look at t.sent()',
      })
    const toTheNext = async () => {
      if ((await waiting(options.queues ?? queues(), 'delayed')) === 0) return false
      clock.advance(clock.next() ?? 0)
      return true
    }
    await runOn('join()', toTheNext, options)
  }

  async function advance(by: Duration, options: AdvanceOptions = {}): Promise<void> {
    const { timeout = DEFAULT_TIMEOUT_MS } = knownOptions(options, ['timeout'], 'advance()')
    const end = clock.monotonic() + durationMs(by, 'The time of advance()')
    let arrived = false
    const toTheNext = () => {
      if (arrived) return false
      const next = clock.next(),
        left = Math.max(0, end - clock.monotonic()) // a handler may have moved it further
      arrived = next === undefined || next > left
      clock.advance(arrived ? left : next!)
      return true
    }
    await runOn('advance()', toTheNext, { timeout })
  }

  /** Back to the real world. The clock is moved over the grace of handlers that do not end, as nobody else would. */
  async function leave(): Promise<void> {
    let left = false
    const leaving = internals.enter(undefined).finally(() => {
      left = true
    })
    leaving.catch(() => {}) // it is thrown below; until then nobody waits for it
    for (let turn = 0; !left; turn++) {
      await new Promise(turnEnds)
      if (!left && turn >= QUIET_TURNS) clock.advance(clock.next() ?? 0)
    }
    await leaving
  }

  const decoded = (envelope: Envelope): Message => {
    try {
      return internals.encoder.decode(envelope.body)
    } catch {
      return { id: envelope.id, queue: envelope.queue, actor: '', args: [], options: {}, timestamp: 0 }
    }
  }
  const sent = (actor?: unknown): readonly Message<any, any>[] => {
    const all = stored.map(decoded),
      target = actor === undefined ? undefined : actorOf(actor, 'sent()')
    return target ? all.filter(message => message.actor === target.actor) : all
  }
  return {
    sent,
    join: options => during('join()', () => join(options)),
    advance: (by, options) => during('advance()', () => advance(by, options)),
    clock,
    run: (actor, args, options = {}) => {
      const alone = async () => {
        const { actor: name } = actorOf(actor, 'run()')
        return runAlone(internals, name, checkArgs(args), knownOptions(options, ['attempt', 'signal'], 'run()'))
      }
      return during('run()', alone) as Promise<never>
    },
    get dead() {
      return died.map(({ envelope, reason, error }) => {
        const failure = decodeFailure(error)
        return { message: decoded(envelope), reason, ...(failure && { error: failure }) }
      })
    },
    async [Symbol.asyncDispose]() {
      const unfinished = [...internals.workers].reduce((sum, { running }) => sum + running, 0)
      over = true
      try {
        await leave()
      } finally {
        underTest.delete(internals)
        await memory[Symbol.asyncDispose]()
      }
      if (unfinished > 0)
        throw new GreenroomError(
          'LEAK',
          `${count(unfinished, 'handler was', 'handlers were')} still running at the end of the test`,
          {
            help: 'Await t.join(), or let the handler watch current().signal',
          },
        )
      if (clock.pending > 0)
        throw new GreenroomError('LEAK', `${count(clock.pending, 'timer is', 'timers are')} still set on the test's clock`, {
          help: 'A handler or a middleware goes on after the test: await it, or watch current().signal',
        })
    },
  }
}

/** A drain starts a worker for each step: what it says once is said often. Errors are kept. */
const quiet = (log: Logger): Logger => ({ debug() {}, info() {}, warn() {}, error: (facts, text) => log.error(facts, text) })

const count = (n: number, one: string, several: string) => `${n} ${n === 1 ? one : several}`

/** @throws {GreenroomError} `ACTOR_INVALID` for a name, or a function that is no actor */
function actorOf(actor: unknown, of: string): Target {
  const target = targetOf(actor)
  if (target) return target
  throw new GreenroomError('ACTOR_INVALID', `${of} takes an actor, not ${shown(actor)}`, {
    help: 'Pass the actor itself, as app.actor() or app.declare() returned it, and not its name',
  })
}

/** @throws {GreenroomError} `MESSAGE_INVALID` */
function checkArgs(args: readonly unknown[]): readonly unknown[] {
  if (Array.isArray(args)) return args
  throw new GreenroomError('MESSAGE_INVALID', `run() takes the arguments as one array, not ${shown(args)}`, {
    help: 'Write t.run(actor, [a, b], { attempt: 1 })',
  })
}

function unbounded(what: string, names: readonly string[], { definitions }: Internals): GreenroomError {
  const missing = [...definitions.values()]
    .filter(({ handler, queue }) => !handler && names.includes(queue))
    .map(({ name }) => name)
  return new GreenroomError('TEST_UNBOUNDED', `${what} found no end: there is still work in ${listed(names)}`, {
    help:
      missing.length > 0
        ? `No code is here for ${listed(missing)}: import it, or use run: 'never'`
        : 'Does an actor send itself for ever, or wait for something that the test must do? Give a timeout or limit the queues',
  })
}
