/** Taken, run and settled, at several concurrencies. */
import { contest } from '../shared/contest.mjs'
import { many } from '../shared/harness.mjs'
import { arena, meet } from './arena.mjs'

/** What runs between two trips is faster on Node 24 than on Node 20, and most of a trip is not. */
const IS_FAST = Number(process.versions.node.split('.')[0]) >= 24

export const runs = () =>
  arena(['ours', 'bare', 'bullmq', 'bee'], async contenders => {
    const at = (n, concurrency, goals) =>
      meet(`runs, concurrency ${concurrency.toLocaleString('en')}`, contenders, one => contest(one).runs(n, concurrency), goals)
    await at(many(5_000), 1, { bullmq: 10 })
    await at(many(20_000), 100, { bullmq: IS_FAST ? 8 : 6 })
    await at(many(20_000), 1_000)
  })
