/**
 * The core beside the sum of what it cannot avoid: an id, JSON out and in, a look at the bytes, five layers in an
 * AsyncLocalStorage. A no-op actor with two arguments, about 200 bytes, `standard()` middleware, on `memory:`.
 *
 *   npm run bench -- core [--json]
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { randomUUID } from 'node:crypto'
import { greenroom, standard } from 'greenroom'
import { inFlight, measure } from './harness.mjs'

const N = 100_000
const URL_ARGUMENT = 'https://example.com/photos/2026/11/24/some-picture-of-a-cat.jpg'

const app = greenroom({
  broker: 'memory:',
  middleware: standard(),
  log: { debug() {}, info() {}, warn() {}, error: console.error },
})
let settled = 0
let allSettled = () => {}
const noop = app.actor(
  async (_url, _width) => {
    if (++settled === N) allSettled()
  },
  { name: 'noop' },
)

const storage = new AsyncLocalStorage()
const handler = async (_url, _width) => {}
const layers = [1, 2, 3, 4].reduceRight(
  inner => async message => inner(message),
  message => storage.run(message, handler, ...message.args),
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
}

/** One after the other, in one loop: the least that a message can cost. */
async function parts() {
  let done = 0
  for (let i = 0; i < N; i++) {
    const message = {
      queue_name: 'default',
      actor_name: 'noop',
      args: [URL_ARGUMENT, i],
      kwargs: {},
      options: {},
      message_id: randomUUID(),
      message_timestamp: Date.now(),
    }
    const body = Buffer.from(JSON.stringify(message))
    depthScan(body)
    await layers(JSON.parse(body.toString()))
    done++
  }
  return done
}

let worker
const medians = await measure('the core', [
  { name: 'the parts alone', n: N, run: parts },
  {
    name: 'memory: from send to settled',
    n: N,
    async before() {
      settled = 0
      worker = await app.work({ concurrency: 100 })
    },
    async run() {
      const all = new Promise(resolve => (allSettled = resolve))
      await inFlight(N, 1_000, i => noop.send(URL_ARGUMENT, i))
      await all
      await worker.close()
      return settled
    },
  },
])
await app.close()
console.log(
  `\nmemory: is ${(medians.get('memory: from send to settled') / medians.get('the parts alone')).toFixed(2)} times the sum of its parts (at most 2)`,
)
