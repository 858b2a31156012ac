/** The users of docs/redis.md, word for word: each can do what it is for, and nothing else. */
import t from 'tap'
import { needsOf, rulesOf } from '../../brokers/redis/access.ts'
import { redisBroker } from '../../brokers/redis/index.ts'
import { SCRIPTS } from '../../brokers/redis/scripts.ts'
import { brokerRules, runBrokerRules } from '../../conformance.ts'
import { greenroom } from '../../index.ts'
import type { Envelope } from '../../lib/broker.ts'
import { blocksOf } from '../docs-pages.ts'
import { keepLines } from '../helpers/recorder.ts'
import { startDaemon } from '../rig/daemon.ts'
import { redisAt } from '../rig/redis-at.ts'
import { redis } from '../rig/redis.ts'
import { openResp, type Resp } from '../rig/resp.ts'
import { redisTarget } from './redis-target.ts'

/** The rules of the page, in its order: who sends, who works, who looks. */
const [SENDER = '', WORKER = '', OPERATOR = ''] = blocksOf('docs/redis.md')
  .map(({ text }) => text)
  .filter(text => text.startsWith('ACL SETUSER '))
const wordsOf = (text: string) => text.replaceAll('PASSWORD', 'secret').match(/\([^)]*\)|\S+/g)!
const commandsOf = (text: string) => [...new Set(text.match(/\+[a-z|]+/g))].toSorted()

async function asked(resp: Resp, text: string, namespace = 'shop'): Promise<void> {
  const [command = '', ...words] = wordsOf(text)
  await resp.ask(command, ...words.map(word => word.replaceAll('{shop:', `{${namespace}:`)))
}
/** As a user: what the server answers, or how its refusal begins. */
async function as(user: string, port: number): Promise<Resp & { try(...words: string[]): Promise<unknown> }> {
  const resp = await openResp(port)
  await resp.ask('AUTH', user, 'secret')
  return { ...resp, try: (...words) => resp.ask(...words).catch((error: Error) => error.message.split(' ')[0]) }
}
const envelope = (id: string, more: Partial<Envelope> = {}): Envelope => ({
  id,
  queue: 'mail',
  body: Buffer.from('{}'),
  attempt: 0,
  priority: 1,
  ...more,
})
/** Everything that a push may come upon: bands, delays, one behind another, times, ids that come again. */
const pushes = (n: number): readonly Envelope[] =>
  [
    ...([0, 1, 2] as const).map(priority => envelope(`${n}-${priority}`, { priority })),
    envelope(`${n}-delayed`, { due: { afterMs: 60_000 } }),
    envelope(`${n}-once`, { onceMs: 60_000 }),
    envelope(`${n}-once`, { onceMs: 60_000 }),
  ].map(one => ({ ...one, queue: `mail-${n}` }))

t.test('the sender of the page can send whatever there is to send, and needs each of its rights', async t => {
  await using server = await startDaemon(redis())
  using resp = await openResp(server.port)
  await asked(resp, SENDER)
  const url = `redis://shop-web:secret@127.0.0.1:${server.port}`
  const { log, lines } = keepLines()
  let n = 0
  async function send(): Promise<readonly unknown[]> {
    await using broker = redisBroker({ url, namespace: 'shop', log })
    await broker.open([`mail-${++n}`]) // a new one: who waits there is woken
    return await broker.push(pushes(n))
  }
  const all = ['stored', 'stored', 'stored', 'stored', 'stored', 'duplicate']
  t.strictSame(await send(), all)
  t.strictSame(lines, [])

  for (const command of commandsOf(SENDER)) {
    const less = SENDER.replaceAll(new RegExp(` ?\\${command.replace('|', '\\|')}(?=[ )\\n])`, 'g'), ' ')
    await resp.ask('ACL', 'DELUSER', 'shop-web')
    await asked(resp, less)
    const verdicts = await send().catch((error: unknown) => [error])
    t.match(
      verdicts.find(verdict => typeof verdict === 'object'),
      { code: 'BROKER_DENIED' },
      `not without ${command}`,
    )
  }
})

t.test('the sender of the page can neither take, read nor delete, nor touch another namespace', async t => {
  await using server = await startDaemon(redis({ 'enable-debug-command': 'yes' }))
  using resp = await openResp(server.port)
  await asked(resp, SENDER)
  await using broker = redisBroker({ url: `redis://127.0.0.1:${server.port}`, namespace: 'shop', log: keepLines().log })
  await broker.push(pushes(0))
  await broker.consume({ queues: ['other'], credit: 1, leaseMs: 30_000, onLost() {} }) // loads the scripts
  using sender = await as('shop-web', server.port)
  const q = '{shop:mail-0}:'
  for (const command of [
    `LRANGE ${q}r1 0 -1`,
    `LPOP ${q}r1`,
    `GET ${q}r1`,
    `HGET ${q}delayed:b 0-delayed`,
    `HGETALL ${q}delayed:b`,
    `HKEYS ${q}leased:x`,
    `ZRANGE ${q}leases 0 -1`,
    `ZADD ${q}leases 1 x`,
    `ZREM ${q}delayed x`,
    `HSET ${q}meta paused 1`,
    `HSETNX ${q}meta paused 1`,
    `RPUSH ${q}again x`,
    `SET ${q}r1 x`,
    `DEL ${q}r1`,
    `GETDEL ${q}tok:x`,
    `EXPIRE ${q}r1 1`,
    `RENAME ${q}r1 {shop:mine}:r1`,
    `SMEMBERS {shop:}:queues`,
    `SET {shop:}:sweep x`,
    'RPUSH {bank:mail}:r1 x',
    'RPUSH {shopping:mail}:r1 x',
    'SET plain x',
    'PUBLISH {bank:mail}:wake x',
    `SUBSCRIBE ${q}wake`,
    'PSUBSCRIBE *',
    'KEYS *',
    'SCAN 0',
    'INFO',
    'CONFIG GET *',
    'CLIENT LIST',
    'MONITOR',
    'EVAL x 0',
    'FUNCTION LIST',
    'SCRIPT FLUSH',
    'ACL LIST',
    'FLUSHALL',
    'SHUTDOWN',
  ])
    t.equal(await sender.try(...command.split(' ')), 'NOPERM', command)

  const before = await resp.ask('DEBUG', 'DIGEST')
  for (const [name, { sha }] of Object.entries(SCRIPTS)) {
    if (name === 'push') continue
    await sender.try('EVALSHA', sha, '1', `${q}r0`, ...Array.from({ length: 12 }, () => '1'))
    t.equal(await resp.ask('DEBUG', 'DIGEST'), before, `the script ${name} changes nothing`)
  }
  const own = (await sender.try('SCRIPT', 'LOAD', `return redis.call('LRANGE', '${q}r1', 0, -1)`)) as string
  t.equal(await sender.try('EVALSHA', own, '1', `${q}r0`), 'ERR', 'a script of its own')
})

t.test('the worker of the page keeps the rules of brokers; with the rights of people also those of looking', async t => {
  await using server = await redisAt()
  using resp = await openResp(server.port)
  await asked(resp, WORKER, 'conformance')
  await asked(resp, OPERATOR, 'conformance')
  const target = redisTarget(server, () => `redis://shop-worker:secret@127.0.0.1:${server.port}`)
  const wanted =
    /lapse|suspect|dead|retry|release|follow-up|onceMs|late|paused|purge|promoted|rescheduled|removed|dispos|pages|found by id|oldestMs|exact|known/
  const rules = brokerRules.filter(([rule]) => wanted.test(rule))
  t.ok(rules.length > 30)
  const failed: string[] = []
  await runBrokerRules(rules, target, (rule, verdict) => {
    if (verdict.kind === 'failed') failed.push(`${rule}: ${verdict.error}`)
  })
  t.strictSame(failed, [])
})

t.test('an app works as the worker of the page, and its server is looked at', async t => {
  await using server = await startDaemon(redis())
  using resp = await openResp(server.port)
  await asked(resp, WORKER)
  const { log, lines } = keepLines()
  const app = greenroom({ broker: `redis://shop-worker:secret@127.0.0.1:${server.port}`, namespace: 'shop', log })
  const ran: string[] = []
  const second = app.actor(async (from: string) => void ran.push(from), { name: 'second' })
  const first = app.actor(async (n: number) => `${n}`, { name: 'first', onSuccess: second })
  const worker = await app.work({ until: 'idle' })
  await first.sendMany([[1], [2]])
  await worker.stopped
  const again = await app.work({ until: 'idle' })
  await again.stopped
  t.strictSame(ran.toSorted(), ['1', '2'])
  t.strictSame(
    lines.filter(({ level }) => level === 'warn' || level === 'error'),
    [],
  )
  t.match(lines, [{ level: 'info', text: 'what this Redis keeps', facts: { appendfsync: undefined } }])
  await app.close()
})

t.test('the users of the page have the rights of their scripts, no more and no less', async t => {
  const { send, work, operate } = needsOf('shop')
  const rules = (...samples: readonly string[]) => commandsOf(rulesOf(samples))
  t.strictSame(commandsOf(SENDER), rules(...send))
  t.strictSame(commandsOf(WORKER), [...rules(...send, ...work), '+sunsubscribe'].toSorted())
  t.strictSame(commandsOf(WORKER + OPERATOR), [...rules(...send, ...work, ...operate), '+sunsubscribe'].toSorted())
  const used = (isWanted: (name: string) => boolean) =>
    new Set(
      Object.entries(SCRIPTS).flatMap(([name, { lua }]) =>
        isWanted(name) ? [...lua.matchAll(/(?:call|each)\('([A-Z]+)'/g)].map(([, command]) => `+${command!.toLowerCase()}`) : [],
      ),
    )
  // What the store runs is told apart on the page.
  const isLooking = (name: string) => name.startsWith('inspect-'),
    isStore = (name: string) => name.startsWith('store-')
  const inWork = used(name => !isLooking(name) && !isStore(name)),
    inAll = used(name => !isStore(name))
  const beside = ['+evalsha', '+script|load', '+ssubscribe', '+sunsubscribe', '+info', '+sadd', '+smembers']
  t.strictSame([...inWork, ...beside].toSorted(), commandsOf(WORKER))
  t.strictSame([...inAll, ...beside, '+zscan'].toSorted(), commandsOf(WORKER + OPERATOR))
})
