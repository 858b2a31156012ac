/** Bad input of developers: each mistake is told at once, by its name, with what to do about it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { count, current, defineMiddleware, greenroom, perMessage, standard } from '../index.ts'
import { open } from './helpers/open.ts'

const folder = mkdtempSync(join(tmpdir(), 'greenroom-'))
t.teardown(() => rmSync(folder, { recursive: true }))
/** Evaluates a module that defines actors; again and again, as a hot reload does, when `times` says so. */
async function evaluate(app: unknown, file: string, code: string, times = 1): Promise<void> {
  const path = join(folder, file)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `export const define = app => { ${code} }`)
  for (let time = 0; time < times; time++) {
    const query = time === 0 ? '' : `?t=${time}`
    const module = (await import(`${pathToFileURL(path)}${query}`)) as { define(app: unknown): void }
    module.define(app)
  }
}

t.test('what cannot be an actor', async t => {
  const { app } = open(t)
  const fn = () => {}
  const anonymous = [() => {}][0]
  for (const [handler, options, code, message] of [
    [undefined, {}, 'ACTOR_INVALID', /needs a function, not undefined/],
    ['resize', {}, 'ACTOR_INVALID', /not "resize"/],
    [{ name: 'resize' }, fn, 'ACTOR_INVALID', /not an object/],
    [anonymous, undefined, 'ACTOR_ANONYMOUS', /name it in the options.*\{ name: 'resize' \}/],
    [anonymous, {}, 'ACTOR_ANONYMOUS', /name/],
    [fn, { name: '' }, 'ACTOR_ANONYMOUS', /name/],
    [fn.bind(null), {}, 'NAME_INVALID', /"bound fn"/],
    [fn, { name: 'two words' }, 'NAME_INVALID', /cannot name an actor/],
    [fn, { name: 5 }, 'NAME_INVALID', /5/],
    [fn, { name: 'x'.repeat(129) }, 'NAME_INVALID', /128/],
    [fn, { queue: 'a:b' }, 'NAME_INVALID', /cannot name a queue/],
    [fn, { queue: '' }, 'NAME_INVALID', /queue/],
    [fn, { priority: 'urgent' }, 'OPTION_INVALID', /'high', 'normal', 'low'/],
    [fn, { maxRetry: 3 }, 'OPTION_UNKNOWN', /Unknown option "maxRetry" on the actor fn.*Did you mean maxRetries\?/],
    [fn, { retries: 3 }, 'OPTION_UNKNOWN', /Did you mean maxRetries\?/],
    [fn, { completelyElse: 3 }, 'OPTION_UNKNOWN', /Known are name, queue, priority, input/],
    [fn, { delay: '1m' }, 'OPTION_UNKNOWN', /delay/],
    [anonymous, { nmae: 'a' }, 'OPTION_UNKNOWN', /"nmae" on an actor\. Did you mean name\?/],
    [fn, { timeout: '5s' }, 'OPTION_UNKNOWN', /Did you mean timeLimit\?/],
    [fn, { attempts: 3 }, 'OPTION_UNKNOWN', /Did you mean maxRetries\?/],
    [fn, { concurrency: 3 }, 'OPTION_UNKNOWN', /give it to app\.work\(\), or to greenroom worker --concurrency/],
    [fn, { maxRetries: -1 }, 'OPTION_INVALID', /maxRetries cannot be -1.*0 to 1000/],
    [fn, { maxRetries: 2 ** 40 }, 'OPTION_INVALID', /1000/],
    [fn, { minBackoff: 'soon' }, 'DURATION_INVALID', /minBackoff/],
    [fn, { maxBackoff: NaN }, 'DURATION_INVALID', /maxBackoff/],
    [fn, { timeLimit: '5 min' }, 'DURATION_INVALID', /timeLimit/],
    [fn, { throws: [() => {}] }, 'OPTION_INVALID', /list of error classes/],
    [fn, { throws: TypeError }, 'OPTION_INVALID', /throws/],
    [fn, { retryWhen: true }, 'OPTION_INVALID', /retryWhen/],
    [fn, { onSuccess: () => {} }, 'OPTION_INVALID', /Give an actor of this app/],
    [fn, { onFailure: 'notify' }, 'OPTION_INVALID', /onFailure/],
    [fn, { onExhausted: null }, 'OPTION_INVALID', /onExhausted/],
    [fn, { input: {} }, 'SCHEMA_INVALID', /zod, valibot/],
    [fn, { input: 5 }, 'SCHEMA_INVALID', /fn/],
    [fn, null, 'OPTION_INVALID', /null/],
    [fn, 'images', 'OPTION_INVALID', /"images"/],
  ] as const)
    t.throws(() => app.actor(handler as never, options as never), { name: 'GreenroomError', code, message }, `${code} ${message}`)
})

t.test('an option says which middleware would bring it', async t => {
  const { app } = open(t, { middleware: [] })
  for (const [options, message] of [
    [{ maxRetries: 3 }, /Add retries\(\) to the app's middleware/],
    [{ timeLimit: '1s' }, /Add timeLimit\(\)/],
    [{ maxAge: '1s' }, /Add ageLimit\(\)/],
    [{ onSuccess: 5 }, /Add callbacks\(\)/],
    [{ toString: 5 }, /Unknown option "toString"/],
  ] as const)
    t.throws(() => app.actor(() => {}, { name: 'a1b', ...options } as never), { code: 'OPTION_UNKNOWN', message })
})

t.test('one message without its brackets is no list, and says how to write it', async t => {
  const { app } = open(t)
  const mail = app.actor(async (_to: string) => {}, { name: 'mail' })
  for (const [given, shown] of [
    [mail.message('ada'), 'an object'],
    [{}, 'an object'],
    [undefined, 'undefined'],
    [null, 'null'],
  ] as const)
    await t.rejects(app.send(given as never), {
      code: 'MESSAGE_INVALID',
      message: `app.send() takes a list, not ${shown}. Write app.send([message]) [MESSAGE_INVALID]`,
      stored: 'no',
    })
  await t.rejects(mail.sendMany({} as never), {
    code: 'MESSAGE_INVALID',
    message: /^sendMany\(\) takes a list, not an object\. Write/,
  })
})

t.test('what cannot be an app', async t => {
  for (const [config, code, message] of [
    [{ brokers: 'memory:' }, 'OPTION_UNKNOWN', /"brokers" of greenroom\(\).*Did you mean broker\?/],
    [{ namespace: 'a b' }, 'NAME_INVALID', /namespace/],
    [{ namespace: '' }, 'NAME_INVALID', /namespace/],
    [{ sendTimeout: 'soon' }, 'DURATION_INVALID', /sendTimeout/],
    [{ sendTimeout: Infinity }, 'DURATION_INVALID', /sendTimeout/],
    [{ maxPending: -1 }, 'OPTION_INVALID', /maxPending/],
    [{ maxPending: NaN }, 'OPTION_INVALID', /maxPending/],
    [{ maxBytes: '1mb' }, 'OPTION_INVALID', /maxBytes/],
    [{ maxBytes: 0 }, 'OPTION_INVALID', /maxBytes/],
    [{ encoding: 'yaml' }, 'OPTION_INVALID', /encoding cannot be "yaml".*json, msgpack/],
    [{ encoding: 'toString' }, 'OPTION_INVALID', /encoding/],
    [{ encodings: 'json' }, 'OPTION_UNKNOWN', /Did you mean encoding\?/],
    [{ log: {} }, 'OPTION_INVALID', /log/],
    [{ log: () => {} }, 'OPTION_INVALID', /log/],
    [null, 'OPTION_INVALID', /greenroom\(\)/],
    ['memory:', 'OPTION_INVALID', /greenroom\(\)/],
  ] as const)
    t.throws(() => greenroom(config as never), { code, message }, JSON.stringify(config))
  t.throws(() => standard({ maxRetries: -1 }), { code: 'OPTION_INVALID' })
  t.throws(() => standard({ timeLimit: 'x' as never }), { code: 'DURATION_INVALID' })
  t.throws(() => greenroom({ middleware: standard({ maxBackoff: Infinity }) }), { code: 'DURATION_INVALID' })
})

t.test('a broker that nobody knows is told when it is first used, without its credentials', async t => {
  for (const broker of ['nobody://user:hunter2@h/1', 'amqp:user:hunter2@h', ' memory:', 'MEMORY', 'localhost:6379']) {
    const app = greenroom({ broker })
    const actor = app.actor(() => {}, { name: 'a1b' })
    const error: Error = (await actor.send().then(
      () => t.fail('stored'),
      (error: Error) => error,
    )) as Error
    t.match(error, { code: 'BROKER_UNKNOWN', message: /It starts with one of memory:/ }, broker)
    t.notMatch(JSON.stringify(error) + error.stack, 'hunter2')
    await t.rejects(app.work(), { code: 'BROKER_UNKNOWN' })
  }
})

t.test('two actors of one name: the worker refuses, and names both files', async t => {
  const define = "app.actor(() => {}, { name: 'mail' })"
  for (const [one, two] of [
    ['a/one.mjs', 'a/two.mjs'],
    ['b/index.mjs', 'b/mail/index.mjs'],
    ['c/lib/app.mjs', 'c/lib/definition.mjs'],
    ['d/(shop)/a b.mjs', 'd/(blog)/a b.mjs'],
    ['e/greenroom/dist/x.mjs', 'e/greenroom/dist/y.mjs'],
  ] as const) {
    const { app } = open(t)
    await evaluate(app, one, define)
    await evaluate(app, two, define)
    const files = [one, two].map(name => encodeURI(name).replace(/[()]/g, '\\$&')).join('.*')
    await t.rejects(
      app.work(),
      { code: 'ACTOR_DUPLICATE', message: new RegExp(`Two actors are called mail: in .*${files}`) },
      `${one}, ${two}`,
    )
  }
})

t.test('two actors of one name in one file are two places', async t => {
  const { app } = open(t)
  await evaluate(app, 'same.mjs', "app.actor(() => {}, { name: 'mail' })\n app.actor(() => {}, { name: 'mail' })")
  await t.rejects(app.work(), { code: 'ACTOR_DUPLICATE', message: /called mail: in .*same\.mjs:1:\d+, .*same\.mjs:2:\d+/ })
})

t.test('a module that is evaluated again defines its actors again: hot reload is no duplicate', async t => {
  const { app, until } = open(t)
  await evaluate(app, 'hot.mjs', "app.actor(() => (globalThis.hot = (globalThis.hot ?? 0) + 1), { name: 'mail' }).send()", 3)
  await app.work()
  t.match(await until('settled', 3), [{ outcome: { kind: 'done' } }, { outcome: { kind: 'done' } }, { outcome: { result: 3 } }])
})

t.test('current() outside of a handler', async t => {
  t.throws(() => current(), { code: 'NO_CONTEXT', message: /not at the top of a module/ })
  t.equal(current.maybe(), undefined)
})

t.test('what a handler cannot be sent is refused at the send, and nothing is stored', async t => {
  const { app, memory } = open(t)
  const actor = app.actor((..._args: unknown[]) => {}, { name: 'a1b' })
  for (const [args, path] of [
    [[new Date()], 'args[0]'],
    [[1, { a: [NaN] }], 'args[1].a[0]'],
    [[() => {}], 'args[0]'],
    [[undefined], 'args[0]'],
  ] as const) {
    for (const send of [
      () => actor.send(...args),
      () => actor.sendMany([args as never, [1]]),
      () => app.send([actor.message(...args)]),
    ])
      await t.rejects(send() as Promise<unknown>, { code: 'NOT_DATA', details: { path } })
  }
  await t.rejects(actor.send('x'.repeat(1_048_576)), { code: 'BODY_TOO_LARGE', help: /raise maxBytes/ })
  t.match(await memory.inspector.counts('default'), { ready: 0 })
})

t.test('an option that parses to what cannot travel is refused at the send', async t => {
  const odd = { ...perMessage(count(1)), parse: (value: unknown) => value as number }
  const { app } = open(t, { middleware: [...standard(), defineMiddleware({ name: 'odd', options: { odd } })] })
  const actor = app.actor(() => {}, { name: 'a1b' })
  await t.rejects(actor.with({ odd: new Map() as never }).send(), { code: 'NOT_DATA', details: { path: 'options.odd' } })
})
