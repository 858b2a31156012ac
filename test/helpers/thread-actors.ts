/**
 * Isolated actors, in a module of their own as a user has them: the tests import it, and the threads import it again. What is recorded
 * here is the test's own; the copy in a thread records nothing, as events are told by the parent.
 */
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isMainThread, threadId } from 'node:worker_threads'
import { object, string } from 'zod'
import { embeddedBroker } from '../../brokers/embedded/index.ts'
import {
  current,
  defineMiddleware,
  giveUp,
  GreenroomError,
  greenroom,
  type Middleware,
  retryAfter,
  standard,
  systemClock,
} from '../../index.ts'
import { keepLines, recorder } from './recorder.ts'

export const { watch, all, until } = recorder()
const watching: Middleware = watch
export const { log, lines } = keepLines()

/** Where the hooks of the chain were called. */
export const places: string[] = []
const where = defineMiddleware({
  name: 'where',
  send(batch) {
    places.push(`send ${isMainThread}`)
    return batch.filter(({ message }) => message.args[0] !== 'skip me')
  },
  before({ message }) {
    places.push(`${message.actor} ${isMainThread}`)
    return undefined
  },
})

export const app = greenroom({
  broker: 'memory:',
  namespace: 'threads',
  log,
  middleware: [...standard({ maxRetries: 0 }), where, watching],
})

export class NotFound extends Error {
  override readonly name = 'NotFound'
  readonly where: string
  constructor(where: string) {
    super(`nothing at ${where}`)
    this.where = where
  }
}

const isolate = 'thread' as const
export const add = app.actor((one: number, other: number) => ({ sum: one + other, thread: threadId }), { name: 'add', isolate })
export const spin = app.actor(
  () => {
    for (;;);
  },
  { name: 'spin', isolate, timeLimit: 50 },
)
export const busy = app.actor(
  (ms: number) => {
    for (const end = systemClock.now() + ms; systemClock.now() < end;);
  },
  { name: 'busy', isolate },
)
export const twice = app.actor(
  () => {
    for (;;);
  },
  { name: 'twice', isolate, timeLimit: 50, maxRetries: 1, minBackoff: 0, maxBackoff: 0 },
)
/** Holds its thread until its signal is aborted. */
export const hold = app.actor(
  async () => {
    const { signal, log } = current()
    log.info('holding')
    if (!signal.aborted) await once(signal, 'abort')
    log.info({ reason: (signal.reason as GreenroomError).code }, 'told')
    throw signal.reason
  },
  { name: 'hold', isolate },
)
export const deaf = app.actor(
  () => {
    current().log.info('spinning')
    for (;;);
  },
  { name: 'deaf', isolate },
)
export const knows = app.actor(
  async () => {
    const { id, attempt, deliveries, message, log, signal } = current()
    log.warn({ err: new TypeError('a fact'), odd: () => {}, n: 1n }, 'said in a thread')
    return { id, attempt, deliveries, args: message.args.length, aborted: signal.aborted, main: isMainThread }
  },
  { name: 'knows', isolate },
)
export const note = app.actor(async (_text: string) => {}, { name: 'note', queue: 'notes' })
export const sends = app.actor(
  async () => {
    const one = await note.send('sent')
    const many = await note.with({ delay: '1h', priority: 'high' }).sendMany([['a'], ['b']])
    const batch = await app.send([note.message('batch')])
    const skipped = await note.send('skip me')
    const again = await note.with({ id: one.id }).send('again')
    const refused = await note.send(new Date() as never).catch((error: GreenroomError) => error.code)
    return {
      states: await Promise.all([one, ...many, ...batch].map(handle => handle.state())),
      skipped: { ...skipped },
      again: again.stored,
      found: await note.sent(one.id).state(),
      refused,
    }
  },
  { name: 'sends', isolate },
)
export const follows = app.actor(
  async (fails: boolean) => {
    current().after(note.message('after'))
    if (fails) throw new Error('not this time')
  },
  { name: 'follows', isolate },
)
export const bad = app.actor(
  async (how: string): Promise<unknown> => {
    switch (how) {
      case 'cause':
        throw Object.assign(new TypeError('outer', { cause: new NotFound('/a') }), { code: 'E_X', left: 3, fn() {} })
      case 'retryAfter':
        throw retryAfter('1h')
      case 'giveUp':
        throw giveUp('no such user')
      case 'ours':
        throw new GreenroomError('NOT_DATA', 'Ours', { help: 'Fix it', details: { path: 'x' } })
      case 'aggregate':
        throw new AggregateError([new RangeError('one'), 'two'], 'several')
      case 'text':
        throw 'only a text'
      case 'date':
        return { at: [new Date()] }
      case 'class':
        return new NotFound('/result')
      case 'exit':
        return process.exit(3)
      case 'uncaught':
        process.nextTick(() => {
          throw new RangeError('nobody caught me')
        })
        return new Promise(() => {})
      case 'rejection':
        void Promise.reject(new RangeError('nobody awaited me'))
        return new Promise(() => {})
      case 'memory': {
        const kept: unknown[] = []
        for (;;) kept.push(Array.from({ length: 1_000 }, () => ({})))
      }
      case 'broker':
        return await embeddedBroker({ path: join(tmpdir(), 'greenroom-not-in-a-thread') }).open(['default'])
      case 'work':
        return await Promise.race([app.work(), Promise.resolve('went on')])
      default:
        return how
    }
  },
  { name: 'bad', isolate },
)
export const final = app.actor(
  async () => {
    throw new NotFound('/final')
  },
  { name: 'final', isolate, maxRetries: 5, throws: [RangeError, NotFound] },
)
export const checked = app.actor(async ({ url }) => url.href, {
  name: 'checked',
  isolate,
  input: object({ url: string().transform(text => new URL(text)) }),
})
export const beside = app.actor(async () => isMainThread, { name: 'beside', queue: 'beside' })
