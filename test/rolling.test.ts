/** A rolling deploy: two workers are replaced one by one while a sender of the new version sends. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { greenroom } from '../index.ts'
import { root } from './root.ts'

const cli = join(root, 'dist/esm/cli/main.js')

t.test(
  'two versions of a module, restarted one by one under a sender of the new one: no dead letter, everything runs once',
  async t => {
    const folder = mkdtempSync(join(tmpdir(), 'greenroom-rolling-'))
    const url = `file:${join(folder, 'queue')}`
    const app = greenroom({ broker: url })
    const kept = app.declare<(n: number) => Promise<void>>('kept'),
      added = app.declare<(n: number) => Promise<void>>('added')
    const ran: string[] = [],
      children = new Set<ChildProcess>()
    let heard = () => {}
    t.teardown(async () => {
      for (const child of children) child.kill('SIGKILL')
      await app.close()
      rmSync(folder, { recursive: true, force: true })
    })

    /** A worker that is up: its first run, or its first line, has been printed. */
    async function start(module: string): Promise<ChildProcess> {
      const child = spawn(process.execPath, [cli, 'worker', join(root, 'test/fixtures/rolling', module)], {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { ...process.env, GREENROOM_BROKER: url },
      })
      children.add(child)
      const up = new Promise<void>(resolve => {
        createInterface({ input: child.stdout! }).on('line', line => {
          if (line.startsWith('ran ')) ran.push(line.slice(4))
          heard()
          resolve()
        })
      })
      await up
      return child
    }
    async function stop(child: ChildProcess): Promise<void> {
      child.kill('SIGTERM')
      const [code] = await once(child, 'exit')
      children.delete(child)
      t.equal(code, 0, 'a worker that was told to stop ends well')
    }
    async function until(count: number): Promise<void> {
      while (ran.length < count) await new Promise<void>(resolve => (heard = resolve))
    }
    const send = (from: number) =>
      Promise.all(Array.from({ length: 20 }, (_, i) => [kept.send(from + i), added.send(from + i)]).flat())

    const first = await start('v1.mjs'),
      second = await start('v1.mjs')
    await send(0)
    await until(20) // all of `kept`; nobody here knows `added`
    t.ok(ran.every(line => line.startsWith('kept')))
    await stop(first)
    const third = await start('v2.mjs')
    await send(20)
    await until(60)
    await stop(second)
    const fourth = await start('v2.mjs')
    await send(40)
    await until(120)
    await Promise.all([stop(third), stop(fourth)])
    const expected = Array.from({ length: 60 }, (_, n) => [`added ${n}`, `kept ${n}`]).flat()
    t.strictSame(ran.toSorted(), expected.toSorted(), 'each ran exactly once')
    await using broker = (await import('../brokers/embedded/index.ts')).embeddedBroker({ path: join(folder, 'queue') })
    t.match(await broker.inspector!.counts('default'), { ready: 0, delayed: 0, leased: 0, suspect: 0, dead: 0 })
  },
)
