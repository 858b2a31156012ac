/** The chain that most apps want: its order, and that each default reaches the option of its name. */
import t from 'tap'
import { current, greenroom, standard } from '../../index.ts'
import { defaultsOf, optionTable } from '../../lib/options.ts'
import { open, openMoving } from '../helpers/open.ts'
import { pass, turns } from '../helpers/turns.ts'

const defaults = (given?: Parameters<typeof standard>[0]) => ({ ...defaultsOf(optionTable(standard(given), new Set())) })

t.test('what the options are where nobody says anything', async t => {
  t.strictSame(defaults(), {
    onSuccess: undefined,
    onFailure: undefined,
    maxRetries: 20,
    minBackoff: 15_000,
    maxBackoff: 7 * 86_400_000,
    throws: [],
    retryWhen: undefined,
    onExhausted: undefined,
    maxAge: Infinity,
    notifyShutdown: false,
    timeLimit: 600_000,
  })
  const nothing = { maxRetries: undefined, minBackoff: undefined, maxBackoff: undefined, maxAge: undefined, timeLimit: undefined }
  t.strictSame(defaults({ ...nothing, notifyShutdown: undefined }), defaults(), 'undefined is as good as absent')
})

t.test('each default has the name of its option; 0 and false are values', async t => {
  for (const [given, parsed] of [
    [{ maxRetries: 0 }, { maxRetries: 0 }],
    [{ minBackoff: 0 }, { minBackoff: 0 }],
    [{ maxBackoff: '1h' }, { maxBackoff: 3_600_000 }],
    [{ maxAge: 0 }, { maxAge: 0 }],
    [{ maxAge: '1d' }, { maxAge: 86_400_000 }],
    [{ timeLimit: 0 }, { timeLimit: 0 }],
    [{ timeLimit: Infinity }, { timeLimit: Infinity }],
    [{ notifyShutdown: true }, { notifyShutdown: true }],
  ] as const)
    t.strictSame(defaults(given), { ...defaults(), ...parsed }, JSON.stringify(given))
})

t.test('wrong defaults are refused where they are given', async t => {
  for (const given of [{ notifyShutdown: 1 }, { notifyShutdown: 'yes' }, { maxAge: -1 }, { maxAge: NaN }, { timeLimit: '1 h' }])
    t.throws(() => greenroom({ middleware: standard(given as never) }), { name: 'GreenroomError' }, JSON.stringify(given))
})

t.test('the parts work together: each attempt has its own time limit, and age ends the retries', async t => {
  const { app, clock, all } = await openMoving(t, {
    middleware: standard({ timeLimit: '10s', maxAge: '1m', minBackoff: '20s', maxBackoff: '20s' }),
  })
  const limits: number[] = []
  const told: unknown[] = []
  const tell = app.actor((failure: { message: string }) => void told.push(failure.message), { name: 'tell', queue: 'told' })
  await app
    .actor(
      async () => {
        const { signal } = current()
        await new Promise<void>(resolve => signal.addEventListener('abort', () => resolve()))
        limits.push(clock.monotonic())
        throw signal.reason
      },
      { name: 'slow', onFailure: tell as never },
    )
    .send()
  await app.work()
  await pass(clock, 300_000)
  t.strictSame(limits, [10_000, 40_000, 70_000], 'the third begins at its last moment, 60 s old')
  t.match(
    all('settled')
      .filter(({ message }) => message.actor === 'slow')
      .map(({ outcome }) => outcome.kind),
    ['retry', 'retry', 'retry', 'dead'],
  )
  t.match(told, [/^expired: 1.5m old, maxAge is 1m$/])
})

t.test('apart from each other they work too', async t => {
  for (const middleware of standard({ maxRetries: 0 })) {
    const { app, until } = open(t, { middleware: [middleware] })
    await app.actor(() => 5, { name: 'a1b' }).send()
    await app.work()
    t.match(await until('settled'), [{ outcome: { kind: 'done', result: 5 } }], middleware.name)
    await turns(1)
  }
})
