/** What the server holds for a message of some 200 bytes that waits, or is due tomorrow. A server for each, without an append-only file. */
import { compare, list } from '../shared/contest.mjs'
import { heading, json, many } from '../shared/harness.mjs'
import { arena } from './arena.mjs'
import { present } from './contenders.mjs'

const N = many(100_000)
const FIRST = 100

export async function bytes() {
  const title = `bytes of the server a message, of ${N.toLocaleString('en')}`
  heading(title)
  for (const name of present(['ours', 'least', 'bullmq', 'bee'])) {
    await held(title, name, 'waiting', one => one.sendMany, name === 'ours' ? { atMost: 300 } : {})
    await held(title, name, 'delayed', one => one.sendDelayed)
  }
}

function held(title, name, what, senderOf, goal) {
  return arena(
    [name],
    async ({ [name]: contender }, server) => {
      const sendMany = senderOf(contender)
      if (!sendMany) return
      const all = list(N)
      await sendMany(all.slice(0, FIRST)) // what a queue takes that is not a message
      const before = await server.bytes()
      const stored = await sendMany(all)
      const each = ((await server.bytes()) - before) / N
      if (stored !== N) throw new Error(`${contender.name}: ${stored} of ${N} were stored; that is no measurement`)
      compare(`${contender.name}, ${what}`, each, { unit: 'bytes', ...goal })
      json(title, { name: `${contender.name}, ${what}`, n: N, bytes: each })
    },
    { appendonly: 'no' },
  )
}
