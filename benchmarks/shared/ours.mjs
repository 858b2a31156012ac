/** We as a contender: a no-op actor with `standard()` middleware, on any broker. */
import { greenroom, standard } from 'greenroom'
import { counter } from './contest.mjs'
import { log } from './scenarios.mjs'

/** One call of `sendMany`; a list of a million would be held in memory at once. */
const STEP = 10_000

/** @returns {Promise<import('./contest.mjs').Contender>} */
export async function openOurs(broker, { name = 'greenroom', queue = 'noop' } = {}) {
  const app = greenroom({ broker, middleware: standard(), log })
  let onRun = () => {}
  const noop = app.actor(async (...args) => onRun(args), { name: 'noop', queue })

  async function sendMany(all, sender = noop) {
    let stored = 0
    for (let from = 0; from < all.length; from += STEP)
      for (const handle of await sender.sendMany(all.slice(from, from + STEP))) if (handle.stored) stored++
    return stored
  }

  return {
    name,
    pace: 1,
    send: async args => (await noop.send(...args)).stored,
    sendMany,
    /** Due tomorrow. */
    sendDelayed: all => sendMany(all, noop.with({ delay: '1d' })),
    async worker(concurrency, listen) {
      const ran = counter()
      let working
      return {
        start() {
          onRun = listen ? args => (ran.add(), listen(args)) : ran.add
          working = app.work({ concurrency })
        },
        async settled(n) {
          await ran.until(n)
          await (await working).close() // and settled
          return ran.count()
        },
        ran: ran.count,
        close: async () => (await working)?.close(),
      }
    },
    async clear() {
      const left = counter()
      onRun = left.add
      await (
        await app.work({ concurrency: 100, until: 'idle' })
      ).stopped
      return left.count()
    },
    close: () => app.close(),
  }
}
