/**
 * Scenarios of ours alone, through the whole core, for any broker: a no-op actor with two arguments, about 200 bytes, `standard()`.
 * Beside others it is contest.mjs that makes them.
 */
import { greenroom, standard } from 'greenroom'
import { URL_ARGUMENT } from './contest.mjs'
import { inFlight } from './harness.mjs'

export { URL_ARGUMENT }
export const log = { debug() {}, info() {}, warn() {}, error: console.error }

/** @param label begins the names of its scenarios @param broker a URL @param keeps leave what waits between rounds */
export function scenarios(label, broker, { keeps = false } = {}) {
  const app = greenroom({ broker, middleware: standard(), log })
  let ran = 0
  let all = 0
  let onRun = () => {}
  let allRan = () => {}
  const noop = app.actor(
    async (_url, _width) => {
      if (++ran === all) allRan()
      onRun()
    },
    { name: 'noop' },
  )
  const expect = n => {
    ran = 0
    all = n
    return new Promise(resolve => (allRan = resolve))
  }
  const drain = async () => {
    if (!keeps) await (await app.work({ concurrency: 100, until: 'idle' })).stopped
  }
  let worker
  return {
    app,
    noop,
    ran: () => ran,
    drain,
    /** Stored, each by its own promise. */
    send: (n, atOnce) => ({
      name: `${label}: sends, ${atOnce === 1 ? 'one after the other' : `${atOnce.toLocaleString('en')} at once`}`,
      n,
      async run() {
        let stored = 0
        await inFlight(n, atOnce, async i => {
          if ((await noop.send(URL_ARGUMENT, i)).stored) stored++
        })
        return stored
      },
      after: drain,
    }),
    /** Taken, run and settled; they wait beforehand. */
    run: (n, concurrency) => ({
      name: `${label}: runs, concurrency ${concurrency}`,
      n,
      before: () => noop.sendMany(Array.from({ length: n }, (_, i) => [URL_ARGUMENT, i])),
      async run() {
        const finished = expect(n)
        worker = await app.work({ concurrency })
        await finished
        await worker.close() // and settled
        return keeps ? Math.min(ran, n) : ran
      },
      after: drain,
    }),
    /** From `send()` to settled in one process: never more than so many are sent and not yet run. */
    through: (n, atOnce, concurrency = 100) => ({
      name: `${label}: from send to settled, ${atOnce.toLocaleString('en')} at once`,
      n,
      before: async () => {
        worker = await app.work({ concurrency })
      },
      async run() {
        const finished = expect(n)
        let sent = 0
        onRun = () => {
          while (sent < n && sent - ran < atOnce) void noop.send(URL_ARGUMENT, sent++) // one that rejects ends the process
        }
        onRun()
        await finished
        await worker.close()
        onRun = () => {}
        return ran
      },
    }),
  }
}
