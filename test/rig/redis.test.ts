/** A real Redis in the hands of the rig: started, killed, paused, stopped, started again, and behind the proxy. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { turns } from '../helpers/turns.ts'
import { everyCut, measure } from './cuts.ts'
import { type Daemon, startDaemon } from './daemon.ts'
import { freePort, isFree } from './ports.ts'
import { openProxy } from './proxy.ts'
import { redis } from './redis.ts'
import { openResp } from './resp.ts'

async function ask(port: number, ...words: readonly string[]) {
  using resp = await openResp(port)
  return await resp.ask(...words)
}
/** A process that has ended and whose parent has not looked yet is gone. */
function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return process.platform !== 'linux' || !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')
  } catch {
    return false
  }
}
const isStopped = (pid: number) => readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') T ')

t.test('it answers as itself, on its own port and in its own folder, and is gone with its folder', async t => {
  let one!: Daemon
  {
    await using server = await startDaemon(redis())
    await using other = await startDaemon(redis())
    one = server
    t.notSame([server.port, server.place.folder, server.pid], [other.port, other.place.folder, other.pid])
    t.equal(await ask(server.port, 'PING'), 'PONG')
    t.match(await ask(server.port, 'INFO', 'server'), new RegExp(`process_id:${server.pid}\r`))
    await ask(server.port, 'SET', 'k', 'of the first')
    t.equal(await ask(other.port, 'GET', 'k'), null)
    t.ok(isThere(server.pid) && existsSync(server.place.folder))
  }
  t.notOk(isThere(one.pid))
  t.notOk(existsSync(one.place.folder))
  t.ok(await isFree(one.port))
})

t.test('killed or stopped, it is gone; started again, it has its port and its data', async t => {
  await using server = await startDaemon(redis())
  for (const end of ['kill', 'stop', 'kill'] as const) {
    const { pid, port } = server
    await ask(port, 'INCR', 'starts')
    await server[end]()
    t.notOk(isThere(pid), end)
    await t.rejects(ask(port, 'PING'), /ECONNREFUSED/)
    await server.start()
    t.not(server.pid, pid)
    t.equal(server.port, port)
  }
  t.equal(await ask(server.port, 'GET', 'starts'), '3')
})

t.test('settings are its own', async t => {
  await using server = await startDaemon(redis({ appendonly: 'no', maxmemory: '7mb' }))
  t.match(await ask(server.port, 'INFO', 'memory'), /maxmemory:7340032\r/)
  await ask(server.port, 'SET', 'k', 'v')
  await server.kill()
  await server.start()
  t.equal(await ask(server.port, 'GET', 'k'), null, 'nothing is kept without its file')
})

t.test('at a socket in its folder it answers there alone, also when it was killed', async t => {
  await using server = await startDaemon(redis({ unixsocket: 'redis.sock' }))
  const path = join(server.place.folder, 'redis.sock')
  for (const starts of [1, 2]) {
    using resp = await openResp(connect(path))
    t.equal(await resp.ask('INCR', 'starts'), starts)
    t.ok(await isFree(server.port), 'nobody is on its port')
    await server.kill()
    await server.start()
  }
  await using both = await startDaemon(redis({ unixsocket: 'redis.sock', port: await freePort() }))
  using resp = await openResp(connect(join(both.place.folder, 'redis.sock')))
  const port = /tcp_port:(\d+)\r/.exec(String(await resp.ask('INFO', 'server')))![1]
  t.equal(await ask(Number(port), 'PING'), 'PONG', 'and on a port that is given too')
})

t.test('paused, it says nothing; its connections live, and it answers when it goes on', async t => {
  await using server = await startDaemon(redis())
  using resp = await openResp(server.port)
  await resp.ask('SET', 'k', 'v')
  server.pause()
  const answered = resp.ask('GET', 'k').then(reply => ({ reply }))
  while (process.platform === 'linux' && !isStopped(server.pid)) await turns(1) // the system stops a process some time after the signal
  await turns(200)
  t.equal(await Promise.race([answered, 'silence']), 'silence')
  server.continue()
  t.strictSame(await answered, { reply: 'v' })
  server.pause()
  await server.kill()
  t.notOk(isThere(server.pid), 'a paused one can be killed')
})

t.test('one that does not start says why, with what it printed', async t => {
  const before = readdirSync(tmpdir()).filter(name => name.startsWith('greenroom-redis-'))
  await t.rejects(
    startDaemon(redis({ maxmemory: 'plenty' })),
    /redis on port \d+ ended \(1\) before it answered; it printed:[^]*maxmemory "plenty"/,
  )
  await t.rejects(startDaemon({ ...redis(), isOurs: async () => false }), /is answered for by another process/)
  const after = readdirSync(tmpdir()).filter(name => name.startsWith('greenroom-redis-'))
  t.strictSame(after, before, 'their folders are gone')
})

t.test('a port that somebody took between the look and the start is no reason to fail', async t => {
  const kind = redis()
  let starts = 0
  await using server = await startDaemon({
    ...kind,
    command(place) {
      if (starts++ === 0) {
        const taker = createServer().listen(place.ports[0]) // bound when this returns
        t.teardown(() => taker.close())
      }
      return kind.command(place)
    },
  })
  t.equal(starts, 2)
  t.equal(await ask(server.port, 'PING'), 'PONG')
})

t.test('when the test is killed, the server and its folder go too', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'greenroom-killed-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const urls = ['daemon', 'redis'].map(name => new URL(`./${name}.js`, import.meta.url).href)
  const code = `
    const { startDaemon } = await import(${JSON.stringify(urls[0])}), { redis } = await import(${JSON.stringify(urls[1])})
    const server = await startDaemon(redis())
    process.send({ pid: server.pid, folder: server.place.folder })`
  const test = spawn(process.execPath, ['--input-type=module', '-e', code], {
    cwd: fileURLToPath(new URL('.', import.meta.url)),
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const [{ pid, folder: made }] = (await once(test, 'message')) as [{ pid: number; folder: string }]
  t.ok(isThere(pid) && existsSync(made))
  test.kill('SIGKILL')
  await once(test, 'exit')
  while (isThere(pid) || existsSync(made)) await turns(1)
  t.pass('both are gone')
})

t.test('through the proxy: PING, and an INCR that is cut at every byte was done once or not at all', async t => {
  await using server = await startDaemon(redis({ appendfsync: 'no' }))
  await using proxy = await openProxy({ to: server })
  t.equal(await ask(proxy.port, 'PING'), 'PONG')
  const length = await measure(proxy, () => ask(proxy.port, 'INCR', 'n'))
  let done = 1
  for (const { direction, bytes, how } of everyCut(length)) {
    const cut = proxy.cutAfter(bytes, direction, how)
    const reply = await ask(proxy.port, 'INCR', 'n').catch(() => undefined)
    t.ok(await cut)
    await proxy.quiet()
    const after = Number(await ask(server.port, 'GET', 'n'))
    // All of the command has arrived: it is done, also where the client never knows; a reset right behind it may overtake it.
    const may = direction === 'down' ? [1] : bytes === length.up ? [0, 1] : [0]
    t.ok(may.includes(after - done), `${bytes} bytes ${direction}: done ${after - done} times`)
    done = after
    t.equal(reply, direction === 'down' && bytes === length.down ? done : undefined, `${bytes} bytes ${direction}`)
  }
  const dropped = proxy.dropReply()
  await t.rejects(ask(proxy.port, 'INCR', 'n'), /ended after 0 of/)
  t.ok(await dropped)
  t.equal(await ask(server.port, 'GET', 'n'), `${done + 1}`)
})

t.test('killed behind the proxy, which then leads to another one', async t => {
  await using first = await startDaemon(redis())
  await using second = await startDaemon(redis())
  await using proxy = await openProxy({ to: first })
  using resp = await openResp(proxy.port)
  await resp.ask('SET', 'who', 'first')
  await first.kill()
  await resp.client.ended
  proxy.repoint(second)
  t.equal(await ask(proxy.port, 'GET', 'who'), null)
})
