/**
 * The two encodings side by side, encoder and decoder alone: a message of about 200 bytes as most are, a list of 1,000 numbers,
 * and 64 KiB of bytes, which JSON carries as base64. Prints the sizes too.
 *
 *   npm run bench -- encodings [--json] [--quick]
 */
import { randomBytes } from 'node:crypto'
import { register } from 'tsx/esm/api'
import { many, measure } from './shared/harness.mjs'

register() // the encoders are inside the package: from the sources
const { createEncoder } = await import('../lib/encoding.ts')

const URL_ARGUMENT = 'https://example.com/photos/2026/11/24/some-picture-of-a-cat.jpg'
const BYTES = randomBytes(65_536)
const [json, msgpack] = [createEncoder(), createEncoder({ encoding: 'msgpack' })]
const message = args => ({
  id: 'V1StGXR8_Z5jdHi6B-myTq',
  queue: 'default',
  actor: 'noop',
  args,
  options: {},
  timestamp: 1_795_000_000_000,
})

/** What each is given: the same data, as each can carry it. */
const CASES = [
  ['200 bytes', many(50_000), message([URL_ARGUMENT, 300]), message([URL_ARGUMENT, 300])],
  [
    '1,000 numbers',
    many(2_000),
    message([Array.from({ length: 1_000 }, (_, i) => i)]),
    message([Array.from({ length: 1_000 }, (_, i) => i)]),
  ],
  ['64 KiB of bytes', many(1_000), message([BYTES.toString('base64')]), message([BYTES])],
]

for (const [what, n, forJson, forMsgpack] of CASES) {
  const scenario = (name, each) => ({
    name,
    n,
    run() {
      let done = 0
      for (let i = 0; i < n; i++) if (each()) done++
      return done
    },
  })
  const bodies = [json.encode(forJson), msgpack.encode(forMsgpack)]
  const medians = await measure(what, [
    scenario('json: encode', () => json.encode(forJson)),
    scenario('msgpack: encode', () => msgpack.encode(forMsgpack)),
    scenario('json: decode', () => json.decode(bodies[0])),
    scenario('msgpack: decode', () => msgpack.decode(bodies[1])),
  ])
  const ratio = step => (medians.get(`msgpack: ${step}`) / medians.get(`json: ${step}`)).toFixed(2)
  console.log(
    `msgpack to json: size ${(bodies[1].length / bodies[0].length).toFixed(2)} (${bodies[1].length} to ${bodies[0].length} bytes), time to encode ${ratio('encode')}, to decode ${ratio('decode')}`,
  )
}
