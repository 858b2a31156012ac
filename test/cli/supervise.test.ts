/** The parent of `--processes`, with children that live and die when the test says so, on a clock that it moves. */
import t from 'tap'
import { workerSettings } from '../../cli/worker/options.ts'
import { turns } from '../helpers/turns.ts'
import { world } from './fake-children.ts'

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

/** A parent whose children are all ready. */
async function serving(count: number, flags: Parameters<typeof workerSettings>[0] = {}) {
  const made = world({ processes: `${count}`, ...flags })
  for (let n = 0; n < count; n++) {
    await turns()
    made.children[n]!.up()
  }
  await turns()
  return made
}

t.test('SIGHUP replaces one after the other: the old one drains when the new one is ready', async t => {
  const { io, children, code } = await serving(2)
  io.reload()
  await turns()
  t.equal(io.errors.at(-1), 'SIGHUP: 2 processes are replaced one by one')
  t.equal(children.length, 3, 'the first alone')
  t.strictSame(children[0]!.orders, [], 'which serves until then')
  children[2]!.up()
  await turns()
  t.strictSame([children[0]!.orders, children[1]!.orders], [['stop'], []])
  t.strictSame(
    children.map(({ number }) => number),
    [1, 2, 1, 2],
  )
  children[3]!.up()
  await turns()
  t.strictSame(children[1]!.orders, ['stop'])
  children[0]!.die(0)
  io.clock.advance(25_000 + 10_000)
  t.match(io.errors.at(-1), '[2] process 101 does not end: killed; its messages run again')
  await turns()
  t.equal(children.length, 4, 'their ends are no deaths')
  io.stop('SIGTERM')
  for (const child of children) child.die(0)
  t.equal(await code, 0)
  t.equal(io.clock.pending, 0)
})

t.test('new code that does not start keeps the old processes, and says why', async t => {
  const { io, children, code } = await serving(2)
  io.reload()
  await turns()
  children[2]!.die(4)
  await turns()
  t.strictSame(io.errors.slice(-2), [
    '[1] process 102 ended with exit code 4 before it was ready; process 100 goes on',
    'the new code does not start: the processes that serve go on',
  ])
  t.strictSame([children[0]!.orders, children[1]!.orders, children.length], [[], [], 3])
  io.reload()
  await turns()
  children[3]!.up()
  await turns()
  children[4]!.die('SIGSEGV')
  await turns()
  t.equal(io.errors.at(-1), 'the new code does not start: 1 of 2 were replaced, the others go on')
  t.strictSame([children[0]!.orders, children[1]!.orders], [['stop'], []])
  io.stop('SIGTERM')
  for (const child of children) child.die(0)
  t.equal(await code, 0)
})

t.test('a second SIGHUP while a process starts begins anew, with yet newer code', async t => {
  const { io, children, code } = await serving(1)
  io.reload()
  await turns()
  io.reload()
  await turns()
  t.equal(children.length, 3)
  t.strictSame([children[0]!.orders, children[1]!.orders], [[], ['stop']], 'what read old code is of no use')
  children[2]!.up()
  await turns()
  t.strictSame(children[0]!.orders, ['stop'])
  t.equal(children.length, 4, 'and once more for all of them')
  children[3]!.up()
  await turns()
  t.strictSame(children[2]!.orders, ['stop'])
  io.stop('SIGTERM')
  for (const child of children) child.die(0)
  t.equal(await code, 0)
  t.equal(io.clock.pending, 0)
})

t.test('SIGHUP ends the wait of one that died', async t => {
  const { io, children, code } = await serving(1)
  children[0]!.die('SIGKILL')
  await turns()
  t.equal(io.clock.next(), 200)
  io.reload()
  await turns()
  t.equal(children.length, 2)
  t.equal(io.clock.pending, 0, 'its timer is gone')
  children[1]!.up()
  io.stop('SIGTERM')
  children[1]!.die(0)
  t.equal(await code, 0)
})

t.test('one that dies while its successor starts is succeeded all the same', async t => {
  const { io, children, code } = await serving(1)
  io.reload()
  await turns()
  children[0]!.die('SIGKILL')
  children[1]!.up()
  await turns()
  t.equal(io.errors.at(-1), '[1] process 100 was ended by SIGKILL; its successor was starting')
  t.equal(children.length, 2)
  io.stop('SIGTERM')
  children[1]!.die(0)
  t.equal(await code, 0)
})

t.test('a stop during a reload stops both', async t => {
  const { io, children, code } = await serving(1)
  io.reload()
  await turns()
  io.stop('SIGTERM')
  t.strictSame([children[0]!.orders, children[1]!.orders], [['stop'], ['stop']])
  children[1]!.die(0)
  await turns()
  children[0]!.die(0)
  t.equal(await code, 0)
  t.equal(io.clock.pending, 0)
})

t.test('one that has reached a limit is replaced without a gap, and it is no crash', async t => {
  const { io, children, code } = await serving(2)
  children[1]!.told.spent('takes 600mb')
  children[1]!.told.spent('takes 601mb')
  await turns()
  t.equal(io.errors.at(-1), '[2] process 101 takes 600mb: it is replaced')
  t.equal(children.length, 3, 'once')
  t.strictSame(children[1]!.orders, [], 'it serves until the next one is ready')
  children[2]!.up()
  await turns()
  t.strictSame([children[0]!.orders, children[1]!.orders], [[], ['stop']])
  children[1]!.told.spent('takes 602mb')
  children[1]!.die(0)
  await turns()
  t.equal(children.length, 3, 'and that was all')
  io.stop('SIGTERM')
  for (const child of children) child.die(0)
  t.equal(await code, 0)
})

t.test('a reload that is asked for again begins at the first place again', async t => {
  const { io, children, code } = await serving(2)
  io.reload()
  await turns()
  io.reload()
  await turns()
  for (let n = 3; n < 6; n++) {
    children[n]!.up()
    await turns()
  }
  t.strictSame(
    children.map(({ number }) => number),
    [1, 2, 1, 1, 1, 2],
    'what the first request had replaced is not taken for new',
  )
  io.stop('SIGTERM')
  for (const child of children) child.die(0)
  t.equal(await code, 0)
})
