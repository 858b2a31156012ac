/** `greenroom doctor` on Redis: what it is, keeps and refuses, in lines that say what to do. */
import t from 'tap'
import { systemClock } from '../../lib/clock.ts'
import { startDaemon } from '../rig/daemon.ts'
import { freePort } from '../rig/ports.ts'
import { redisAt } from '../rig/redis-at.ts'
import { redis } from '../rig/redis.ts'
import { openResp } from '../rig/resp.ts'
import { cli } from './fake-io.ts'

const doctor = async (cwd: string, broker: string) => {
  const { code, out } = await cli(['doctor'], { cwd, env: { GREENROOM_BROKER: broker }, clock: systemClock })
  return {
    code,
    lines: out.split('\n').filter(line => !/Node|greenroom\.config|this is greenroom|it is not installed/.test(line) && line),
  }
}

t.test('a server that is well', async t => {
  await using server = await startDaemon(redis())
  const { code, lines } = await doctor(t.testdir({}), `redis://127.0.0.1:${server.port}`)
  t.equal(code, 0)
  t.match(lines, [
    /^ok +broker redis:\/\/127\.0\.0\.1:\d+\/0 \(GREENROOM_BROKER, environment development\) answered in /,
    /^ok +Redis \d+\.\d+\.\d+, master with 0 replicas, appendonly yes, appendfsync everysec, noeviction, no maxmemory$/,
    /a call takes \d+\.\d ms/,
    /^ok +its clock is this machine’s, \d+ms apart$/,
    /^ok +its user may send, work and look into queues$/,
    /^ok +0 queues, and nothing odd in them$/,
  ])
})

t.test('settings that lose messages, memory that is nearly full', async t => {
  await using server = await startDaemon(redis({ appendonly: 'no' }))
  using resp = await openResp(server.port)
  await resp.ask('CONFIG', 'SET', 'maxmemory-policy', 'volatile-ttl', 'maxmemory', '1')
  const { code, lines } = await doctor(t.testdir({}), `redis://127.0.0.1:${server.port}`)
  t.equal(code, 0)
  t.match(
    lines[1],
    /^look +Redis .*% of its memory used: when it is full sends are refused\. Run more workers, or raise maxmemory$/,
  )
  t.match(lines[2], /^look +it keeps nothing on disk: .*\. Set appendonly yes$/)
  t.match(lines[3], /^look +maxmemory-policy is volatile-ttl: .*\. Set maxmemory-policy noeviction/)
})

t.test('a clock that is wrong', async t => {
  await using server = await redisAt({}, systemClock.now() + 3_600_000)
  const { lines } = await doctor(t.testdir({}), `redis://127.0.0.1:${server.port}`)
  t.match(
    lines.join('\n'),
    /^look +its clock is (1h|[56]\d(\.\d)?m) ahead of this machine’s: `at` and `maxAge` are off by that\. Set both by NTP$/m,
  )
})

t.test('users: who may only send, who may not even that, who is none', async t => {
  await using server = await startDaemon(redis())
  using resp = await openResp(server.port)
  const setUser = (...rules: string[]) => resp.ask('ACL', 'SETUSER', 'shop', 'reset', 'on', '>secret', '~*', '&*', ...rules)
  const look = (password = 'secret') => doctor(t.testdir({}), `redis://shop:${password}@127.0.0.1:${server.port}`)

  await setUser('+@all', '-ltrim', '-info')
  const sender = await look()
  t.equal(sender.code, 0)
  t.match(sender.lines, [
    /^ok/,
    /^look +its user may not read INFO, so nobody knows what it keeps\. Give it \+info$/,
    /a call takes/,
    /^ok/,
    /^look +its user may send and not work, which is right for who only sends\. A worker needs \+ltrim \+info, see docs\/redis\.md$/,
    /^ok +0 queues/,
  ])

  await setUser('+@all', '-rpush', '-zadd')
  const refused = await look()
  t.equal(refused.code, 3)
  t.match(
    refused.lines.at(-1),
    /^bad +its user may not send: it is refused zadd \{greenroom:\.access\}:delayed 1 x, rpush .*\. Give it \+zadd \+rpush on these keys and channels, see docs\/redis\.md \[BROKER_DENIED\]$/,
  )
  await setUser('+@all', 'resetkeys', '~{mine:*')
  t.match((await look()).lines.at(-1), /^bad .*NOPERM.*\[BROKER_DENIED\]$/, 'keys of another namespace')

  const wrong = await look('wrong')
  t.equal(wrong.code, 3)
  t.match(wrong.lines, [/^bad .*WRONGPASS.*Give the right user and password.*\[BROKER_DENIED\]$/])
  t.notMatch([...sender.lines, ...refused.lines, ...wrong.lines].join(), /secret/)
})

t.test('a server that is not there', async t => {
  const { code, lines } = await doctor(t.testdir({}), `redis://:secret@127.0.0.1:${await freePort()}`)
  t.equal(code, 3)
  t.match(lines, [/^bad +redis:.* cannot be reached \(.*ECONNREFUSED\)\. Is it running and reachable\? .*\[BROKER_DOWN\]$/])
  t.notMatch(lines.join(), /secret/)
})
