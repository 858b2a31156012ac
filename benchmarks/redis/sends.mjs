/** Sends: many in flight, one after the other, and in bulk. */
import { contest } from '../shared/contest.mjs'
import { many } from '../shared/harness.mjs'
import { arena, meet } from './arena.mjs'

const MANY = many(20_000)
const FEW = many(3_000)

export const sends = () =>
  arena(['ours', 'least', 'bare', 'bullmq', 'bee'], async contenders => {
    const { least: _, ...others } = contenders // one after the other, both kinds of the bare driver are one
    await meet('sends, 1,000 at once', contenders, one => contest(one).sends(MANY, 1_000), { bullmq: 6, bare: 0.5 })
    await meet('sends, one after the other', others, one => contest(one).sends(FEW, 1), { bare: 0.8 })
    await meet('bulk', contenders, one => contest(one).bulk(MANY))
  })
