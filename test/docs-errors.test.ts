/** docs/errors.md: a section for each code and no other, sorted; and each example is what the library says, word for word. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { number, object, string } from 'zod'
import { engineMissing } from '../brokers/embedded/failures.ts'
import { type MemoryBroker, memoryBroker } from '../brokers/memory/index.ts'
import { type Broker, current, defineMiddleware, flag, greenroom, retries, type Services, standard } from '../index.ts'
import { makeCodec } from '../lib/msgpackr.ts'
import { endOf, noBroker, notLoaded } from '../lib/thread/failures.ts'
import { testing } from '../testing.ts'
import { blocksOf, textOf } from './docs-pages.ts'
import { open, openMoving } from './helpers/open.ts'
import { keepLines } from './helpers/recorder.ts'
import { pass, turns } from './helpers/turns.ts'
import { startDaemon } from './rig/daemon.ts'
import { redis } from './rig/redis.ts'
import { openResp } from './rig/resp.ts'
import { root } from './root.ts'

const page = textOf('docs/errors.md')
const codes = [...readFileSync(join(root, 'lib/errors.ts'), 'utf8').matchAll(/^ {2}\| '([A-Z_]+)'$/gm)].map(([, code]) => code!)
const sections = new Map(
  page
    .split(/^## /m)
    .slice(1)
    .map(section => [section.slice(0, section.indexOf('\n')), section]),
)
const folder = mkdtempSync(join(tmpdir(), 'greenroom-errors-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))

const anonymous = () => async () => {}
const memory = (change: (memory: MemoryBroker) => Partial<Broker>): Broker => {
  const broker = memoryBroker()
  return { ...broker, ...change(broker) }
}
const never = () => new Promise<never>(() => {})
/** Waits until its signal is aborted, and tells why. */
const untilAborted = () =>
  new Promise<never>((_, reject) => {
    const { signal } = current()
    signal.addEventListener('abort', () => reject(signal.reason as Error))
  })
type Tap = typeof t

/** How each example comes about. What is returned counts as what is thrown. */
const examples: Readonly<Record<string, (t: Tap) => unknown>> = {
  ACTOR_ANONYMOUS: t => open(t).app.actor(anonymous()),
  async ACTOR_DUPLICATE(t) {
    const { app } = open(t)
    for (const name of ['images.mjs', 'thumbnails.mjs']) {
      writeFileSync(join(folder, name), `export const define = app => app.actor(async () => {}, { name: 'resize' })\n`)
      const { define } = (await import(pathToFileURL(join(folder, name)).href)) as { define(of: typeof app): void }
      define(app)
    }
    return app.work()
  },
  ACTOR_INVALID: t => open(t).app.actor('resize' as never),
  async ACTOR_NOT_IMPLEMENTED(t) {
    const { app } = open(t)
    app.actor(async () => {}, { name: 'mail' })
    await using test = await testing(app)
    return await test.run(app.declare('resize'), [])
  },
  async ACTOR_UNKNOWN(t) {
    const { app, memory, clock, until } = await openMoving(t)
    await app.declare('resize').send()
    const worker = await app.work({ queues: ['default'] })
    while ((await memory.inspector.counts('default')).dead === 0) {
      await turns(5)
      clock.advance(30_000)
    }
    void worker.close()
    const settled = await until('settled', 1)
    return { message: errorOf((await memory.inspector.list('default', 'dead')).entries[0]!.error), settled }
  },
  async APP_CLOSED(t) {
    const { app } = open(t)
    await app.close()
    return app.actor(async () => {}, { name: 'resize' }).send()
  },
  BODY_TOO_LARGE: t =>
    open(t, { maxBytes: 1_000 })
      .app.actor(async (_text: string) => {}, { name: 'resize' })
      .send('x'.repeat(1_000)),
  async BODY_UNDECODABLE(t) {
    const { app, memory } = open(t)
    await memory.push([{ id: '1', queue: 'default', body: Buffer.from('hello'), attempt: 0, priority: 1 }])
    await (
      await app.work({ queues: ['default'], until: 'idle' })
    ).stopped
    return { message: errorOf((await memory.inspector.list('default', 'dead')).entries[0]!.error) }
  },
  BROKER_DENIED: () => sentTo('requirepass', 'secret'),
  BROKER_FULL: () => sentTo('maxmemory', '1'),
  async BROKER_DOWN(t) {
    const { app, clock } = await openMoving(t, { broker: memory(() => ({ push: never })) })
    const sent = app.actor(async () => {}, { name: 'resize' }).send()
    sent.catch(() => {})
    await turns(20)
    clock.advance(5_000)
    return sent
  },
  BROKER_INVALID: t =>
    open(t, { broker: undefined as never }) &&
    greenroom({ broker: `file:${folder}/queue?synk=none` })
      .actor(async () => {}, { name: 'resize' })
      .send(),
  BROKER_NOT_SET: () =>
    greenroom({ broker: { staging: 'memory:' } })
      .actor(async () => {}, { name: 'resize' })
      .send(),
  BROKER_UNKNOWN: () =>
    greenroom({ broker: 'mongodb://user:secret@db.example' })
      .actor(async () => {}, { name: 'resize' })
      .send(),
  BROKER_UNSUPPORTED: t =>
    open(t, { broker: memory(({ capabilities }) => ({ name: 'mine://', capabilities: { ...capabilities, peek: false } })) })
      .app.sent('42')
      .state(),
  async CANCELLED(t) {
    const { app } = open(t)
    const resize = app.actor(async () => current().signal.throwIfAborted(), { name: 'resize' })
    await using test = await testing(app)
    return await test.run(resize, [], { signal: AbortSignal.abort() })
  },
  CHAIN_CYCLE: () =>
    greenroom({
      middleware: [
        defineMiddleware({ name: 'quota', inside: ['audit'] }),
        defineMiddleware({ name: 'audit', inside: ['quota'] }),
      ],
    }),
  CHAIN_DUPLICATE: () => greenroom({ middleware: [...standard(), retries()] }),
  async DISK_FULL() {
    const app = greenroom({ broker: `file:${folder}/small?maxBytes=100` })
    const resize = app.actor(async (_text: string) => {}, { name: 'resize' })
    try {
      await resize.send('x'.repeat(100))
      return await resize.send('y')
    } finally {
      await app.close()
    }
  },
  DRIVER_MISSING: () =>
    makeCodec(() => {
      throw new Error("Cannot find module 'msgpackr'")
    }),
  DURATION_INVALID: t =>
    open(t)
      .app.actor(async () => {}, { name: 'resize' })
      .with({ delay: '5 minutes' as never }),
  ENGINE_MISSING: () => engineMissing(),
  async FOLDER_INVALID() {
    writeFileSync(join(folder, 'taken'), '')
    const app = greenroom({ broker: `file:${folder}/taken` })
    try {
      return await app.actor(async () => {}, { name: 'resize' }).send()
    } finally {
      await app.close()
    }
  },
  async HANDLERS_STUCK(t) {
    const { app, clock, all } = await openMoving(t)
    const resize = app.actor(never, { name: 'resize', timeLimit: '1s', maxRetries: 0 })
    await resize.sendMany([[], []])
    await app.work({ maxStuck: 2 })
    await pass(clock, 10_000)
    const trouble = all('trouble').at(-1)!
    return { message: (trouble.error as Error).message }
  },
  ID_INVALID: t =>
    open(t)
      .app.actor(async () => {}, { name: 'resize' })
      .with({ id: 'order 42' }),
  async LEAK(t) {
    const { app } = open(t)
    let ends!: () => void
    const resize = app.actor(() => new Promise<void>(resolve => (ends = resolve)), { name: 'resize' })
    const test = await testing(app)
    await resize.send()
    const joining = test.join().catch(() => {})
    while (!ends) await turns(1)
    try {
      return await test[Symbol.asyncDispose]()
    } finally {
      ends()
      await joining
    }
  },
  async LEASE_LOST(t) {
    let lose!: () => void
    const broker = memory(({ consume }) => ({
      async consume(options) {
        const consumer = await consume(options)
        return {
          ...consumer,
          [Symbol.asyncDispose]: () => consumer[Symbol.asyncDispose](),
          settle: batch => consumer.settle(batch),
          async take(max, how) {
            const deliveries = await consumer.take(max, how)
            if (deliveries.length > 0) lose = () => options.onLost(deliveries.map(({ token }) => token))
            return deliveries
          },
        }
      },
    }))
    const { app } = open(t, { broker })
    const reason = reasonIn(app, 'resize', {})
    const worker = await app.work()
    await reason.started
    lose()
    const error = await reason.is
    await worker.close({ grace: 0 })
    return error
  },
  MESSAGE_INVALID: t => open(t).app.send([{ id: '1', queue: 'images', args: [] } as never]),
  async MIDDLEWARE_FAILED(t) {
    const audit = defineMiddleware({
      name: 'audit',
      async process() {
        throw new Error('the audit server is away')
      },
    })
    const { app } = open(t, { middleware: [...standard({ maxRetries: 0 }), audit] })
    await using test = await testing(app)
    await app.actor(async () => {}, { name: 'resize' }).send()
    await test.join()
    return test.dead[0]!.error
  },
  MIDDLEWARE_INVALID: () => greenroom({ middleware: [standard() as never] }),
  NAME_INVALID: t => open(t).app.actor(async () => {}, { name: 'resize image' }),
  NOT_DATA: t =>
    open(t)
      .app.actor(async (_of: { at: Date }) => {}, { name: 'resize' })
      .send({ at: new Date() }),
  NO_CONTEXT: () => current(),
  OPTION_CLASH: () =>
    greenroom({ middleware: [...standard(), defineMiddleware({ name: 'mine', options: { maxRetries: flag(true) } })] }),
  OPTION_INVALID: t => open(t).app.actor(async () => {}, { name: 'resize', maxRetries: -1 }),
  OPTION_UNKNOWN: t => open(t).app.actor(async () => {}, { name: 'resize', maxRetry: 3 } as never),
  SCHEMA_INVALID: t => open(t).app.actor(async () => {}, { name: 'resize', input: 5 as never }),
  SCHEMA_MISMATCH: t =>
    open(t)
      .app.actor(async ({ url }) => url, { name: 'resize', input: object({ url: string(), width: number() }) })
      .send({ url: 'a.png' } as never),
  SEND_ABORTED: t =>
    open(t)
      .app.actor(async () => {}, { name: 'resize' })
      .with({ signal: AbortSignal.abort() })
      .send(),
  async SEND_PARTIAL(t) {
    const { app } = open(t, {
      broker: memory(({ push }) => ({ push: async batch => [(await push(batch.slice(1)))[0]!, new Error('refused') as never] })),
    })
    return app.actor(async (_n: number) => {}, { name: 'resize' }).sendMany([[1], [2]])
  },
  async SEND_PENDING(t) {
    const { app, clock } = await openMoving(t, { maxPending: 2, broker: memory(() => ({ push: never })) })
    const resize = app.actor(async () => {}, { name: 'resize' })
    for (const sent of [resize.send(), resize.send()]) sent.catch(() => {})
    await turns(20)
    clock.advance(1_001)
    const third = resize.send()
    third.catch(() => {})
    await turns(20)
    clock.advance(5_000)
    return third
  },
  async SEND_REFUSED(t) {
    let services!: Services
    const quota = defineMiddleware({
      name: 'quota',
      setup: given => {
        services = given
      },
      send: () => {
        throw new Error('over quota')
      },
    })
    const { app } = open(t, { middleware: [...standard(), quota] })
    const resize = app.actor(async () => {}, { name: 'resize' })
    await resize.send().catch(() => {})
    return (await services.push([resize.message()]))[0]
  },
  async SHUTDOWN(t) {
    const { app } = open(t)
    const reason = reasonIn(app, 'resize', {})
    const worker = await app.work()
    await reason.started
    await worker.close({ grace: 0 })
    return reason.is
  },
  async STORE_MISSING(t) {
    const { store: _, ...broker } = memory(() => ({ name: 'mine://' }))
    const { app } = open(t, { broker, middleware: [...standard(), defineMiddleware({ name: 'quota', needs: ['store'] })] })
    return app.actor(async () => {}, { name: 'resize' }).send()
  },
  async TEST_UNBOUNDED(t) {
    const { app } = open(t)
    const crawl = app.actor(async () => void (await crawl.send()), { name: 'crawl' }) as { send(): Promise<unknown> }
    const test = await testing(app)
    await crawl.send()
    const error: unknown = await test.join({ timeout: 100 }).catch((thrown: unknown) => thrown)
    await Promise.resolve(test[Symbol.asyncDispose]()).catch(() => {}) // it still runs
    return error
  },
  THREAD_BROKER: () => noBroker('file:/var/lib/app'),
  THREAD_ENDED: () => endOf('resize', 3, undefined),
  THREAD_MODULE: () => notLoaded('resize', ['file:///app/actors.mjs'], 'does not define it when it is imported'),
  async TIME_LIMIT(t) {
    const { app } = open(t)
    const reason = reasonIn(app, 'resize', { timeLimit: 1 })
    await app.work()
    return reason.is
  },
  WORKER_INVALID: t => open(t).app.work(),
}

/** The reason of the signal that a running handler sees. */
function reasonIn(app: ReturnType<typeof open>['app'], name: string, options: { timeLimit?: number }) {
  let started!: () => void, found!: (reason: unknown) => void
  const result = {
    started: new Promise<void>(resolve => (started = resolve)),
    is: new Promise<unknown>(resolve => (found = resolve)),
  }
  const handler = app.actor(
    async () => {
      const aborted = untilAborted()
      started()
      await aborted.catch(found)
    },
    { name, ...options },
  )
  void handler.send()
  return result
}
/** What a send to a Redis with this setting rejects with. */
async function sentTo(name: string, value: string) {
  await using server = await startDaemon(redis())
  using resp = await openResp(server.port)
  await resp.ask('CONFIG', 'SET', name, value)
  const { log } = keepLines()
  const app = greenroom({ broker: `redis://127.0.0.1:${server.port}`, log })
  try {
    return await app.actor(async () => {}, { name: 'resize' }).send()
  } finally {
    await app.close()
  }
}
const errorOf = (bytes: Uint8Array | undefined) => (JSON.parse(Buffer.from(bytes!).toString()) as { message: string }).message

t.test('docs/errors.md has a section for each code of lib/errors.ts, sorted, and no other', async t => {
  t.strictSame([...sections.keys()], codes.toSorted())
})

t.test('every code is used by the library, beside its declaration and its exit code', async t => {
  const sources = ['lib', 'middleware', 'brokers', 'cli'].flatMap(layer =>
    readdirSync(join(root, layer), { recursive: true, encoding: 'utf8' })
      .filter(name => name.endsWith('.ts'))
      .map(name => `${layer}/${name}`),
  )
  const text = [...sources, 'index.ts', 'testing.ts']
    .filter(path => path !== 'lib/errors.ts' && path !== 'cli/failure.ts')
    .map(path => readFileSync(join(root, path), 'utf8'))
    .join('\n')
  t.strictSame(
    codes.filter(code => !text.includes(`'${code}'`)),
    [],
  )
})

t.test('each example is what the library says', async t => {
  t.strictSame(Object.keys(examples).toSorted(), codes.toSorted())
  for (const code of Object.keys(examples).toSorted())
    t.test(code, async t => {
      let error: unknown
      try {
        error = await examples[code]!(t as unknown as Tap)
      } catch (thrown) {
        error = thrown
      }
      const { message = '' } = error as { message?: string }
      const plain = (text: string) =>
        text
          .replaceAll(folder, '/srv/shop')
          .replace(/\d+ bytes of/, 'N bytes of')
          .replace(/127\.0\.0\.1:\d+/g, '127.0.0.1:6379')
          .trim()
      const [example] = blocksOf('docs/errors.md', `## ${sections.get(code) ?? ''}`)
      t.equal(plain(example?.text ?? ''), plain(message))
    })
})
