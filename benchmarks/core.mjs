/**
 * The core beside the sum of what it cannot avoid: an id, JSON out and in, a look at the bytes, five layers in an
 * AsyncLocalStorage. A no-op actor with two arguments, about 200 bytes, `standard()` middleware, on `memory:`.
 *
 *   npm run bench -- core [--json] [--quick]
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { randomUUID } from 'node:crypto'
import { many, measure } from './shared/harness.mjs'
import { scenarios, URL_ARGUMENT } from './shared/scenarios.mjs'

const N = many(100_000)

const storage = new AsyncLocalStorage()
const handler = async (_url, _width) => {}
const layers = [1, 2, 3, 4, 5].reduceRight(
  inner => async message => inner(message),
  message => handler(...message.args),
)

/** Brackets outside strings, over the bytes: what keeps 200,000 nested arrays from JSON.parse. */
function depthScan(body) {
  let depth = 0
  for (let i = 0; i < body.length; i++) {
    const byte = body[i]
    if (byte === 0x22) {
      for (i++; body[i] !== 0x22; i++) if (body[i] === 0x5c) i++
    } else if ((byte | 0x20) === 0x7b) {
      if (++depth > 64) throw new Error('too deep')
    } else if ((byte | 0x20) === 0x7d) depth--
  }
  return depth
}

const messageOf = (id, i) => ({
  queue_name: 'default',
  actor_name: 'noop',
  args: [URL_ARGUMENT, i],
  kwargs: {},
  options: {},
  message_id: id,
  message_timestamp: Date.now(),
})
/** Some to take turns: one alone would be in every cache, and one for each time would make the heap large for all that follows. */
const SOME = 1_000
const messages = Array.from({ length: SOME }, (_, i) => messageOf(randomUUID(), i))
const texts = messages.map(message => JSON.stringify(message))
const bodies = texts.map(text => Buffer.from(text))

/** Each part alone, so many times; what it makes is looked at, so that nothing is left out. */
const part = (name, each) => ({
  name,
  n: N,
  async run() {
    let done = 0
    for (let i = 0; i < N; i++) {
      const made = each(i)
      if ((made instanceof Promise ? await made : made) !== null) done++
    }
    return done
  },
})
const parts = [
  part('randomUUID', i => randomUUID().charCodeAt(i & 7)),
  part('JSON.stringify', i => JSON.stringify(messages[i % SOME])),
  part('JSON.parse', i => JSON.parse(texts[i % SOME])),
  part('depth scan', i => depthScan(bodies[i % SOME])),
  {
    name: 'five layers in an AsyncLocalStorage',
    n: N,
    async run() {
      for (let i = 0; i < N; i++) await storage.run(messages[i % SOME], layers, messages[i % SOME])
      return N
    },
  },
]
const together = {
  name: 'all of these in one loop, by bytes',
  n: N,
  async run() {
    for (let i = 0; i < N; i++) {
      const body = Buffer.from(JSON.stringify(messageOf(randomUUID(), i)))
      depthScan(body)
      const message = JSON.parse(body.toString())
      await storage.run(message, layers, message)
    }
    return N
  },
}

const memory = scenarios('memory', 'memory:')
const through = memory.through(N, 1_000),
  backlog = { ...memory.through(N, N), name: 'memory: from send to settled, all at once' }
const medians = await measure('the core', [...parts, together, through, backlog])
await memory.app.close()
const sum = parts.reduce((total, { name }) => total + medians.get(name), 0)
const times = (scenario, limit) => (medians.get(scenario.name) / limit).toFixed(2)
console.log(`
the sum of the parts is ${sum.toFixed(2)} µs
memory:, 1,000 at once, is ${times(through, sum)} times that, and ${times(through, medians.get(together.name))} times the same parts in one loop
with a backlog of ${N.toLocaleString('en')}: ${times(backlog, sum)} times, and ${times(backlog, medians.get(together.name))} times`)
