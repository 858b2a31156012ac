/** The parent of `--processes`, with children that live and die when the test says so, on a clock that it moves. */
import t from 'tap'
import type { Child } from '../../cli/command.ts'
import { workerSettings } from '../../cli/worker/options.ts'
import { supervise } from '../../cli/worker/supervise.ts'
import { turns } from '../helpers/turns.ts'
import { fakeIo } from './fake-io.ts'

interface FakeChild extends Child {
  readonly number: number
  readonly orders: string[]
  up(): void
  die(end: number | NodeJS.Signals): void
}

function world(values: Parameters<typeof workerSettings>[0]) {
  const children: FakeChild[] = []
  const quits: number[] = []
  const io = fakeIo({
    quit: code => {
      quits.push(code)
    },
    fork(args, number, line) {
      const orders: string[] = []
      const { promise: ended, resolve: die } = withResolvers<number | NodeJS.Signals>()
      const { promise: ready, resolve: isReady } = withResolvers<boolean>()
      void ended.then(() => isReady(false))
      const up = () => {
        line(`up ${args.join(' ')}`, false)
        isReady(true)
      }
      const child = {
        number,
        pid: 100 + children.length,
        ready,
        ended,
        orders,
        up,
        die,
        order: (word: string) => orders.push(word),
        kill: () => die('SIGKILL'),
      }
      children.push(child)
      return child
    },
  })
  return { io, children, quits, code: supervise(['worker', 'a.js'], workerSettings(values), io) }
}

function withResolvers<T>() {
  let resolve!: (value: T) => void
  const promise = new Promise<T>(done => {
    resolve = done
  })
  return { promise, resolve }
}

t.test('the first child alone, then the others; a signal stops them all', async t => {
  const { io, children, code } = world({ processes: '3' })
  await turns()
  t.equal(children.length, 1)
  children[0]!.up()
  await turns()
  t.strictSame(
    children.map(({ number }) => number),
    [1, 2, 3],
  )
  t.match(io.printed, ['greenroom 0.0.0 worker, 3 processes, parent 1', '[1] up worker a.js'])
  for (const child of children.slice(1)) child.up()
  io.stop('SIGTERM')
  t.match(io.errors.at(-1), 'stopping: 3 processes, up to 25s; again to stop now')
  t.strictSame(
    children.map(({ orders }) => orders),
    [['stop'], ['stop'], ['stop']],
  )
  for (const child of children) child.die(0)
  t.equal(await code, 0)
  t.equal(io.clock.pending, 0, 'no timer is left')
  t.equal(children.length, 3, 'none is started again')
})

t.test('a child that dies is started again, later each time', async t => {
  const { io, children, code } = world({ processes: '1' })
  children[0]!.up()
  const waits: (number | undefined)[] = []
  for (let i = 0; i < 4; i++) {
    await turns()
    children.at(-1)!.up()
    children.at(-1)!.die(i % 2 === 0 ? 'SIGKILL' : 1)
    await turns()
    waits.push(io.clock.next())
    io.clock.advance(io.clock.next()!)
    await turns()
  }
  t.strictSame(waits, [200, 400, 800, 1_600])
  t.match(io.errors, [
    '[1] process 100 was ended by SIGKILL; started again in 200ms',
    '[1] process 101 ended with exit code 1; started again in 400ms',
  ])
  children.at(-1)!.up()
  io.clock.advance(10_000)
  children.at(-1)!.die('SIGKILL')
  await turns()
  t.equal(io.clock.next(), 100, 'a long life is forgiven')
  io.stop('SIGTERM')
  t.equal(await code, 0)
})

t.test('five that never become ready are enough, whatever came before', async t => {
  const { io, children, code } = world({ processes: '2' })
  children[0]!.up()
  await turns()
  for (let i = 0; i < 5; i++) {
    children.at(-1)!.die(3)
    await turns()
    if (i < 4) io.clock.advance(io.clock.next()!)
    await turns()
  }
  t.match(io.errors.at(-1), /keep dying \(5 times in a row\)/)
  t.strictSame(children[0]!.orders, ['stop'], 'the one that is well drains')
  children[0]!.die(0)
  t.equal(await code, 5)
})

t.test('a message that kills five of them is not the end', async t => {
  const { io, children, code } = world({ processes: '1' })
  for (let i = 0; i < 6; i++) {
    children.at(-1)!.up()
    children.at(-1)!.die('SIGSEGV')
    await turns()
    io.clock.advance(io.clock.next()!)
    await turns()
  }
  t.equal(children.length, 7)
  io.stop('SIGINT')
  children.at(-1)!.die(0)
  t.equal(await code, 0)
})

t.test('a module that cannot be loaded, or a wrong flag, is told once', async t => {
  for (const exit of [2, 4]) {
    const { children, code } = world({ processes: '4' })
    children[0]!.die(exit)
    t.equal(await code, exit)
    t.equal(children.length, 1)
  }
})

t.test('drained children have done their work', async t => {
  const { io, children, code } = world({ processes: '2', drain: true })
  children[0]!.up()
  await turns()
  children[0]!.die(0)
  children[1]!.die('SIGKILL')
  await turns()
  t.equal(children.length, 2)
  io.clock.advance(io.clock.next()!)
  await turns()
  t.equal(children.length, 3, 'one that was killed has not')
  children[2]!.die(0)
  t.equal(await code, 0)
})

t.test('a second signal forces, a third kills', async t => {
  const { io, children, quits, code } = world({ processes: '1' })
  children[0]!.up()
  for (let i = 0; i < 3; i++) {
    io.stop('SIGTERM')
    io.clock.advance(100)
  }
  t.strictSame(children[0]!.orders, ['stop', 'force'])
  t.equal(await children[0]!.ended, 'SIGKILL')
  t.strictSame(quits, [1])
  t.equal(await code, 1)
})

t.test('a child that does not end within grace, abort and a margin is killed', async t => {
  const { io, children, code } = world({ processes: '1', grace: '1s' })
  children[0]!.up()
  await turns()
  io.stop('SIGTERM')
  io.clock.advance(10_999)
  t.notMatch(io.errors.join(), 'does not end')
  io.clock.advance(1)
  t.match(io.errors.at(-1), '[1] process 100 does not end: killed; its messages run again')
  t.equal(await code, 0)
})
