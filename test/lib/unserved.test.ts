import t from 'tap'
import type { Broker, Counts, Inspector } from '../../lib/broker.ts'
import { consoleLogger } from '../../lib/log.ts'
import { movingClock } from '../../lib/moving-clock.ts'
import { watchUnserved } from '../../lib/unserved.ts'

const nothing: Counts = { ready: 0, delayed: 0, leased: 0, suspect: 0, dead: 0, oldestMs: 0, paused: false }

function setUp(counts: () => Partial<Counts>, capabilities: Partial<Broker['capabilities']> = {}) {
  const clock = movingClock(),
    said: string[] = []
  let looked = 0
  const inspector = { counts: async () => (looked++, { ...nothing, ...counts() }) } as unknown as Inspector
  const broker = { inspector, capabilities: { durable: true, lease: 'timed', ...capabilities } } as unknown as Broker
  const sent = watchUnserved(broker, clock, { ...consoleLogger, warn: facts => said.push(String(facts)) })
  return { clock, said, sent, looked: () => looked }
}
const turn = () => new Promise(resolve => setImmediate(resolve))

t.test('a sender hears once of a queue that nobody has served for a minute, with the command that starts a worker', async t => {
  let oldestMs = 59_999
  const { clock, said, sent } = setUp(() => ({ ready: 1, oldestMs }))
  sent(['images'])
  await turn()
  t.strictSame(said, [], 'not before the minute is over')
  oldestMs = 60_000
  clock.advance(60_000)
  await turn()
  t.match(said, [/nobody has served the queue images for 60 s.*npx greenroom worker/])
  sent(['images'])
  await turn()
  t.equal(said.length, 1)
})

t.test('it is silent where somebody works, where the queue is paused, and where messages do not outlive the process', async t => {
  for (const [name, counts, capabilities] of [
    ['a worker is busy', { oldestMs: 90_000, leased: 1 }, {}],
    ['paused', { oldestMs: 90_000, paused: true }, {}],
    ['memory', { oldestMs: 90_000 }, { durable: false }],
  ] as const) {
    const { clock, said, sent } = setUp(() => counts, capabilities)
    sent(['images'])
    await turn()
    clock.advance(60_000)
    await turn()
    t.strictSame(said, [], name)
  }
})

t.test('the look leaves no timer that keeps the process', async t => {
  const { clock, sent, looked } = setUp(() => ({}))
  sent(['a', 'b'])
  await turn()
  t.equal(looked(), 2)
  clock.advance(60_000)
  t.equal(clock.pending, 0)
})
