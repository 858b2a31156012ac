/** A real RabbitMQ in the hands of the rig. One node for all of it: to start one takes seconds. */
import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import t from 'tap'
import { turns } from '../helpers/turns.ts'
import { openAmqp } from './amqp.ts'
import { startDaemon } from './daemon.ts'
import { isFree } from './ports.ts'
import { openProxy } from './proxy.ts'
import { rabbitmq } from './rabbitmq.ts'

t.test('started, paused, cut off, stopped and killed, it keeps what it confirmed; at the end nothing is left of it', async t => {
  const kind = rabbitmq(),
    server = await startDaemon(kind)
  t.teardown(() => server[Symbol.asyncDispose]())
  const { port, place } = server
  const ours = () => processes(place.folder)

  await t.test('its node is its own, and listens on the loopback only', async t => {
    const { program, args, env } = kind.control(place, 'eval', 'node().')
    const { stdout } = await promisify(execFile)(program, args, { env: { ...process.env, ...env } })
    t.equal(stdout.trim(), kind.node)
    t.notOk(await isFree(port))
  })

  await t.test('paused, it says nothing and loses nothing; continued, it answers', async t => {
    using amqp = await openAmqp(port)
    await amqp.declare('kept')
    await amqp.publish('kept', 'before the pause')
    server.pause()
    const confirmed = amqp.publish('kept', 'during the pause').then(() => 'confirmed')
    await turns(200)
    t.equal(await Promise.race([confirmed, 'silence']), 'silence')
    server.continue()
    t.equal(await confirmed, 'confirmed')
  })

  await t.test('a confirm that is lost on the way: the message is there all the same', async t => {
    await using proxy = await openProxy({ to: server })
    using amqp = await openAmqp(proxy.port)
    const dropped = proxy.dropReply()
    await t.rejects(amqp.publish('kept', 'confirmed to nobody'), /ended after/)
    t.ok(await dropped)
    using again = await openAmqp(port)
    t.equal(await again.declare('kept'), 3)
  })

  for (const end of ['kill', 'stop'] as const)
    await t.test(`${end}, and started again`, async t => {
      const before = ours()
      await server[end]()
      t.ok(await isFree(port))
      if (process.platform === 'linux') t.ok(before.length > ours().length)
      await t.rejects(openAmqp(port), /ended after 0 of/)
      await server.start()
      using amqp = await openAmqp(port)
      t.equal(await amqp.declare('kept'), 3)
    })

  await t.test('all is there, in its order; then all is gone', async t => {
    {
      using amqp = await openAmqp(port)
      for (const body of ['before the pause', 'during the pause', 'confirmed to nobody', undefined])
        t.equal(await amqp.get('kept'), body)
    }
    if (process.platform === 'linux') t.not(ours().length, 0)
    await server[Symbol.asyncDispose]()
    t.strictSame(ours(), [])
    t.notOk(existsSync(place.folder))
    for (const one of place.ports) t.ok(await isFree(one))
  })
})

/** Ids of the processes that have this folder in their environment: the node, what it started, and its epmd. Linux alone tells. */
function processes(folder: string): number[] {
  if (process.platform !== 'linux') return []
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .filter(pid => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(folder)
      } catch {
        return false // it has ended
      }
    })
    .map(Number)
}
