/** Each row of the table "Each hook, when it throws" of docs/middleware.md, tried: what becomes of a message, and who is told. */
import t, { type Test } from 'tap'
import { type AnyMiddleware, type Outcome, standard } from '../index.ts'
import { textOf } from './docs-pages.ts'
import { openMoving } from './helpers/open.ts'
import { pass } from './helpers/turns.ts'

type Bug = () => void
type Hooks = (bug: Bug) => Omit<AnyMiddleware, 'name'>
type Next = () => Promise<Outcome>

/** What stands in the first column, as code. */
const HOOKS: Readonly<Record<string, Hooks>> = {
  '`setup`': bug => ({ setup: bug }),
  '`send`': bug => ({ send: batch => (bug(), batch) }),
  '`applies`': bug => ({ applies: () => (bug(), true), before: () => undefined }),
  '`before`': bug => ({ before: () => bug() as undefined }),
  '`after`': bug => ({ after: (_, outcome) => (bug(), outcome) }),
  '`process`, before `next()`': bug => ({ process: async (_: unknown, next: Next) => (bug(), next()) }),
  '`process`, after `next()`': bug => ({
    process: async (_: unknown, next: Next) => {
      const outcome = await next()
      bug()
      return outcome
    },
  }),
  '`on.sent`': bug => ({ on: { sent: bug } }),
  '`on.started`': bug => ({ on: { started: bug } }),
  '`on.settled`': bug => ({ on: { settled: bug } }),
  '`on.stopping`': bug => ({ on: { stopping: bug } }),
  'the disposal of what `setup` returned': bug => ({ setup: () => ({ [Symbol.asyncDispose]: async () => bug() }) }),
}

/** How a message of an actor with two retries fares where the hook throws so many times. */
async function tried(t: Test, hooks: Hooks, place: 'inside' | 'outside', times: number) {
  let left = times
  const bad: AnyMiddleware = {
    name: 'bad',
    [place]: ['retries'],
    ...hooks(() => {
      if (left-- > 0) throw new Error('bug')
    }),
  }
  const { app, clock, all, lines, memory } = await openMoving(t, { middleware: [...standard(), bad] })
  const told = new Set<string>()
  const tells = (who: string) => () => void told.add(who)
  let runs = 0
  const actor = app.actor(() => void runs++, { name: 'works', maxRetries: 2, minBackoff: '1s' })
  const { id } = (await actor.send().catch(tells('the send'))) ?? {}
  await app.work().catch(tells('`work()`'))
  await pass(clock, 200_000)
  if (id === undefined && times === 1) {
    t.match(await actor.send(), { stored: true })
    await pass(clock, 1_000)
  }
  const found = id === undefined ? undefined : await memory.inspector.find(id)
  const kinds = all('settled').map(({ outcome: { kind } }) => kind)
  await app.close().catch(tells('`close()`'))
  if (all('trouble').length > 0) told.add('`trouble`')
  if (lines.some(({ text }) => /middleware failed|observer threw/.test(text))) told.add('the log')

  t.equal(found?.place, kinds.at(-1) === 'dead' ? 'dead' : undefined, 'it is done, dead or not stored: nowhere else')
  if (found) t.match(found.reason, /The middleware bad/)
  const ran = `${kinds.join(', ')}; ${runs === 1 ? '1 run' : `${runs} runs`}`
  const fate =
    id !== undefined ? ran : times === 1 && ran === 'done; 1 run' ? 'not stored; the next one is done' : `not stored${ran}`
  return { fate, told: WHO.filter(who => told.has(who)).join(', ') || 'nobody' }
}
const WHO = ['the send', '`work()`', '`close()`', '`trouble`', 'the log']

t.test('each hook that throws: what becomes of the message, and who is told, as docs/middleware.md says', async t => {
  const page = textOf('docs/middleware.md')
  const start = page.indexOf('### Each hook, when it throws'),
    rows = [...page.slice(start, page.indexOf('\n## ', start)).matchAll(/^\| (.+) \|$/gm)]
      .slice(1)
      .map(([, cells]) => cells!.split(' | '))
  const named = new Set<string>()
  for (const [hook, once, always, who] of rows) {
    named.add(hook!)
    for (const place of ['inside', 'outside'] as const) {
      const one = await tried(t, HOOKS[hook!]!, place, 1),
        all = await tried(t, HOOKS[hook!]!, place, Infinity)
      t.strictSame([one.fate, all.fate, all.told], [once, always, who], `${hook}, ${place} of retries`)
    }
  }
  t.strictSame([...named].toSorted(), Object.keys(HOOKS).toSorted(), 'the table has a row for each')
})
