import { join } from 'node:path'
import t, { type Test } from 'tap'
import { argOf } from '../../cli/commands/send.ts'
import { greenroom } from '../../index.ts'
import { systemClock } from '../../lib/clock.ts'
import { internalsOf } from '../../lib/internals.ts'
import { root } from '../root.ts'
import { cli } from './fake-io.ts'

t.test('an argument is a JSON value, or a bare word', async t => {
  for (const [text, value] of [
    ['42', 42],
    ['-1.5', -1.5],
    ['"42"', '42'],
    ['Ada', 'Ada'],
    ['two words', 'two words'],
    ['https://example.com/?a=[1]', 'https://example.com/?a=[1]'],
    ['true', true],
    ['null', null],
    ['', ''],
    ['[1,{"a":2}]', [1, { a: 2 }]],
  ] as const) {
    t.strictSame(argOf(text), value, text)
  }
  for (const text of ['{"a":1', '{a:1}', '[1', '"Ada'])
    t.throws(() => argOf(text), { message: /begins as JSON and is none/ }, text)
})

let apps = 0
async function world(t: Test) {
  const namespace = `send-${++apps}`
  const app = greenroom({ broker: 'memory:', namespace })
  t.teardown(() => app.close())
  const { broker } = await internalsOf(app).open()
  const find = async (id: string) => {
    const { place, envelope } = (await broker.inspector!.find(id))!
    return { place, priority: envelope.priority, ...internalsOf(app).encoder.decode(envelope.body) }
  }
  return {
    find,
    namespace,
    ask: (...argv: readonly string[]) => cli(['send', ...argv, '--broker', 'memory:', '--namespace', namespace]),
  }
}

t.test('without code a message goes to the actor and the queue that are named', async t => {
  const { find, ask } = await world(t)
  const { code, out } = await ask('greet', 'Ada', '-1', '{"a":[1]}')
  t.equal(code, 0)
  const [, id] = /^sent (\S+) to greet, queue default \(--queue or --module says another\): waiting$/.exec(out)!
  t.match(await find(id!), { actor: 'greet', args: ['Ada', -1, { a: [1] }], queue: 'default', place: 'ready' })

  t.match(
    JSON.parse((await ask('greet', '--id', 'one', '--queue', 'mail', '--priority', 'high', '--delay', '5m', '--json')).out),
    {
      id: 'one',
      stored: true,
      actor: 'greet',
      queue: 'mail',
      state: 'delayed',
    },
  )
  t.match(await find('one'), { args: [], queue: 'mail', priority: 0, place: 'delayed' })
  t.match(await ask('greet', '--id', 'one', '--queue', 'mail'), {
    code: 0,
    out: 'not stored: a message of this id is there: one (delayed)',
  })
})

t.test('a time is ISO 8601', async t => {
  const { find, ask } = await world(t)
  const at = new Date(systemClock.now() + 3_600_000).toISOString()
  t.match(await ask('greet', '--id', 'one', '--at', at), { code: 0, out: /delayed$/ })
  t.match(await find('one'), { place: 'delayed' })
  for (const wrong of ['tomorrow', '12', '2030-99-99'])
    t.match(await ask('greet', '--at', wrong), { code: 2, err: /ISO 8601/ }, wrong)
})

t.test('what the library refuses is a mistake', async t => {
  const { ask } = await world(t)
  for (const [argv, error] of [
    [['gr eet'], /NAME_INVALID/],
    [['greet', '--queue', 'a b'], /NAME_INVALID/],
    [['greet', '--id', 'a b'], /ID_INVALID/],
    [['greet', '--delay', 'soon'], /--delay cannot be "soon"/],
    [['greet', '--delay', '5'], /Write --delay 5s or --delay 5ms/],
    [['greet', '--delay', '500d'], /365d at most/],
    [['greet', '--priority', 'urgent'], /OPTION_INVALID/],
    [['greet', '--delay', '1m', '--at', '2030-01-01'], /OPTION_INVALID/],
    [['greet', '{"a"'], /begins as JSON/],
  ] as const) {
    t.match(await ask(...argv), { code: 2, err: error }, argv.join(' '))
  }
})

t.test('with a module it sends as its app does', async t => {
  const { find, namespace } = await world(t)
  const cwd = t.testdir({
    'jobs.mjs': `
    import { greenroom } from ${JSON.stringify(join(root, '.build/index.js'))}
    const input = { '~standard': { version: 1, vendor: 'test', validate: value => typeof value === 'string' ? { value } : { issues: [{ message: 'not a text' }] } } }
    const app = greenroom({ broker: 'memory:', namespace: '${namespace}' })
    app.actor(async name => name, { name: 'greet', queue: 'greetings', priority: 'low', input })
  `,
  })
  const again = (n: number) => ['--module', `jobs.mjs`, '--id', `m${n}`]
  t.match(await cli(['send', 'greet', 'Ada', ...again(1)], { cwd }), {
    code: 0,
    out: 'sent m1 to greet, queue greetings: waiting',
  })
  t.match(await find('m1'), { queue: 'greetings', priority: 2, args: ['Ada'] })
})

for (const [what, argv, err] of [
  ['an actor that is not there', ['greeet'], /jobs.mjs has no actor "greeet"\. Did you mean greet\?/],
  ['arguments that its schema refuses', ['greet', '42'], /SCHEMA_MISMATCH/],
  ['a broker beside it', ['greet', 'Ada', '--broker', 'file:x'], /--module says which broker/],
] as const) {
  t.test(`a module, and ${what}`, async t => {
    const { namespace } = await world(t)
    const cwd = t.testdir({
      'jobs.mjs': `
      import { greenroom } from ${JSON.stringify(join(root, '.build/index.js'))}
      const input = { '~standard': { version: 1, vendor: 'test', validate: value => typeof value === 'string' ? { value } : { issues: [{ message: 'not a text' }] } } }
      greenroom({ broker: 'memory:', namespace: '${namespace}' }).actor(async name => name, { name: 'greet', input })
    `,
    })
    t.match(await cli(['send', ...argv, '--module', 'jobs.mjs'], { cwd }), { code: 2, err })
  })
}
