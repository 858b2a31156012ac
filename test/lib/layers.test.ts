import t from 'tap'
import { composeStages, inCharge, type Stage } from '../../lib/layers.ts'
import type { AnyMiddleware } from '../../lib/middleware.ts'
import type { Outcome } from '../../lib/outcome.ts'
import { Run } from '../../lib/run.ts'
import { turns } from '../helpers/turns.ts'
import { hostileThrows } from '../helpers/hostile.ts'

const DONE: Outcome = { kind: 'done', result: 5 }
const message = { id: '1', queue: 'q', actor: 'a', args: [], options: {}, timestamp: 0 }
const run = (attempt = 0) => new Run(message, attempt, 1, { maxRetries: 3 }, { random: () => 0.5 } as never)
/** Stands for the innermost layer, whose handler counts as running until it has ended. */
const handler =
  (body: () => Promise<Outcome>): Stage =>
  (run, end) => {
    run.execution = { abort() {} }
    void body().then(outcome => {
      run.execution = undefined
      end(run, outcome)
    })
  }
const outcomeOf = (stage: Stage, run: Run) => new Promise<Outcome>(resolve => stage(run, (_, outcome) => resolve(outcome)))
function gate() {
  let open = () => {}
  const opened = new Promise<void>(resolve => (open = resolve))
  return { open, opened }
}
const slow = handler(async () => {
  await turns(1)
  return DONE
})
/** Stands for retries: further in is retried by it. */
const retries: AnyMiddleware = { name: 'retries' }

const inside = (process: AnyMiddleware['process'], innermost: Stage = slow) =>
  outcomeOf(composeStages([retries, { name: 'mine', process: process! }], innermost), run())
const outside = (process: AnyMiddleware['process'], attempt = 0) =>
  outcomeOf(composeStages([{ name: 'mine', process: process! }, retries], slow), run(attempt))

const BAD: readonly (readonly [what: string, process: AnyMiddleware['process'], message: RegExp])[] = [
  ['throws', () => Promise.reject(new Error('mine')), /mine threw/],
  [
    'throws before it returns a promise',
    () => {
      throw new Error('mine')
    },
    /mine threw/,
  ],
  [
    'throws after next()',
    async (_, next) => {
      await next()
      throw new Error('mine')
    },
    /mine threw/,
  ],
  [
    'calls next() twice',
    async (_, next) => {
      await next()
      return next()
    },
    /mine called next\(\) twice/,
  ],
  [
    'calls next() twice at once',
    async (_, next) => {
      const [outcome] = await Promise.all([next(), next()])
      return outcome
    },
    /mine called next\(\) twice/,
  ],
  [
    'calls next() again and waits for it no more',
    async (_, next) => {
      const outcome = await next()
      void next()
      return outcome
    },
    /mine called next\(\) twice/,
  ],
  [
    'catches what the second next() says',
    async (_, next) => {
      const outcome = await next()
      await next().catch(() => {})
      return outcome
    },
    /mine called next\(\) twice/,
  ],
  [
    'returns before next() has settled',
    async (_, next) => {
      void next()
      return DONE
    },
    /mine returned before next\(\) had settled/,
  ],
  ['returns nothing', async () => undefined as never, /mine returned undefined/],
  ['returns a word', async () => 'done' as never, /mine returned "done"/],
  ['returns no known kind', async () => ({ kind: 'finished' }) as never, /mine returned an object/],
  ['returns a retry without a time', async () => ({ kind: 'retry' }) as never, /mine returned an object/],
  ['returns a retry before now', async () => ({ kind: 'retry', afterMs: -1, error: 1 }), /mine returned an object/],
  ['returns a release at no time', async () => ({ kind: 'release', afterMs: NaN, reason: 'x' }), /mine returned an object/],
  [
    'returns a release in a thousand years',
    async () => ({ kind: 'release', afterMs: 1e15, reason: 'x' }),
    /mine returned an object/,
  ],
  ['returns a dead without a reason', async () => ({ kind: 'dead' }) as never, /mine returned an object/],
]

for (const [what, process, message] of BAD) {
  t.test(`a middleware that ${what} is told by its name`, async t => {
    t.match(
      await inside(process),
      { kind: 'failed', error: { code: 'MIDDLEWARE_FAILED', message, details: { middleware: 'mine' } } },
      'inside retries',
    )
    t.match(
      await outside(process),
      { kind: 'retry', afterMs: 22_500, error: { message } },
      'outside retries: tried again with the default back-off',
    )
    t.match(await outside(process, 3), { kind: 'dead', reason: message }, 'outside retries, after the last attempt: dead')
  })
}

t.test('whatever a middleware throws or returns, the layer answers', async t => {
  for (const [what, value] of hostileThrows) {
    t.match(await inside(() => Promise.reject(value)), { kind: 'failed', error: { code: 'MIDDLEWARE_FAILED' } }, `throws ${what}`)
    t.match(await inside(async () => value as never), { kind: 'failed', error: { code: 'MIDDLEWARE_FAILED' } }, `returns ${what}`)
  }
})

t.test('what is thrown by a middleware is the cause of its error', async t => {
  const cause = new Error('mine')
  t.match(await inside(() => Promise.reject(cause)), { kind: 'failed', error: { cause } })
})

t.test('the handler ends before the message of a middleware that did not wait for it is settled', async t => {
  for (const process of BAD.filter(([what]) => /before next|twice at once/.test(what)).map(([, process]) => process)) {
    let ended = false
    await inside(
      process,
      handler(async () => {
        await turns(3)
        ended = true
        return DONE
      }),
    )
    t.ok(ended)
  }
})

t.test('next() runs nothing once the middleware has answered', async t => {
  let runs = 0
  let late: (() => Promise<Outcome>) | undefined
  const outcome = await inside(
    async (_, next) => {
      late = next
      return { kind: 'release', afterMs: 0, reason: 'later' }
    },
    handler(async () => {
      runs++
      return DONE
    }),
  )
  t.match(outcome, { kind: 'release' })
  await t.rejects(late!(), { code: 'MIDDLEWARE_FAILED', message: /after it had answered/ })
  t.equal(runs, 0)
})

t.test('a middleware may answer without next(), change the outcome, or pass on what it does not know', async t => {
  t.strictSame(await inside(async () => ({ kind: 'release', afterMs: 5, reason: 'x' })), {
    kind: 'release',
    afterMs: 5,
    reason: 'x',
  })
  t.strictSame(await inside(async (_, next) => ({ ...(await next()), result: 6 }) as Outcome), { kind: 'done', result: 6 })
  t.strictSame(await inside((_, next) => next()), DONE)
})

t.test('the first of the list is outermost, and what has no process is not in the way', async t => {
  const order: string[] = []
  const mark = (name: string): AnyMiddleware => ({
    name,
    async process(_, next) {
      order.push(`${name} in`)
      const outcome = await next()
      order.push(`${name} out`)
      return outcome
    },
  })
  const onion = composeStages(
    [mark('a'), { name: 'x' }, mark('b')],
    handler(async () => DONE),
  )
  await outcomeOf(onion, run())
  t.strictSame(order, ['a in', 'b in', 'b out', 'a out'])
})

t.test(
  'who is in charge: a middleware before and after its next(), the handler in between; one that only passes on is not',
  async t => {
    const [before, running, after] = [gate(), gate(), gate()]
    const mine: AnyMiddleware = {
      name: 'mine',
      async process(_, next) {
        await before.opened
        const outcome = await next()
        await after.opened
        return outcome
      },
    }
    const passes: AnyMiddleware = { name: 'passes', process: (_, next) => next() }
    const one = run(),
      onion = composeStages(
        [passes, mine, passes],
        handler(async () => (await running.opened, DONE)),
      ),
      outcome = outcomeOf(onion, one)
    const seen = () => inCharge(one)?.name
    t.equal(seen(), 'mine')
    before.open()
    await turns(1)
    t.equal(seen(), undefined, 'the handler')
    running.open()
    await turns(1)
    t.equal(seen(), 'mine')
    after.open()
    t.equal(await outcome, DONE)
  },
)

t.test('before and after: in order, an answer in the place of a run, and whoever is further out sees it', async t => {
  const order: string[] = []
  const looks = (name: string, instead?: Outcome): AnyMiddleware => ({
    name,
    before() {
      order.push(`${name} before`)
      return instead
    },
    after(_, outcome) {
      order.push(`${name} after ${outcome.kind}`)
      return outcome
    },
  })
  const waits: AnyMiddleware = {
    name: 'waits',
    async process(_, next) {
      order.push('waits')
      return next()
    },
  }
  const dead: Outcome = { kind: 'dead', reason: 'too old' }
  t.equal(await outcomeOf(composeStages([looks('a'), waits, looks('b'), looks('c')], slow), run()), DONE)
  t.strictSame(order.splice(0), ['a before', 'waits', 'b before', 'c before', 'c after done', 'b after done', 'a after done'])
  const refused = composeStages([looks('a'), waits, looks('b'), looks('c', dead), looks('d')], () => t.fail('it must not run'))
  t.equal(await outcomeOf(refused, run()), dead)
  t.strictSame(order, ['a before', 'waits', 'b before', 'c before', 'b after dead', 'a after dead'])
})

t.test('after may change the outcome, each run its own, also with a process around it', async t => {
  const counted: AnyMiddleware = {
    name: 'counted',
    after: (_, outcome) => (outcome.kind === 'done' ? { ...outcome, result: Number(outcome.result) + 1 } : outcome),
  }
  const onion = composeStages([counted, { name: 'passes', process: (_, next) => next() }, counted], slow)
  t.strictSame(await Promise.all([outcomeOf(onion, run()), outcomeOf(onion, run())]), [
    { kind: 'done', result: 7 },
    { kind: 'done', result: 7 },
  ])
})

const BAD_LOOKS: readonly (readonly [what: string, middleware: Omit<AnyMiddleware, 'name'>, message: RegExp])[] = [
  [
    'throws in before()',
    {
      before() {
        throw new Error('mine')
      },
    },
    /mine threw in before\(\): mine/,
  ],
  [
    'throws in after()',
    {
      after() {
        throw new Error('mine')
      },
    },
    /mine threw in after\(\): mine/,
  ],
  ['answers a word in before()', { before: () => 'no' as never }, /mine returned "no" from before\(\)/],
  ['answers nothing in after()', { after: () => undefined as never }, /mine returned undefined from after\(\)/],
  ['waits in before()', { before: (async () => undefined) as never }, /mine returned a promise from before\(\)/],
  ['rejects in after()', { after: (() => Promise.reject(new Error('x'))) as never }, /mine returned a promise from after\(\)/],
]
for (const [what, hooks, message] of BAD_LOOKS) {
  t.test(`a middleware that ${what} is told by its name`, async t => {
    const mine = { name: 'mine', ...hooks }
    const error = { code: 'MIDDLEWARE_FAILED', message, details: { middleware: 'mine' } }
    t.match(await outcomeOf(composeStages([retries, mine], slow), run()), { kind: 'failed', error }, 'inside retries')
    t.match(await outcomeOf(composeStages([mine, retries], slow), run()), { kind: 'retry', afterMs: 22_500, error })
    t.match(await outcomeOf(composeStages([mine, retries], slow), run(3)), { kind: 'dead', reason: message })
  })
}
