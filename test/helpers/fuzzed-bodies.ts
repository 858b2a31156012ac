/** Bodies that a fuzzer makes: damaged ones, fields of any type, any JSON, any bytes; and the same of msgpack. */
import * as fc from 'fast-check'
import { createEncoder } from '../../lib/encoding.ts'
import type { Message } from '../../lib/message.ts'
import { wire } from './bad-bodies.ts'
import { hex, packedArgument, packedBody, packedText } from './msgpack-bodies.ts'

/** First bytes of every format, extensions, and lengths that lie. */
const PIECES =
  '00 7f e0 ff 80 81 8f 90 91 9f a0 a1 bf c0 c1 c2 c3 c401 c5ffff c6ffffffff c70472 c70cff c80001 c9ffffffff ca cb7ff8000000000000 ' +
  'cc cd ce cf d0 d3ffffffffffffffff d40000 d47240 d46500 d47800 d47300 d572 d669 d670 d6ff00000000 d7ff d8 d9ff daffff dbffffffff ' +
  'dcffff ddffffffff deffff dfffffffff 91a161 81a16101 a95f5f70726f746f5f5f'

const real: Message = {
  id: 'x',
  queue: 'default',
  actor: 'good',
  args: ['fuzz', { a: [1, null] }],
  options: { maxRetries: 1 },
  timestamp: 1,
}

/** A body with some bytes changed, or with a part left out or doubled. */
function damaged(body: Uint8Array) {
  const whole = Buffer.from(body)
  const flip = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }).map(changes => {
    const body = Buffer.from(whole)
    for (const [at, byte] of changes) body[at] = byte
    return body
  })
  const cut = fc
    .tuple(fc.nat(whole.length), fc.nat(whole.length))
    .map(([from, to]) => Buffer.concat([whole.subarray(0, from), whole.subarray(to)]))
  return { flip, cut }
}

/** Text, or what once was. */
export function fuzzedJson(): fc.Arbitrary<Buffer> {
  const { flip, cut } = damaged(createEncoder().encode(real))
  const fields = fc
    .record(
      Object.fromEntries(Object.keys(wire).map(key => [key, fc.oneof(fc.constant(wire[key]), fc.jsonValue({ maxDepth: 2 }))])),
      { requiredKeys: [] },
    )
    .map(value => Buffer.from(JSON.stringify(value)))
  const json = fc.json({ maxDepth: 5 }).map(text => Buffer.from(text))
  const noise = fc.uint8Array({ maxLength: 200 }).map(bytes => Buffer.from(bytes))
  return fc.oneof(flip, cut, fields, json, noise)
}

/** What begins as msgpack does. */
export function fuzzedMsgpack(): fc.Arbitrary<Buffer> {
  const { flip, cut } = damaged(createEncoder({ encoding: 'msgpack' }).encode({ ...real, args: [new Date(0), ...real.args] }))
  const piece = fc.oneof(
    fc.constantFrom(...PIECES.split(' ')).map(hex),
    fc.uint8Array({ maxLength: 3 }).map(bytes => Buffer.from(bytes)),
    fc.string({ maxLength: 40 }).map(packedText),
  )
  const pieces = fc.array(piece, { maxLength: 12 }).map(all => Buffer.concat(all))
  const argument = pieces.map(packedArgument)
  const options = pieces.map(bytes => packedBody({ options: Buffer.concat([hex('81'), bytes]) }))
  const noise = pieces.map(bytes => Buffer.concat([hex('97'), bytes]))
  return fc.oneof(flip, cut, argument, options, noise)
}
