/**
 * We as a contender: a no-op actor with `standard()` middleware, on any broker. A message counts when the broker has been told that it is
 * done, as others count theirs; and as others are connected before the time runs, the keeper thread of the process is there before.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { greenroom, standard } from 'greenroom'
import { counter } from './contest.mjs'
import { log } from './scenarios.mjs'

const nothing = async (_url, _width) => {}
/** One call of `sendMany`: a list of a million would be held in memory at once, and more than `maxPending` may be refused. */
const STEP = 5_000

/** @returns {Promise<import('./contest.mjs').Contender>} */
export async function openOurs(broker) {
  const app = greenroom({ broker, middleware: standard(), log })
  let onRun = nothing
  const noop = app.actor(async (...args) => onRun(args), { name: 'noop' })
  const resident = await residentWorker()

  async function sendMany(all, sender = noop) {
    let stored = 0
    for (let from = 0; from < all.length; from += STEP)
      for (const handle of await sender.sendMany(all.slice(from, from + STEP))) if (handle.stored) stored++
    return stored
  }

  return {
    name: 'greenroom',
    pace: 1,
    send: async args => (await noop.send(...args)).stored,
    sendMany,
    /** Due tomorrow. */
    sendDelayed: all => sendMany(all, noop.with({ delay: '1d' })),
    async worker(concurrency, listen) {
      const done = counter()
      const settled = ({ message, settled }) => {
        if (settled === 'ok' && message.actor === 'noop') done.add()
      }
      let working
      return {
        start() {
          onRun = listen ?? nothing
          subscribe('greenroom:settled', settled)
          working = app.work({ concurrency })
        },
        async settled(n) {
          await done.until(n)
          return done.count()
        },
        ran: done.count,
        async close() {
          await (await working)?.close()
          unsubscribe('greenroom:settled', settled)
        },
      }
    },
    async clear() {
      const left = counter()
      onRun = async () => left.add()
      await (
        await app.work({ concurrency: 100, until: 'idle' })
      ).stopped
      return left.count()
    },
    async close() {
      await resident.close()
      await app.close()
    },
  }
}

/** The thread is one a process: it starts with the first worker and ends with the last. */
async function residentWorker() {
  const app = greenroom({ broker: 'memory:', log })
  app.actor(nothing, { name: 'never', queue: 'never' })
  const worker = await app.work()
  return {
    async close() {
      await worker.close()
      await app.close()
    },
  }
}
