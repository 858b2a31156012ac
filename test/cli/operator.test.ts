/** The commands that look and mend, on a broker in memory that this process has open too. */
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { greenroom } from '../../index.ts'
import { systemClock } from '../../lib/clock.ts'
import { internalsOf } from '../../lib/internals.ts'
import { root } from '../root.ts'
import { cli } from './fake-io.ts'

let apps = 0
/** An app, and a command line that speaks to the same broker. */
async function world(t: Test) {
  const namespace = `operator-${++apps}`
  const app = greenroom({ broker: 'memory:', namespace })
  t.teardown(() => app.close())
  const { broker } = await internalsOf(app).open()
  const greet = app.declare<(name: string) => void>('greet')
  const ask = (...argv: readonly string[]) =>
    cli([...argv, '--broker', 'memory:', '--namespace', namespace], { clock: systemClock })
  /** Makes dead letters of what is ready in a queue. */
  async function bury(queue: string, reason: string, error?: unknown) {
    const consumer = await broker.consume({ queues: [queue], credit: 100, leaseMs: 30_000, onLost() {} })
    const taken = await consumer.take(100, { waitMs: 0, signal: new AbortController().signal })
    const bytes = error === undefined ? {} : { error: Buffer.from(JSON.stringify(error)) }
    await consumer.settle(taken.map(({ token }) => ({ token, kind: 'dead', reason, ...bytes })))
    await consumer[Symbol.asyncDispose]()
  }
  return { app, broker, greet, ask, bury }
}

t.test('queues', async t => {
  const { greet, ask, bury } = await world(t)
  t.match(await ask('queues'), { code: 0, out: /has no queue yet/ })
  await greet.send('Ada')
  await bury('default', 'no reason')
  await greet.send('Bob')
  await greet.with({ delay: '1h' }).send('Eve')
  const { code, out } = await ask('queues')
  t.equal(code, 0)
  t.match(out, /^memory: .*\nqueue +waiting  delayed  running  suspect  dead  oldest  paused\ndefault +1 +1 +0 +0 +1 /)
  t.match(JSON.parse((await ask('queues', '--json')).out), {
    queue: 'default',
    ready: 1,
    delayed: 1,
    leased: 0,
    dead: 1,
    paused: false,
  })
})

t.test('show', async t => {
  const { greet, ask, bury } = await world(t)
  await greet.with({ id: 'one', delay: '1h', priority: 'high', maxRetries: 3 }).send('Ada')
  const { code, out } = await ask('show', 'one')
  t.equal(code, 0)
  for (const line of [
    /^id +one$/m,
    /^state +delayed, due in /m,
    /^actor +greet$/m,
    /^priority +high$/m,
    /"maxRetries": 3/,
    /^ +"Ada"$/m,
  ])
    t.match(out, line)
  t.match(JSON.parse((await ask('show', 'one', '--json')).out), {
    id: 'one',
    state: 'delayed',
    place: 'delayed',
    actor: 'greet',
    args: ['Ada'],
    options: { maxRetries: 3 },
  })

  await greet.with({ id: 'two' }).send('Bob')
  await bury('default', 'retries exhausted', { type: 'TypeError', message: 'no name', stack: 'TypeError: no name\n    at here' })
  t.match((await ask('dead', 'show', 'two')).out, /^reason +retries exhausted$[^]*^error +TypeError: no name$[^]*^ +at here$/m)
  t.match(await ask('dead', 'show', 'one'), { code: 2, err: /one: it is not dead \(delayed\)/ })
  t.match(await ask('show', 'nobody'), { code: 2, out: '', err: /nobody: not in any queue of memory:/ })
  t.match(await ask('show', 'one', '--queue', 'mail'), { code: 2, err: /not in the queue mail/ })
  t.match(await ask('show', 'two words'), { code: 2, err: /ID_INVALID/ })
})

t.test('a body that nobody can decode is shown as bytes', async t => {
  const { broker, ask } = await world(t)
  await broker.push([{ id: 'bad', queue: 'default', body: Buffer.from('\u0000hello\u001b[2J'), attempt: 0, priority: 1 }])
  const { code, out } = await ask('show', 'bad')
  t.equal(code, 0)
  t.match(out, /not JSON/)
  t.match(out, /00 68 65 6c 6c 6f 1b 5b 32 4a +\.hello\.\[2J/)
  t.match(out, /10 bytes in all/)
  t.match(JSON.parse((await ask('show', 'bad', '--json')).out), {
    undecodable: /not JSON/,
    bodyBase64: Buffer.from('\u0000hello\u001b[2J').toString('base64'),
  })
})

t.test('messages in msgpack are shown too, and what JSON has no word for as a text', async t => {
  const namespace = `operator-${++apps}`
  const app = greenroom({ broker: 'memory:', namespace, encoding: 'msgpack' })
  t.teardown(() => app.close())
  const ask = (...argv: readonly string[]) => cli([...argv, '--broker', 'memory:', '--namespace', namespace])
  const keep = app.declare<(...args: unknown[]) => void>('keep')
  await keep.with({ id: 'one' }).send(new Date(0), Buffer.from('hi'), 5n, NaN, undefined, { at: [-Infinity], none: undefined })
  const { code, out } = await ask('show', 'one')
  t.equal(code, 0)
  for (const line of ['"1970-01-01T00:00:00.000Z"', '"base64:aGk="', '"5n"', '"NaN"', '"undefined"', '"-Infinity"'])
    t.ok(out.includes(line), line)
  t.strictSame(JSON.parse((await ask('show', 'one', '--json')).out).args, [
    '1970-01-01T00:00:00.000Z',
    'base64:aGk=',
    '5n',
    'NaN',
    'undefined',
    { at: ['-Infinity'] },
  ])
  const { broker } = await internalsOf(app).open()
  const consumer = await broker.consume({ queues: ['default'], credit: 1, leaseMs: 30_000, onLost() {} })
  const [taken] = await consumer.take(1, { waitMs: 0, signal: new AbortController().signal })
  await consumer.settle([{ token: taken!.token, kind: 'dead', reason: 'too bad' }])
  await consumer[Symbol.asyncDispose]()
  t.match((await ask('dead', 'list')).out, /default +one +keep .*too bad/)
  t.match(JSON.parse((await ask('dead', 'list', '--json')).out), { id: 'one', args: { 2: '5n' } })
})

t.test('what comes from a broker cannot write to the terminal', async t => {
  const { greet, ask, bury } = await world(t)
  const evil = 'a\u001b[2Jb\nqueue  forged\u202e\u2028c\u009b'
  const unsafe = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e]|^queue  forged/m
  await greet.with({ id: 'evil' }).send(evil)
  await bury('default', evil, { type: evil, message: evil, stack: `Error: ${evil}\n at ${evil}` })
  for (const argv of [
    ['dead', 'list'],
    ['dead', 'list', '--json'],
    ['list'],
    ['list', '--json'],
    ['dead', 'show', 'evil'],
    ['show', 'evil'],
    ['show', 'evil', '--json'],
  ]) {
    t.notMatch((await ask(...argv)).out, unsafe, argv.join(' '))
  }
  t.equal(JSON.parse((await ask('show', 'evil', '--json')).out).args[0], evil, 'JSON means the same')
  await greet.with({ id: 'long' }).send('x'.repeat(20_000))
  t.match((await ask('show', 'long')).out, 'x'.repeat(20_000), 'and is whole')
})

t.test('list', async t => {
  const { app, broker, greet, ask } = await world(t)
  t.match(await ask('list'), { code: 0, out: /^No such message in memory:/ })
  const mail = app.declare<(to: string, n: object) => void>('mail', { queue: 'mail' })
  await greet.with({ id: 'runs' }).send('Ada')
  const consumer = await broker.consume({ queues: ['default'], credit: 1, leaseMs: 30_000, onLost() {} })
  await consumer.take(1, { waitMs: 0, signal: new AbortController().signal })
  await greet.with({ id: 'later', delay: '1h' }).send('Eve')
  await greet.with({ id: 'next' }).send('Bob')
  await greet.with({ id: 'first', priority: 'high' }).send('Zoe')
  await mail.with({ id: 'long' }).send('x'.repeat(100), { n: [1] })
  await broker.push([{ id: 'bad', queue: 'mail', body: Buffer.from('{'), attempt: 2, priority: 1 }])

  const { code, out } = await ask('list')
  t.equal(code, 0)
  const [head, ...rows] = out.split('\n')
  t.match(head, /^queue +id +actor +state +retries +age +due +args$/)
  for (const [i, row] of [
    /^default +runs +greet +running +0 +\d+m?s ago +- +"Ada"$/,
    /^default +first +greet +waiting +0 +\d+m?s ago +- +"Zoe"$/,
    /^default +next +greet +waiting +0 +\d+m?s ago +- +"Bob"$/,
    /^default +later +greet +delayed +0 +\d+m?s ago +in (?:1h|60m) +"Eve"$/,
    /^mail +long +mail +waiting +0 +\d+m?s ago +- +"x{58}…$/,
    /^mail +bad +\? +waiting +2 +\d+m?s ago +- +undecodable: not JSON$/,
  ].entries())
    t.match(rows[i], row)
  t.equal(rows.length, 6)

  const ids = async (...argv: readonly string[]) =>
    (await ask('list', ...argv, '--json')).out.split('\n').map(line => (JSON.parse(line) as { id: string }).id)
  t.strictSame(await ids('mail'), ['long', 'bad'])
  t.strictSame(await ids('--state', 'delayed'), ['later'])
  t.strictSame(await ids('--state', 'running'), ['runs'])
  t.strictSame(await ids('--state', 'waiting', '--limit', '2'), ['first', 'next'])
  t.match((await ask('list', 'default', '--limit', '1')).out, /runs.*\n\.\.\. and 3 more; --limit shows them$/)
  t.match(JSON.parse((await ask('list', 'mail', '--json')).out.split('\n')[1]!), {
    state: 'waiting',
    place: 'ready',
    undecodable: /not JSON/,
  })
  t.match(await ask('list', 'default', '--state', 'delayed', '--limit', '1'), { code: 0 })
  t.strictSame(await ids('--queue', 'mail'), ['long', 'bad'])
  t.match(await ask('list', 'mail', '--queue', 'default'), { code: 2, err: /Two queues are given, mail and default\. Give one/ })
  t.match(await ask('list', '--state', 'ready'), {
    code: 2,
    err: /--state cannot be "ready". It is one of running, waiting, delayed/,
  })
  t.match(await ask('list', '--state', 'dead'), { code: 2, err: /Use greenroom dead list/ })
  await consumer[Symbol.asyncDispose]()
})

t.test('a queue that was never used is told of, with what is there', async t => {
  const { app, broker, ask } = await world(t)
  for (const group of [[], ['dead']])
    t.match(await ask(...group, 'list', 'othr'), {
      code: 2,
      out: '',
      err: /There is no queue othr in memory: .*\. It has no queue yet$/,
    })
  await broker.open(['other', 'mail'])
  for (const group of [[], ['dead']]) {
    t.match(await ask(...group, 'list', 'othr'), {
      code: 2,
      err: /no queue othr in .*\. Did you mean other\? Queues: (other, mail|mail, other)$/,
    })
    t.match(await ask(...group, 'list', 'elsewhere', '--json'), {
      code: 2,
      out: '',
      err: /no queue elsewhere in .*\)?\. Queues: /,
    })
    t.match(await ask(...group, 'list', 'mail'), { code: 0, out: /^No .* in the queue mail of memory:/ })
  }
  await app.declare<() => void>('many', { queue: 'q0' }).send()
  await broker.open(Array.from({ length: 20 }, (_, n) => `q${n}`))
  t.match(await ask('list', 'elsewhere'), { err: /Queues: (\w+, ){9}\w+ and 12 more$/ })
})

t.test('more than a page can be listed', async t => {
  const { greet, ask } = await world(t)
  await greet.sendMany(Array.from({ length: 250 }, (_, i): [string] => [`${i}`]))
  const { out } = await ask('list', '--limit', '240', '--json')
  t.strictSame(
    out.split('\n').map(line => (JSON.parse(line) as { args: string[] }).args[0]),
    Array.from({ length: 240 }, (_, i) => `${i}`),
  )
})

t.test('a broker that cannot list says so', async t => {
  const cwd = t.testdir({
    'jobs.mjs': `
      import { greenroom } from ${JSON.stringify(join(root, '.build/index.js'))}
      import { memoryBroker } from ${JSON.stringify(join(root, '.build/brokers/memory/index.js'))}
      const memory = memoryBroker()
      greenroom({ broker: { ...memory, name: 'mine://', capabilities: { ...memory.capabilities, peek: false } } })
    `,
  })
  t.match(await cli(['list', '--module', 'jobs.mjs'], { cwd }), { code: 2, err: /mine:\/\/ cannot list messages/ })
})

t.test('remove and promote', async t => {
  const { greet, ask, broker } = await world(t)
  await greet.with({ id: 'one', delay: '1h' }).send('Ada')
  await greet.with({ id: 'two' }).send('Bob')
  t.match(await ask('promote', 'one'), { code: 0, out: 'promoted one' })
  t.match(await ask('promote', 'two', 'one'), { code: 2, err: /two: it is not delayed \(waiting\)\n.*one: it is not delayed/ })
  t.match(await ask('remove', 'two', 'three'), { code: 2, out: 'removed two', err: /three: not in any queue/ })
  const consumer = await broker.consume({ queues: ['default'], credit: 1, leaseMs: 30_000, onLost() {} })
  await consumer.take(1, { waitMs: 0, signal: new AbortController().signal })
  t.match(await ask('remove', 'one'), { code: 2, err: /one: it is running now/ })
  await consumer[Symbol.asyncDispose]()
})

t.test('dead letters are listed, revived and dropped', async t => {
  const { app, greet, ask, bury, broker } = await world(t)
  const mail = app.declare<(name: string) => void>('mail', { queue: 'mail' })
  t.match(await ask('dead', 'list'), { code: 0, out: /^No dead letter in memory:/ })
  for (const id of ['one', 'two', 'three']) await greet.with({ id }).send('Ada')
  await mail.with({ id: 'four' }).send('Bob')
  await bury('default', 'too bad')
  await bury('mail', 'worse', { type: 'Error', message: 'no host' })

  const { code, out } = await ask('dead', 'list')
  t.equal(code, 0)
  t.match(
    out,
    /^queue +id +actor +died +retries +reason\ndefault +one +greet .*too bad\n[^]*\nmail +four +mail .*worse: Error: no host$/,
  )
  t.match((await ask('dead', 'list', '--limit', '2')).out, /one[^]*two[^]*\.\.\. and 2 more; --limit shows them$/)
  t.notMatch((await ask('dead', 'list', 'mail')).out, 'greet')
  t.notMatch((await ask('dead', 'list', '--queue', 'mail')).out, 'greet')
  const lines = (await ask('dead', 'list', '--json')).out.split('\n')
  t.strictSame(
    lines.map(line => JSON.parse(line).id),
    ['one', 'two', 'three', 'four'],
  )

  t.match(await ask('dead', 'revive'), { code: 2, err: /Nothing is chosen/ })
  t.match(await ask('dead', 'revive', 'one', '--all'), { code: 2, err: /Both ids and --all/ })
  t.match(await ask('dead', 'revive', 'one', 'nobody'), { code: 2, out: 'revived one', err: /nobody: not in any queue/ })
  t.match(await ask('dead', 'revive', 'one'), { code: 2, err: /one: it is not dead \(waiting\)/ })
  t.match(await ask('dead', 'revive', 'two', '--to', 'again'), { code: 0, out: 'revived two' })
  t.match(await broker.inspector!.find('two'), { envelope: { queue: 'again' }, place: 'ready' })
  t.match(await ask('dead', 'drop', 'one'), { code: 2, err: /it is not dead/ })
  t.match(await ask('dead', 'drop', 'three'), { code: 0, out: 'dropped three' })
  t.match(await ask('dead', 'revive', '--all', '--queue', 'default'), { code: 0, out: 'revived 0 dead letters' })
  t.match(await ask('dead', 'drop', '--all'), { code: 0, out: 'dropped 1 dead letter' })
})

t.test('the beginning of an id will do to show and to revive a dead letter, where it is clear', async t => {
  const { greet, ask, bury, broker } = await world(t)
  for (const id of ['abc-1', 'abc-2', 'abd', 'x', 'xyz']) await greet.with({ id }).send('Ada')
  await bury('default', 'too bad')
  await greet.with({ id: 'alive' }).send('Bob')
  t.match((await ask('dead', 'show', 'abd')).out, /^id +abd$/m)
  t.match((await ask('dead', 'show', 'ab')).err, /ab: several dead letters begin so: abc-1, abc-2, abd\. Give more of the id$/)
  t.match(await ask('dead', 'revive', 'ab', 'abc-2', 'nobody'), {
    code: 2,
    out: 'revived abc-2',
    err: /ab: several dead letters[^]*nobody: not in any queue/,
  })
  t.match(await ask('dead', 'revive', 'x'), { code: 0, out: 'revived x' }, 'a whole id is that one alone')
  t.match(await ask('dead', 'revive', 'xy'), { code: 0, out: 'revived xyz' }, 'the id that was found is printed')
  t.match(await ask('dead', 'revive', 'ali'), { code: 2, err: /ali: not in any queue/ }, 'only dead letters are looked through')
  t.match(
    await ask('dead', 'drop', 'abc'),
    { code: 2, err: /abc: not in any queue/ },
    'what is deleted for ever is named in full',
  )
  t.match(await broker.inspector!.counts('default'), { ready: 4, dead: 2 })
})

t.test('all dead letters are more than a page', async t => {
  const { greet, ask, bury, broker } = await world(t)
  for (let part = 0; part < 3; part++) {
    await greet.sendMany(Array.from({ length: 100 }, (_, i): [string] => [`${i}`]))
    await bury('default', 'too bad')
  }
  t.match(await ask('dead', 'revive', '--all'), { out: 'revived 300 dead letters' })
  t.match(await broker.inspector!.counts('default'), { ready: 300, dead: 0 })
  await bury('default', 'again')
  await bury('default', 'again')
  await bury('default', 'again')
  t.match(await ask('dead', 'drop', '--all', '--queue', 'default'), { out: 'dropped 300 dead letters' })
})

t.test('looking makes no folder, and says where it looked', async t => {
  const cwd = t.testdir({})
  for (const argv of [['queues'], ['list'], ['show', 'one'], ['dead', 'list'], ['dead', 'drop', '--all']]) {
    const { code, err } = await cli(argv, { cwd })
    t.equal(code, 2)
    t.ok(err.startsWith(`greenroom: There is no broker in ${cwd}/.greenroom. It was looked for from ${cwd}. Say where`), err)
    t.match(err, /--module <the file that makes the app> or --broker file:\/path/)
  }
  t.strictSame((await import('node:fs')).readdirSync(cwd), [])
  t.match(await cli(['queues', '--broker', 'file:else'], { cwd }), { code: 2, err: new RegExp(`no broker in ${cwd}/else`) })
})

t.test("another process's memory cannot be seen", async t => {
  t.match(await cli(['queues', '--broker', 'memory:']), { code: 2, err: /lives inside the process that made it/ })
  t.match(await cli(['send', 'greet'], { env: { GREENROOM_BROKER: 'memory:' } }), {
    code: 2,
    err: /lives inside the process that made it/,
  })
})

t.test('no broker is guessed in production', async t => {
  t.match(await cli(['queues'], { env: { NODE_ENV: 'production' } }), { code: 2, err: /GREENROOM_BROKER/ })
})
