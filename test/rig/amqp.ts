/** A few words of AMQP 0-9-1 over a plain socket, so that the tests of the rig need no driver: one question at a time, on one channel. */
import { client } from './peers.ts'

export interface Amqp extends Disposable {
  /** Declares a durable queue. @returns its messages */
  declare(queue: string): Promise<number>
  /** Resolves when the server has confirmed a persistent message. */
  publish(queue: string, body: string): Promise<void>
  /** Takes a message for good. @returns undefined when there is none */
  get(queue: string): Promise<string | undefined>
}

/** Class and method, as one number. */
const START = 10_010,
  START_OK = 10_011,
  TUNE = 10_030,
  TUNE_OK = 10_031,
  OPEN = 10_040,
  OPEN_OK = 10_041,
  CHANNEL_OPEN = 20_010,
  CHANNEL_OPEN_OK = 20_011,
  DECLARE = 50_010,
  DECLARE_OK = 50_011,
  PUBLISH = 60_040,
  GET = 60_070,
  GET_OK = 60_071,
  GET_EMPTY = 60_072,
  ACK = 60_080,
  CONFIRM = 85_010,
  CONFIRM_OK = 85_011
const [METHOD, HEADER, BODY] = [1, 2, 3]
const FRAME_END = 0xce
const [BASIC, PERSISTENT, HAS_DELIVERY_MODE] = [60, 2, 0x1000]

const short = (value: number) => Buffer.from([value >> 8, value & 0xff])
const long = (value: number) => Buffer.concat([short(value >>> 16), short(value & 0xffff)])
const shortText = (text: string) => Buffer.concat([Buffer.from([text.length]), Buffer.from(text)])
const longText = (text: string) => Buffer.concat([long(text.length), Buffer.from(text)])
const bits = (value: number) => Buffer.from([value])
const NO_TABLE = long(0)

export async function openAmqp(port: number): Promise<Amqp> {
  const one = client(port)
  let at = 0 // what was read
  async function frame(): Promise<{ type: number; payload: Buffer }> {
    const head = (await one.receives(at + 7)).subarray(at),
      size = head.readUInt32BE(3)
    const payload = (await one.receives(at + 7 + size + 1)).subarray(at + 7, at + 7 + size)
    at += 7 + size + 1
    return { type: head[0]!, payload }
  }
  const send = (type: number, channel: number, ...parts: readonly Buffer[]) => {
    const payload = Buffer.concat(parts)
    one.socket.write(Buffer.concat([Buffer.from([type]), short(channel), long(payload.length), payload, bits(FRAME_END)]))
  }
  const say = (channel: number, method: number, ...args: readonly Buffer[]) =>
    send(METHOD, channel, short(Math.floor(method / 1_000)), short(method % 1_000), ...args)
  /** The next method, which is one of these, and its arguments. */
  async function hear(...expected: readonly number[]): Promise<{ method: number; args: Buffer }> {
    const { payload } = await frame(),
      method = payload.readUInt16BE(0) * 1_000 + payload.readUInt16BE(2)
    if (!expected.includes(method))
      throw new Error(`method ${method} instead of ${expected.join(' or ')}: ${payload.toString('latin1')}`)
    return { method, args: payload.subarray(4) }
  }

  one.socket.write('AMQP\0\0\x09\x01')
  await hear(START)
  say(0, START_OK, NO_TABLE, shortText('PLAIN'), longText('\0guest\0guest'), shortText('en_US'))
  const { args: limits } = await hear(TUNE)
  say(0, TUNE_OK, limits.subarray(0, 6), short(0)) // no heartbeats
  say(0, OPEN, shortText('/'), shortText(''), bits(0))
  await hear(OPEN_OK)
  say(1, CHANNEL_OPEN, shortText(''))
  await hear(CHANNEL_OPEN_OK)
  say(1, CONFIRM, bits(0))
  await hear(CONFIRM_OK)

  return {
    async declare(queue) {
      say(1, DECLARE, short(0), shortText(queue), bits(2), NO_TABLE)
      const { args } = await hear(DECLARE_OK)
      return args.readUInt32BE(1 + args[0]!)
    },
    async publish(queue, body) {
      say(1, PUBLISH, short(0), shortText(''), shortText(queue), bits(0))
      send(HEADER, 1, short(BASIC), short(0), long(0), long(Buffer.byteLength(body)), short(HAS_DELIVERY_MODE), bits(PERSISTENT))
      send(BODY, 1, Buffer.from(body))
      await hear(ACK)
    },
    async get(queue) {
      say(1, GET, short(0), shortText(queue), bits(1))
      if ((await hear(GET_OK, GET_EMPTY)).method === GET_EMPTY) return undefined
      await frame() // its header
      return (await frame()).payload.toString()
    },
    [Symbol.dispose]: () => one[Symbol.dispose](),
  }
}
