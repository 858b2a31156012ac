/** Bodies that no message is, any number of them: the n-th is always the same for a seed, so that a dead letter can be held against it. */
import { BAD } from '../helpers/bad-bodies.ts'
import { packedBody } from '../helpers/msgpack-bodies.ts'
import { wireBody } from '../helpers/raw.ts'
import { seeded } from '../rig/random.ts'

const LARGE_BYTES = 4_096
const bad = BAD.map(([, body]) => Buffer.from(body as string))
const small = bad.filter(({ length }) => length <= LARGE_BYTES),
  large = bad.filter(({ length }) => length > LARGE_BYTES)
const json = Buffer.from(wireBody({ args: ['cut', { somewhere: [1, null] }] })),
  msgpack = packedBody()

/** @param total of how many bodies @param times how often each large one is among them, about */
export function hostileBodies(seed: number, total: number, times: number): (n: number) => Uint8Array {
  const every = Math.max(large.length, Math.floor(total / (times * large.length)))
  return n => {
    if (n % every === every - 1) return large[Math.floor(n / every) % large.length]!
    const random = seeded(seed + n),
      pick = (below: number) => Math.floor(random() * below)
    switch (pick(4)) {
      case 0:
        return small[pick(small.length)]!
      case 1:
        return json.subarray(0, pick(json.length))
      case 2:
        return msgpack.subarray(0, pick(msgpack.length))
      default:
        // 0xff begins neither JSON nor a list of msgpack.
        return Buffer.from([0xff, ...Array.from({ length: pick(60) }, () => pick(256))])
    }
  }
}
