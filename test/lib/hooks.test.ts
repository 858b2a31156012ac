/** Middleware that misbehave in each of their hooks, in a worker: told by their name, and no message is lost. */
import t from 'tap'
import { type AnyMiddleware, type Outcome, standard } from '../../index.ts'
import { hostileThrows } from '../helpers/hostile.ts'
import { open, openMoving } from '../helpers/open.ts'
import { gate, pass, turns } from '../helpers/turns.ts'

const bad = (hooks: Omit<AnyMiddleware, 'name'>, place: 'inside' | 'outside' = 'inside'): AnyMiddleware => ({
  name: 'bad',
  [place]: ['retries'],
  ...hooks,
})
const hang = () => new Promise<never>(() => {})

t.test(
  'process: whatever it does, the message is tried again (outside of retries by the default back-off), and runs when it is well',
  async t => {
    for (const place of ['inside', 'outside'] as const)
      for (const [what, process] of [
        ['throws', () => Promise.reject(new Error('bug'))],
        [
          'throws at once',
          () => {
            throw new Error('bug')
          },
        ],
        ['returns nothing', () => undefined as never],
        ['returns garbage', async () => ({ kind: 'finished' }) as never],
        ['returns a proxy', async () => hostileThrows.find(([what]) => /proxied/.test(what))![1] as Outcome],
      ] as const) {
        let bugs = 1
        const middleware = bad({ process: (_, next) => (bugs-- > 0 ? process() : next()) }, place)
        const { app, clock, all, lines } = await openMoving(t, { middleware: [...standard(), middleware] })
        await app.actor(() => 5, { name: 'works', minBackoff: '1s' }).send()
        await app.work()
        await pass(clock, 60_000)
        const name = `${what}, ${place} of retries`
        t.match(
          all('settled').map(({ outcome }) => outcome),
          [
            { kind: 'retry', afterMs: place === 'inside' ? 1_500 : 22_500 },
            { kind: 'done', result: 5 },
          ],
          name,
        )
        t.match(
          all('trouble'),
          [{ what: /The middleware bad/, error: { code: 'MIDDLEWARE_FAILED', details: { middleware: 'bad' } } }],
          name,
        )
        t.equal(lines.filter(({ text }) => text === 'a middleware failed').length, 1)
      }
  },
)

t.test('process: one that is always broken makes dead letters after maxRetries, and loses nothing', async t => {
  for (const place of ['inside', 'outside'] as const) {
    const { app, clock, all, memory } = await openMoving(t, {
      middleware: [...standard(), bad({ process: () => Promise.reject(new Error('bug')) }, place)],
    })
    await app.actor(() => 5, { name: 'works', maxRetries: 2 }).send()
    await app.work()
    await pass(clock, 3_600_000)
    t.strictSame(
      all('settled').map(({ outcome }) => outcome.kind),
      ['retry', 'retry', 'dead'],
    )
    t.match((await memory.inspector.list('default', 'dead')).entries, [{ reason: /The middleware bad threw/ }])
  }
})

t.test('process: one that hangs around a run is ended after hookTimeout; a handler may take its time', async t => {
  for (const [what, process] of [
    ['before next()', hang],
    ['after next()', async (_: unknown, next: () => Promise<Outcome>) => (await next(), hang())],
  ] as const) {
    let bugs = 1
    const { app, clock, all } = await openMoving(t, {
      middleware: [
        ...standard({ timeLimit: Infinity }),
        bad({ process: (context, next) => (bugs-- > 0 ? process(context, next) : next()) }),
      ],
    })
    await app.actor(() => 5, { name: 'works' }).send()
    const worker = await app.work({ hookTimeout: '10s', concurrency: 1 })
    await pass(clock, 10_000)
    t.strictSame(all('settled'), [], what)
    await pass(clock, 1_500)
    t.match(
      all('settled'),
      [{ outcome: { kind: 'retry', error: { code: 'MIDDLEWARE_FAILED', message: /bad did not go on for 10000 ms/ } } }],
      what,
    )
    t.equal(worker.running, 0, 'its slot is free')
    await pass(clock, 60_000)
    t.match(all('settled')[1], { outcome: { kind: 'done' } })
  }
  const end = gate()
  const { app, clock, all } = await openMoving(t, {
    middleware: [...standard({ timeLimit: Infinity }), bad({ process: async (_, next) => next() })],
  })
  await app.actor(() => end.opened, { name: 'slow' }).send()
  await app.work({ hookTimeout: '1s' })
  await pass(clock, 3_600_000)
  t.strictSame([all('settled'), all('trouble')], [[], []])
  end.open()
  await turns()
  t.match(all('settled'), [{ outcome: { kind: 'done' } }])
})

t.test('process: a late answer of one that hung changes nothing', async t => {
  const late = gate<Outcome>()
  let runs = 0
  const { app, clock, all } = await openMoving(t, {
    middleware: [...standard(), bad({ process: (_, next) => (runs++ === 0 ? late.opened : next()) })],
  })
  await app.actor(() => 5, { name: 'works' }).send()
  await app.work({ hookTimeout: '10s' })
  await pass(clock, 12_000)
  late.open({ kind: 'dead', reason: 'too late' })
  await pass(clock, 60_000)
  t.strictSame(
    all('settled').map(({ outcome }) => outcome.kind),
    ['retry', 'done'],
  )
})

t.test('setup: what it throws is told by its name, a refusal of ours stays, a hang has its end, garbage is refused', async t => {
  for (const [what, setup, error] of [
    [
      'throws',
      () => {
        throw new RangeError('mine')
      },
      { code: 'MIDDLEWARE_FAILED', message: /bad threw in setup\(\)/, cause: { message: 'mine' } },
    ],
    ['rejects', () => Promise.reject(new RangeError('mine')), { code: 'MIDDLEWARE_FAILED', cause: { message: 'mine' } }],
    [
      'throws a proxy',
      () => {
        throw hostileThrows.find(([what]) => /proxied/.test(what))![1]
      },
      { code: 'MIDDLEWARE_FAILED' },
    ],
    ['returns a number', () => 5 as never, { code: 'MIDDLEWARE_FAILED', message: /returned 5 from setup\(\)/ }],
    ['returns null', () => null as never, { code: 'MIDDLEWARE_FAILED' }],
    [
      'returns what cannot be disposed',
      () => ({ close() {} }) as never,
      { code: 'MIDDLEWARE_FAILED', help: /Symbol\.asyncDispose/ },
    ],
  ] as const) {
    const { app } = open(t, { middleware: [...standard(), bad({ setup: setup as never })] })
    const actor = app.actor(() => {}, { name: 'a1b' })
    await t.rejects(actor.send(), error, `${what}: send()`)
    await t.rejects(app.work(), error, `${what}: work()`)
    await app.close()
  }
  const { app, clock } = await openMoving(t, { middleware: [...standard(), bad({ setup: hang })], sendTimeout: '1m' })
  const sent = t.rejects(app.actor(() => {}, { name: 'a1b' }).send(), {
    code: 'MIDDLEWARE_FAILED',
    message: /did not finish setup\(\) within 30000 ms/,
  })
  await pass(clock, 30_000)
  await sent
})

t.test('setup: reading a store where none is says how to get one; needs says so before anything runs', async t => {
  for (const hooks of [{ setup: ({ store }: { store: unknown }) => void store }, { needs: ['store' as const] }]) {
    const { broker } = open(t)
    const { store: _store, ...storeless } = broker
    const { app } = open(t, { broker: storeless, middleware: [...standard(), bad(hooks as never)] })
    await t.rejects(app.actor(() => {}, { name: 'a1b' }).send(), {
      code: 'STORE_MISSING',
      message: /has none/,
      help: /greenroom\(\{ store/,
    })
  }
})

t.test('disposal: each is disposed, last first, and the broker let go, whatever they do', async t => {
  const order: string[] = []
  const make = (name: string, dispose: () => Promise<void>): AnyMiddleware => ({
    name,
    setup: () => ({
      [Symbol.asyncDispose]() {
        order.push(name)
        return dispose()
      },
    }),
  })
  const throws = () => {
    throw new Error('at once')
  }
  const { app, clock } = await openMoving(t, {
    middleware: [
      make('a', async () => {}),
      make('b', throws),
      make('c', () => Promise.reject(new Error('later'))),
      make('d', hang),
    ],
  })
  await app.actor(() => {}, { name: 'a1b' }).send()
  const closed = t.rejects(app.close(), {
    errors: [
      { message: /d did not finish its disposal within 30000 ms/ },
      { cause: { message: 'later' } },
      { cause: { message: 'at once' } },
    ],
  })
  await pass(clock, 30_000)
  await closed
  t.strictSame(order, ['d', 'c', 'b', 'a'])
})

t.test('on: an observer that throws is logged by its name, changes nothing, and the others are told', async t => {
  const thrown = hostileThrows.map(([, value]) => value)
  for (const value of thrown) {
    const throws = () => {
      throw value
    }
    const { app, until, lines } = open(t, {
      middleware: [...standard(), bad({ on: { sent: throws, started: throws, settled: throws } })],
    })
    t.match(await app.actor(() => 5, { name: 'works' }).send(), { stored: true })
    await app.work()
    t.match(await until('settled'), [{ outcome: { kind: 'done', result: 5 } }])
    t.match(lines, [
      { facts: { middleware: 'bad', event: 'sent' } },
      { facts: { event: 'started' } },
      { facts: { event: 'settled' }, text: 'an observer threw' },
    ])
    await app.close()
  }
})

t.test('on: an observer that rejects is logged by its name too', async t => {
  const rejects = async () => {
    throw new Error('later')
  }
  const { app, until, lines } = open(t, { middleware: [...standard(), bad({ on: { sent: rejects, settled: rejects } })] })
  await app.actor(() => 5, { name: 'works' }).send()
  await app.work()
  t.match(await until('settled'), [{ outcome: { kind: 'done', result: 5 } }])
  await turns()
  t.match(lines, [
    { facts: { middleware: 'bad', event: 'sent', err: { message: 'later' } }, text: 'an observer threw' },
    { facts: { middleware: 'bad', event: 'settled', err: { message: 'later' } }, text: 'an observer threw' },
  ])
})

t.test('a logger that throws is no reason to stop', async t => {
  const refuse = () => {
    throw new Error('disk full')
  }
  const errors: unknown[] = []
  t.capture(console, 'error', (line: unknown) => void errors.push(line))
  const { app, clock, all } = await openMoving(t, {
    log: { debug: refuse, info: refuse, warn: refuse, error: refuse },
    middleware: [...standard(), bad({ on: { settled: refuse } })],
  })
  await app
    .actor(
      () => {
        throw new Error('x')
      },
      { name: 'ab', maxRetries: 1, minBackoff: 0 },
    )
    .send()
  await app.work()
  await pass(clock, 1_000)
  t.strictSame(
    all('settled').map(({ outcome }) => outcome.kind),
    ['retry', 'dead'],
  )
  t.match(errors[0], /the logger threw/)
})

t.test('a chain that is not asked of retries says so when the worker starts', async t => {
  const { app, until, lines } = open(t, { middleware: [] })
  await app
    .actor(
      () => {
        throw new Error('x')
      },
      { name: 'fails' },
    )
    .send()
  await app.work()
  t.match(await until('settled'), [{ outcome: { kind: 'failed' } }])
  t.match(lines, [{ level: 'warn', text: /no retries/ }])
})
