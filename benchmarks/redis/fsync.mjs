/** The three kinds of `appendfsync`, each on a server of its own: what it costs to have an answer only after the disk has. */
import { contest } from '../shared/contest.mjs'
import { many } from '../shared/harness.mjs'
import { arena, meet } from './arena.mjs'

const MANY = many(20_000)
const FEW = many(1_000)

export async function fsync() {
  for (const appendfsync of ['everysec', 'always', 'no']) {
    await arena(
      ['ours', 'bare', 'bullmq', 'bee'],
      async contenders => {
        const at = (what, make) => meet(`appendfsync ${appendfsync}: ${what}`, contenders, one => make(contest(one)))
        await at('sends, 1,000 at once', one => one.sends(MANY, 1_000))
        await at('sends, one after the other', one => one.sends(FEW, 1))
        await at('runs, concurrency 100', one => one.runs(MANY, 100))
      },
      { appendfsync },
    )
  }
}
