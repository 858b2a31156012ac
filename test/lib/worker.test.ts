/** A worker: how much it runs and holds, and what it makes of what it cannot run or settle. */
import t, { type Test } from 'tap'
import { memoryBroker } from '../../brokers/memory/index.ts'
import { current } from '../../index.ts'
import type { Broker } from '../../lib/broker.ts'
import { GreenroomError } from '../../lib/errors.ts'
import { down, times } from '../helpers/faulty.ts'
import { open, openFaulty, openMoving } from '../helpers/open.ts'
import { pushRaw, wireBody } from '../helpers/raw.ts'
import { gate, pass, turns } from '../helpers/turns.ts'

t.test('no more run at once than concurrency says, in all and of each queue', async t => {
  for (const [options, most, mostOf] of [
    [{ concurrency: 3 }, 3, {}],
    [{ queues: ['a', 'b'], concurrency: 1 }, 1, {}],
    [{ queues: { a: 2, b: 5 } }, 7, { a: 2, b: 5 }],
    [{ queues: { a: 2, b: 5 }, concurrency: 4 }, 4, { a: 2, b: 4 }],
    [{}, 10, {}],
  ] as const) {
    const { app, until } = open(t)
    let running = 0
    let highest = 0
    const of: Record<string, number> = { a: 0, b: 0 }
    const highestOf: Record<string, number> = { a: 0, b: 0 }
    const work = (queue: string) =>
      app.actor(
        async (wait: number) => {
          highest = Math.max(highest, ++running)
          highestOf[queue] = Math.max(highestOf[queue]!, ++of[queue]!)
          await turns(wait)
          running--
          of[queue]!--
        },
        { name: `work-${queue}`, queue },
      )
    const [a, b] = [work('a'), work('b')]
    await a.sendMany(Array.from({ length: 100 }, (_, i) => [i % 5]))
    await b.sendMany(Array.from({ length: 100 }, (_, i) => [i % 7]))
    const worker = await app.work(options)
    await until('settled', 200)
    t.equal(highest, most, `${JSON.stringify(options)} in all`)
    for (const [queue, limit] of Object.entries(mostOf))
      t.equal(highestOf[queue], limit, `${JSON.stringify(options)} of ${queue}`)
    await worker.close()
    t.equal(worker.running, 0)
  }
})

t.test('a worker serves the queues of the actors that are here, others when they are named', async t => {
  const { app } = open(t)
  app.actor(() => {}, { name: 'one', queue: 'images' })
  app.actor(() => {}, { name: 'two', queue: 'mail' })
  app.declare('three', { queue: 'elsewhere' })
  t.strictSame((await app.work()).queues, ['images', 'mail'])
  t.strictSame((await app.work({ queues: ['x', 'x', 'y'] })).queues, ['x', 'y'])
})

t.test('slow handlers hold nothing; short ones are kept busy', async t => {
  const { app, memory, clock, until } = await openMoving(t)
  const end = gate()
  const slow = app.actor(() => end.opened, { name: 'slow' })
  await slow.sendMany(Array.from({ length: 50 }, () => []))
  await app.work({ concurrency: 2 })
  await turns()
  clock.advance(1_000)
  await turns()
  t.match(await memory.inspector.counts('default'), { leased: 2, ready: 48 })
  end.open()
  await until('settled', 50)
  t.match(await memory.inspector.counts('default'), { leased: 0, ready: 0 })
})

t.test('a message that is held for more than a second goes back for others', async t => {
  const { app, memory, clock } = await openMoving(t)
  const end = gate()
  let fast = true
  const actor = app.actor(() => (fast ? undefined : end.opened), { name: 'a1b' })
  await actor.sendMany(Array.from({ length: 20 }, () => []))
  await app.work({ concurrency: 1 })
  await turns(12)
  clock.advance(5) // a dozen in 5 ms: the worker takes ahead
  fast = false
  await actor.sendMany(Array.from({ length: 50 }, () => []))
  await turns()
  const { leased } = await memory.inspector.counts('default')
  t.ok(leased > 1, `it holds ${leased}`)
  await pass(clock, 2_000)
  t.match(await memory.inspector.counts('default'), { leased: 1 })
  end.open()
})

t.test('a message for an actor that is not here waits longer each time, and is dead after a quarter of an hour', async t => {
  const { app, memory, clock, all } = await openMoving(t)
  app.actor(() => {}, { name: 'known' })
  await pushRaw(memory, wireBody({ actor_name: 'newer' }), 'x')
  await app.work()
  await turns()
  await pass(clock, 15 * 60_000)
  const outcomes = all('settled').map(({ outcome }) => outcome)
  const waits = outcomes.flatMap(outcome => (outcome.kind === 'release' ? [outcome.afterMs] : []))
  t.strictSame(waits.slice(0, 8), [1_000, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000])
  t.ok(waits.slice(8).every(wait => wait === 60_000))
  await pass(clock, 60_000)
  t.match(all('settled').at(-1), {
    attempt: 0,
    outcome: { kind: 'dead', reason: /unknown actor/, error: { code: 'ACTOR_UNKNOWN' } },
  })
  t.match(await memory.inspector.find('x'), { place: 'dead', envelope: { attempt: 0 } })
})

t.test('an actor that appears in time runs what waited for it', async t => {
  const { app, memory, clock, all } = await openMoving(t)
  app.actor(() => {}, { name: 'known' })
  await pushRaw(memory, wireBody({ actor_name: 'newer', args: [5] }))
  await app.work()
  await turns()
  app.actor((n: number) => n, { name: 'newer' })
  await pass(clock, 1_000)
  t.match(all('settled').at(-1), { outcome: { kind: 'done', result: 5 } })
})

for (const name of ['constructor', 'toString', '__proto__', 'hasOwnProperty'])
  t.test(`an actor called ${name} is as unknown as any`, async t => {
    const { app, memory, all } = await openMoving(t)
    app.actor(() => {}, { name: 'known' })
    await pushRaw(memory, wireBody({ actor_name: name }))
    await app.work()
    await turns()
    t.match(all('settled'), [{ outcome: { kind: 'release', reason: `unknown actor ${name}` } }])
  })

t.test('a message whose workers die again and again is dead, through the chain, and its neighbours run', async t => {
  const { app, memory, clock, all } = await openMoving(t)
  const ran: string[] = []
  const actor = app.actor((what: string) => void ran.push(what), { name: 'a1b' })
  await actor.with({ id: 'guilty' }).send('guilty')
  for (let death = 0; death < 5; death++) {
    const consumer = await memory.consume({ queues: ['default'], credit: 10, leaseMs: 1_000, onLost() {} })
    const taken = await consumer.take(1, { waitMs: 0, signal: new AbortController().signal })
    t.match(taken, [{ envelope: { id: 'guilty' }, deliveries: death + 1 }])
    memory.freeze(consumer)
    clock.advance(1_000)
    await consumer[Symbol.asyncDispose]()
  }
  await actor.send('innocent')
  await app.work()
  await turns()
  t.strictSame(ran, ['innocent'])
  t.match(
    all('settled').find(({ message }) => message.id === 'guilty'),
    { outcome: { kind: 'dead', reason: 'crash loop: 5 workers died or froze with it' } },
  )
  t.match(await memory.inspector.find('guilty'), { place: 'dead' })
})

t.test('a broker that goes away while a worker takes is tried again, told once, and work goes on', async t => {
  const { app, clock, all, lines, faults } = await openFaulty(t)
  const actor = app.actor((n: number) => n, { name: 'a1b' })
  faults.before.take = times(5, down)
  await actor.send(1)
  await app.work()
  await turns()
  t.match(all('trouble'), [{ what: 'the broker does not answer', error: { code: 'BROKER_DOWN' } }])
  t.strictSame(all('settled'), [])
  await pass(clock, 20_000)
  t.match(all('settled'), [{ outcome: { kind: 'done', result: 1 } }])
  t.equal(all('trouble').length, 1)
  t.equal(lines.filter(({ text }) => text === 'the broker answers again').length, 1)
})

t.test('a settlement that fails is tried again until the broker answers, and the message runs once', async t => {
  const { app, memory, clock, all, faults } = await openFaulty(t)
  let runs = 0
  const actor = app.actor(() => ++runs, { name: 'a1b' })
  faults.before.settle = times(5, down)
  await actor.send()
  const worker = await app.work({ lease: '10s' })
  await turns()
  t.equal(runs, 1)
  t.strictSame(all('settled'), [], 'nobody is told that it is settled')
  t.match(all('trouble'), [{ what: '1 settlements failed', error: { code: 'BROKER_DOWN' } }])
  t.equal(worker.running, 0)
  await pass(clock, 60_000)
  t.equal(runs, 1)
  t.match(all('settled'), [{ outcome: { kind: 'done', result: 1 }, settled: 'ok' }])
  t.equal(all('trouble').length, 1, 'told once')
  t.match(await memory.inspector.counts('default'), { leased: 0, ready: 0 })
})

t.test('a settlement whose answer was lost is made once, whatever the second answer is called', async t => {
  const { app, memory, clock, all, faults } = await openFaulty(t)
  const next = app.actor(() => {}, { name: 'next', queue: 'other' })
  const actor = app.actor(() => current().after(next.message()), { name: 'a1b' })
  faults.after.settle = times(1, down)
  await actor.send()
  await app.work({ queues: ['default'] })
  await pass(clock, 60_000)
  t.match(all('settled'), [{ outcome: { kind: 'done' }, settled: 'lost' }])
  t.equal(all('started').length, 1)
  t.match(
    [await memory.inspector.counts('default'), await memory.inspector.counts('other')],
    [{ leased: 0, ready: 0 }, { ready: 1 }],
  )
})

t.test('a settlement that fails until its worker is gone leaves the message to another', async t => {
  const { app, clock, all, faults } = await openFaulty(t)
  let runs = 0
  const actor = app.actor(() => ++runs, { name: 'a1b' })
  faults.before.settle = down
  await actor.send()
  const worker = await app.work({ lease: '10s' })
  await turns()
  void worker.close()
  await pass(clock, 10_000)
  await worker.stopped
  delete faults.before.settle
  const second = await app.work()
  await turns()
  await pass(clock, 10_000)
  t.equal(runs, 2)
  t.match(all('settled'), [{ outcome: { kind: 'done', result: 2 }, settled: 'ok' }])
  await second.close()
})

t.test('a lease that is lost aborts the run, and its result is not used', async t => {
  const lose: ((tokens: readonly string[]) => void)[] = []
  const tokens: string[] = []
  const memory = memoryBroker()
  const { app, until } = open(t, {
    broker: {
      ...memory,
      async consume(options) {
        lose.push(options.onLost)
        const consumer = await memory.consume(options)
        return {
          ...consumer,
          async take(max, wait) {
            const taken = await consumer.take(max, wait)
            tokens.push(...taken.map(({ token }) => token))
            return taken
          },
        }
      },
    },
  })
  let reason: unknown
  await app
    .actor(
      async () => {
        const { signal } = current()
        await new Promise<void>(resolve => signal.addEventListener('abort', () => resolve()))
        reason = signal.reason
        return 5
      },
      { name: 'a1b' },
    )
    .send()
  await app.work()
  await until('started')
  lose[0]!(tokens)
  t.match(await until('settled'), [{ settled: 'lost', outcome: { kind: 'done', result: 5 } }])
  t.match(reason, { code: 'LEASE_LOST', message: /lost its lease/ })
  t.match(await memory.inspector.counts('default'), { leased: 1 }, 'it settled nothing')
})

t.test('a queue that is full does not wait for another that is empty', async t => {
  const { app, until, clock } = await openMoving(t)
  const actor = app.actor(async () => turns(1), { name: 'a1b', queue: 'busy' })
  app.actor(() => {}, { name: 'other', queue: 'idle' })
  await actor.sendMany(Array.from({ length: 20 }, () => []))
  await app.work({ queues: { busy: 2, idle: 2 } })
  await until('settled', 20)
  t.equal(clock.monotonic(), 0, 'no time had to pass')
})

/** So many bodies that cannot be read, and behind them a message of `good`; on a broker that counts takes. */
async function openFlooded(t: Test, bodies: number) {
  const memory = memoryBroker()
  let takes = 0
  const broker: Broker = {
    ...memory,
    async consume(options) {
      const consumer = await memory.consume(options)
      const take: typeof consumer.take = (...asked) => {
        takes++
        return consumer.take(...asked)
      }
      return { ...consumer, take, [Symbol.asyncDispose]: () => consumer[Symbol.asyncDispose]() }
    },
  }
  const opened = open(t, { broker })
  for (let n = 0; n < bodies; n++) await pushRaw(memory, 'no message', `bad-${n}`)
  return { ...opened, takes: () => takes }
}

t.test('bodies that cannot be read hold no run slot: a message behind them starts after a few takes', async t => {
  const { app, until, all, takes } = await openFlooded(t, 1_000)
  await app.actor(() => {}, { name: 'good' }).send()
  await app.work({ concurrency: 1 })
  await until('settled')
  t.equal(all('rejected').length, 1_000)
  t.ok(takes() <= 8, `${takes()} takes`)
})

t.test('a flood of them leaves the event loop its turns', async t => {
  const { app, until, all } = await openFlooded(t, 2_000)
  app.actor(() => {}, { name: 'good' })
  await app.work({ concurrency: 1 })
  await until('rejected')
  await turns(1)
  const rejectedByThen = all('rejected').length
  t.ok(rejectedByThen < 2_000, `${rejectedByThen} were read before anybody else had a turn`)
  await until('rejected', 2_000)
})

t.test('work() refuses what makes no worker', async t => {
  const { app } = open(t)
  await t.rejects(app.work(), { code: 'WORKER_INVALID', message: /nothing to work on.*Import the modules/ })
  app.actor(() => {}, { name: 'a1b' })
  for (const [options, code, message] of [
    [{ queue: ['a'] }, 'OPTION_UNKNOWN', /Did you mean queues\?/],
    [{ queues: [] }, 'WORKER_INVALID', /nothing to work on/],
    [{ queues: {} }, 'WORKER_INVALID', /nothing to work on/],
    [{ queues: ['a b'] }, 'NAME_INVALID', /queue/],
    [{ queues: 'images' }, 'WORKER_INVALID', /queues/],
    [{ queues: { a: 0 } }, 'WORKER_INVALID', /the queue a cannot be 0/],
    [{ concurrency: 0 }, 'WORKER_INVALID', /concurrency cannot be 0/],
    [{ concurrency: 1.5 }, 'WORKER_INVALID', /1\.5/],
    [{ concurrency: Infinity }, 'WORKER_INVALID', /Infinity/],
    [{ concurrency: '8' }, 'WORKER_INVALID', /"8"/],
    [{ lease: '999ms' }, 'WORKER_INVALID', /too short/],
    [{ lease: 'x' }, 'DURATION_INVALID', /lease/],
    [{ grace: -1 }, 'DURATION_INVALID', /grace/],
    [{ abortGrace: NaN }, 'DURATION_INVALID', /abortGrace/],
    [{ maxStuck: 0 }, 'WORKER_INVALID', /maxStuck/],
    [{ maxDeliveries: 0 }, 'WORKER_INVALID', /maxDeliveries/],
    [{ hookTimeout: Infinity }, 'DURATION_INVALID', /hookTimeout/],
    [{ until: 'forever' }, 'WORKER_INVALID', /'stopped' or 'idle'/],
    [{ signal: {} }, 'WORKER_INVALID', /signal/],
    [null, 'OPTION_INVALID', /options/],
  ] as const)
    await t.rejects(app.work(options as never), { code, message }, JSON.stringify(options))
})

t.test("the broker's refusal to consume is what work() throws", async t => {
  const { app, faults } = await openFaulty(t)
  app.actor(() => {}, { name: 'a1b' })
  const refused = new GreenroomError('BROKER_DOWN', 'away', { help: 'wait' })
  faults.before.consume = times(1, () => Promise.reject(refused))
  await t.rejects(app.work(), refused)
  await (await app.work()).close()
})
