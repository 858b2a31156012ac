/**
 * Finds a message by its id and does something to it, in one script: what was found there is still there. Where an id is a key, one look
 * tells; lists are looked through in pieces, from their tails, as workers take from their heads.
 *
 * A message that moves while it is looked for, from a list that was not reached yet to one that was, may be missed; one that is
 * taken meanwhile is not, as what is held is looked at first and last.
 */
import type { Entry, Place } from '../../lib/broker.ts'
import { deadEntry, delayedEntry, entryOf, idOfMember } from './entries.ts'
import { MOST, MOST_BYTES, type Reply, type Server, type Timed } from './inspect-server.ts'
import type { Argument } from './link.ts'

/** `remove` wherever it waits or lies dead, `promote` what is delayed, `move` what waits: with kind, ms, band and something unique (inspect-list.lua). */
export interface Deed {
  readonly name: 'look' | 'remove' | 'promote' | 'move'
  readonly args?: readonly Argument[]
}
export const LOOK: Deed = { name: 'look' }

/** Those behind that were looked at already move up where somebody removes another one. */
const OVERLAP = 16

export interface Search {
  /** Where one look tells: leased, delayed and dead ones. */
  near(queue: string, id: string, deed?: Deed): Promise<Entry | undefined>
  /** In the lists, and behind another message of that id. */
  far(queue: string, id: string, deed?: Deed): Promise<Entry | undefined>
}

export function searching(server: Server): Search {
  async function held(queue: string, id: string): Promise<Entry | undefined> {
    for (const holder of await server.holders(queue)) {
      let field = '-1.-1'
      do {
        const args = [holder, ...field.split('.'), MOST, MOST_BYTES, id]
        const [last, , frame] = (await server.run('inspect-held', queue, args)) as Buffer[]
        if (frame) return entryOf(queue, 'leased', frame)
        field = String(last)
      } while (field !== '')
    }
    return undefined
  }

  async function timed(queue: string, place: Timed, member: Argument, { name, args = [] }: Deed): Promise<Entry | undefined> {
    if (place === 'dead' && name === 'move') return undefined
    const action = place === 'dead' && name === 'promote' ? 'look' : name
    const [now, score, body] = (await server.run('inspect-member', queue, [place, member, action, ...args])) as Reply
    if (body === undefined) return undefined
    const found = [queue, Buffer.from(member as string), score as Buffer, body as Buffer] as const
    return place === 'dead' ? deadEntry(...found) : delayedEntry(...found, Number(now))
  }

  async function inList(
    queue: string,
    list: string,
    place: Place,
    id: string,
    { name, args = [] }: Deed,
  ): Promise<Entry | undefined> {
    const action = name === 'promote' ? 'look' : name
    // Where more is pushed than can be looked at, it ends all the same.
    for (let behind = 0, length = 1, calls = 0; behind < length && calls <= length; calls++) {
      const reply = await server.run('inspect-list', queue, [list, behind, MOST, MOST_BYTES, id, action, ...args])
      const [looked, now, frame] = reply as readonly [number, number, Buffer?]
      if (frame) return entryOf(queue, place, frame)
      length = now
      behind += behind + looked >= length ? looked : Math.max(1, looked - OVERLAP)
    }
    return undefined
  }

  async function doubled(queue: string, place: Timed, id: string, deed: Deed): Promise<Entry | undefined> {
    for await (const member of server.doubles(queue, place)) {
      const found = idOfMember(member) === id && (await timed(queue, place, member, deed))
      if (found) return found
    }
    return undefined
  }

  return {
    near: async (queue, id, deed = LOOK) =>
      (await held(queue, id)) ?? (await timed(queue, 'delayed', id, deed)) ?? (await timed(queue, 'dead', id, deed)),
    async far(queue, id, deed = LOOK) {
      for (const list of ['again', 'r0', 'r1', 'r2']) {
        const found = await inList(queue, list, list === 'again' ? 'suspect' : 'ready', id, deed)
        if (found) return found
      }
      return (await doubled(queue, 'delayed', id, deed)) ?? (await doubled(queue, 'dead', id, deed)) ?? (await held(queue, id))
    },
  }
}
