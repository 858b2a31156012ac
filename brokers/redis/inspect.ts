/**
 * `Inspector` on Redis. However long a queue is, no call stops the server for more than some milliseconds: what grows with a queue is done in
 * pieces, each a script that is whole by itself (scripts/inspect-*.lua). Looking writes, as a take does: what is due is made ready.
 */
import type { Inspector } from '../../lib/broker.ts'
import { GreenroomError } from '../../lib/errors.ts'
import type { Random } from '../../lib/ids.ts'
import type { Due } from '../../lib/message.ts'
import { isDue } from '../../lib/refusal.ts'
import { deadLetters } from './inspect-dead.ts'
import { listed } from './inspect-pages.ts'
import { type Deed, LOOK, searching } from './inspect-search.ts'
import { inspectServer } from './inspect-server.ts'
import { queuesKey } from './keys.ts'
import type { Link } from './link.ts'

/** 48 bits hold 8,900 years. */
const LATEST = 2 ** 48 - 1

export interface InspectorParts {
  readonly link: Link
  readonly namespace: string
  readonly random: Random
}

export function redisInspector({ link, namespace, random }: InspectorParts): Inspector {
  const server = inspectServer(link, namespace),
    letters = deadLetters(server),
    { near, far } = searching(server)
  const locate = async (queue: string, id: string, deed: Deed = LOOK) =>
    (await near(queue, id, deed)) ?? (await far(queue, id, deed))
  const known = (queue: string) => server.ask('SADD', queuesKey(namespace), queue)

  const self: Inspector = {
    async queues() {
      const names = (await server.ask('SMEMBERS', queuesKey(namespace))) as readonly Buffer[]
      return names.map(String).sort()
    },
    async counts(queue) {
      const numbers = (await server.run('inspect-counts', queue)) as readonly number[]
      const [ready = 0, delayed = 0, leased = 0, suspect = 0, dead = 0, oldestMs = 0, paused, due = 0] = numbers
      // What is pushed from now on comes behind them.
      if (due > 0) await server.promoteDue(queue, 1)
      return { ready, delayed, leased, suspect, dead, oldestMs, paused: paused === 1 }
    },
    list: (queue, place, options = {}) => listed(server, queue, place, options),
    async find(id, queue) {
      const queues = queue === undefined ? await self.queues() : [queue]
      for (const look of [near, far]) {
        for (const each of queues) {
          const found = await look(each, id)
          if (found) return found
        }
      }
      return undefined
    },
    async remove(queue, id) {
      const found = await locate(queue, id, { name: 'remove' })
      return found === undefined ? 'missing' : found.place === 'leased' ? 'leased' : 'removed'
    },
    async promote(queue, id) {
      await server.promoteDue(queue)
      const found = await locate(queue, id, { name: 'promote' })
      return found === undefined ? 'missing' : found.place === 'delayed' ? 'promoted' : 'not delayed'
    },
    async reschedule(queue, id, { due, priority }) {
      if (due !== undefined && !isDue(due)) {
        throw new GreenroomError('OPTION_INVALID', 'A message cannot be rescheduled to no time', {
          help: 'Give { afterMs } from 0 or { at } in milliseconds since 1970',
        })
      }
      await server.promoteDue(queue)
      const unique = random().toString(36).slice(2)
      const found = await locate(queue, id, { name: 'move', args: [...when(due), priority ?? '', unique] })
      return found === undefined ? 'missing' : found.place === 'leased' ? 'leased' : 'changed'
    },
    async revive(queue, ids, { to = queue } = {}) {
      if (to !== queue) await known(to)
      return letters.revive(queue, ids, to, to === queue || link.oneSlot)
    },
    drop: (queue, ids) => letters.drop(queue, ids),
    async purge(queue) {
      return (await server.run('inspect-purge', queue)) as number
    },
    async pause(queue) {
      await known(queue)
      await server.run('inspect-pause', queue, ['1'])
    },
    async resume(queue) {
      await known(queue)
      await server.run('inspect-pause', queue, ['0'])
    },
  }
  return self
}

/** Never early: a part of a millisecond counts as a whole one. */
const whole = (ms: number) => Math.min(LATEST, Math.max(0, Math.ceil(ms)))
function when(due: Due | undefined): readonly [kind: '' | 'after' | 'at', ms: number] {
  if (due === undefined) return ['', 0]
  return 'at' in due ? ['at', whole(due.at)] : ['after', whole(due.afterMs)]
}
