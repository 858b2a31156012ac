/**
 * Messages as msgpack: a list of the same seven fields as JSON's, in the same order, without their names. Decoding trusts nobody
 * here either: the size, then `scan()` over the bytes, and only then the decoder; then every field is looked at as in JSON.
 */
import { isPlain } from './data.ts'
import { type Encoder, fields, MAX_NODES, tooLarge, tooMany, undecodable, wireOptions } from './encoder.ts'
import { checkMsgpackData } from './msgpack-data.ts'
import { scan } from './msgpack-scan.ts'
import { codec } from './msgpackr.ts'

/** The first byte of every msgpack body: a list of seven. No JSON text begins with it. */
export const MSGPACK = 0x97

export interface Sizes {
  readonly maxBytes: number
  readonly maxDecodedBytes: number
}

export function msgpackEncoder({ maxBytes, maxDecodedBytes }: Sizes): Encoder {
  return {
    check: checkMsgpackData,
    encode(message) {
      checkMsgpackData(message.args, 'args', message.actor)
      const options = wireOptions(message)
      if (options) checkMsgpackData(options, 'options', message.actor)
      const packed = codec().pack([message.queue, message.actor, message.args, {}, options ?? {}, message.id, message.timestamp])
      if (packed.length > maxBytes) throw tooLarge(message, packed.length, maxBytes)
      const crowded = packed.length > MAX_NODES ? scan(packed).hazard : undefined // a smaller one cannot hold too many
      if (crowded !== undefined) throw tooMany(message, crowded)
      return Buffer.from(packed)
    },
    decode(body) {
      if (body.length > maxDecodedBytes) throw undecodable(`${body.length} bytes are more than ${maxDecodedBytes}`)
      const { hazard, inherits } = scan(body)
      if (hazard !== undefined) throw undecodable(`msgpack: ${hazard}`)
      const bytes = Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength)
      const [queue_name, actor_name, args, kwargs, options, message_id, time] = unpacked(bytes, inherits)
      const message_timestamp = typeof time === 'bigint' ? Number(time) : time // how others write a time in ms
      return fields({
        queue_name,
        actor_name,
        args,
        kwargs: record(kwargs),
        options: record(options),
        message_id,
        message_timestamp,
      })
    },
  }
}

/** Bytes and dates are objects too. */
const record = (value: unknown) => (typeof value === 'object' && value !== null && isPlain(value) ? value : null)

function unpacked(bytes: Buffer, inherits: boolean): readonly unknown[] {
  const { unpack, unpackMaps } = codec()
  return (inherits ? objects(unpackMaps(bytes)) : unpack(bytes)) as readonly unknown[]
}

/** Maps as objects that have each key as their own, `__proto__` too: what JSON.parse makes. */
function objects(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(objects)
  if (!(value instanceof Map)) return value
  return Object.fromEntries(Array.from(value as Map<string, unknown>, ([key, item]) => [key, objects(item)]))
}
