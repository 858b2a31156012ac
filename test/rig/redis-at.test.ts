/** A Redis whose clock stands still until a test moves it. */
import t from 'tap'
import { turns } from '../helpers/turns.ts'
import { seeded, whole } from './random.ts'
import { type RedisAt, redisAt } from './redis-at.ts'
import { openResp } from './resp.ts'

async function ask(port: number, ...words: readonly string[]) {
  using resp = await openResp(port)
  return await resp.ask(...words)
}
/** What a script is told, epoch us; the second one after some work. */
const SCRIPT = `local a = redis.call('TIME'); for i = 1, 1000 do redis.call('TIME') end; local b = redis.call('TIME')
  return a[1] .. a[2] .. ' ' .. b[1] .. b[2]`
const time = async ({ port }: RedisAt) => {
  const [seconds, us] = (await ask(port, 'TIME')) as string[]
  return Number(seconds) * 1e6 + Number(us)
}

t.test('its clock stands still, and moves as far as it is told, to the microsecond', async t => {
  await using server = await redisAt()
  const start = Date.UTC(2026, 0, 1)
  t.equal(server.now(), start)
  t.equal(await time(server), start * 1_000)
  await turns(500)
  t.equal(await time(server), start * 1_000, 'nothing passes by itself')
  const random = seeded(7)
  let us = start * 1_000
  const expected: number[] = [],
    told: number[] = []
  while (expected.length < 200) {
    const step = whole(random, 0, 10 ** whole(random, 0, 10))
    server.advance(step / 1_000)
    expected.push((us += step))
    told.push(await time(server))
  }
  t.strictSame(told, expected)
  server.advance(10 * 365 * 86_400_000)
  t.equal(await time(server), us + 10 * 365 * 86_400_000_000, 'ten years')
  t.throws(() => server.advance(-1), /time does not go back, by -1 ms/)
})

t.test('a script is told the same, before and after its work', async t => {
  await using server = await redisAt({}, Date.UTC(2031, 4, 6, 7, 8, 9, 123))
  server.advance(4)
  const expected = `${Date.UTC(2031, 4, 6, 7, 8, 9) / 1_000}127000`
  t.equal(await ask(server.port, 'EVAL', SCRIPT, '0'), `${expected} ${expected}`)
})

t.test('a key is there to the end of its last millisecond, and gone with the next one', async t => {
  await using server = await redisAt()
  await ask(server.port, 'SET', 'k', 'v', 'PX', '5000')
  server.advance(4_999)
  t.equal(await ask(server.port, 'PTTL', 'k'), 1)
  server.advance(1)
  t.equal(await ask(server.port, 'GET', 'k'), 'v')
  server.advance(1)
  t.equal(await ask(server.port, 'GET', 'k'), null)
})

t.test('what has expired is deleted, also where nobody asks for it; and nothing else is', async t => {
  await using server = await redisAt()
  for (let key = 0; key < 50; key++) await ask(server.port, 'SET', `short ${key}`, 'v', 'PX', '1000')
  await ask(server.port, 'SET', 'long', 'v', 'PX', '1002')
  server.advance(1_001)
  while (((await ask(server.port, 'DBSIZE')) as number) > 1) await turns(1)
  t.match(await ask(server.port, 'INFO', 'stats'), /expired_keys:50\r/)
  t.equal(await ask(server.port, 'PTTL', 'long'), 1)
})

t.test('a command that blocks waits by its clock', async t => {
  await using server = await redisAt()
  using waiting = await openResp(server.port)
  const popped = waiting.ask('BLPOP', 'list', '3600')
  while (!/blocked_clients:1\r/.test(String(await ask(server.port, 'INFO', 'clients')))) await turns(1)
  server.advance(3_599_000)
  await turns(500)
  t.match(await ask(server.port, 'INFO', 'clients'), /blocked_clients:1\r/)
  server.advance(1_001)
  t.equal(await popped, null)
})

t.test('its clock is its own, goes on from where it was after a kill, and can be moved meanwhile', async t => {
  await using server = await redisAt()
  await using other = await redisAt()
  await ask(server.port, 'SET', 'k', 'v', 'PX', '5000')
  await ask(server.port, 'SET', 'l', 'v', 'PX', '5002')
  server.advance(1_000)
  await server.kill()
  server.advance(4_001)
  await server.start()
  t.equal(await time(server), server.now() * 1_000)
  t.equal(server.now(), Date.UTC(2026, 0, 1) + 5_001)
  t.equal(await ask(server.port, 'GET', 'k'), null)
  t.equal(await ask(server.port, 'PTTL', 'l'), 1)
  t.equal(await time(other), Date.UTC(2026, 0, 1) * 1_000)
})
