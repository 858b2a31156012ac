/** Sends and runs of messages with larger arguments. So many are in flight as come to 16 MB, at most 1,000. */
import { randomBytes } from 'node:crypto'
import { contest } from '../shared/contest.mjs'
import { many } from '../shared/harness.mjs'
import { arena, meet } from './arena.mjs'

const SIZES = { '150 B': 150, '1 kB': 1_000, '10 kB': 10_000, '100 kB': 100_000, '1 MB': 1_000_000 }
const MOST_IN_FLIGHT = 16_000_000
/** Of a round: more fills the disk, less is too short a time. */
const MOST_MESSAGES = 10_000,
  MOST_BYTES = 64_000_000

export const payloads = () =>
  arena(['ours', 'bare', 'bullmq', 'bee'], async contenders => {
    for (const [what, size] of Object.entries(SIZES)) {
      const text = randomBytes(size).toString('base64').slice(0, size)
      const argsOf = i => [text, i]
      const n = many(Math.min(MOST_MESSAGES, MOST_BYTES / size))
      const atOnce = Math.min(1_000, MOST_IN_FLIGHT / size)
      await meet(`${what}: sends, ${atOnce.toLocaleString('en')} at once`, contenders, one =>
        contest(one, { argsOf }).sends(n, atOnce),
      )
      await meet(`${what}: runs, concurrency 100`, contenders, one => contest(one, { argsOf }).runs(n, 100))
    }
  })
