/** Which encoding an app writes. It reads both, whatever it writes: so an app changes its encoding by a rolling deploy, and loses nothing. */
import { type Encoder, jsonEncoder, MAX_BODY_BYTES, MAX_DECODED_BYTES } from './encoder.ts'
import { MSGPACK, msgpackEncoder } from './msgpack.ts'

/** How messages are written: `json`, or `msgpack`, which also keeps dates, bytes and bigints. */
export type Encoding = 'json' | 'msgpack'
export const ENCODINGS: readonly Encoding[] = ['json', 'msgpack']

export interface EncoderOptions {
  readonly encoding?: Encoding
  readonly maxBytes?: number
}

/** Encodes by one of them, and decodes by the first byte of the body: never by what a message says of itself. */
export function createEncoder({ encoding = 'json', maxBytes = MAX_BODY_BYTES }: EncoderOptions = {}): Encoder {
  const json = jsonEncoder({ maxBytes })
  const msgpack = msgpackEncoder({ maxBytes, maxDecodedBytes: Math.max(MAX_DECODED_BYTES, maxBytes) })
  const { encode, check } = { json, msgpack }[encoding]
  return { encode, check, decode: body => (body[0] === MSGPACK ? msgpack : json).decode(body) }
}
