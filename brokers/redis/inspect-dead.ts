/** What people do to dead letters: bring them back, delete them. In bounded pieces; one that is cut short loses none and doubles none. */
import { idOfMember } from './entries.ts'
import { MOST_BYTES, type Reply, type Server } from './inspect-server.ts'
import type { Argument } from './link.ts'

const AT_ONCE = 100
/** How many are on their way at a time where each takes three trips. */
const ABREAST = 32

export interface Letters {
  revive(queue: string, ids: readonly string[], to: string, isNear: boolean): Promise<number>
  drop(queue: string, ids: readonly string[]): Promise<number>
}

/** Does it to the first of some members, and says to how many of them, and which were not there. */
type Deed = (members: readonly Argument[]) => Promise<{ readonly done: number; readonly missing: readonly string[] }>

export function deadLetters(server: Server): Letters {
  async function each(queue: string, ids: readonly string[], deed: Deed): Promise<number> {
    const wanted = new Set<string>()
    const toAll = async (members: readonly Argument[]) => {
      let count = 0
      for (let at = 0; at < members.length;) {
        const { done, missing } = await deed(members.slice(at, at + AT_ONCE))
        count += done - missing.length
        at += done
        for (const id of missing) wanted.add(id)
      }
      return count
    }
    const count = await toAll([...new Set(ids)])
    if (wanted.size === 0) return count
    // The first of an id may be gone, and the second stands under a longer name.
    const doubles: Buffer[] = []
    for await (const member of server.doubles(queue, 'dead')) if (wanted.has(idOfMember(member))) doubles.push(member)
    return count + (await toAll(doubles))
  }
  const scripted = async (...asked: Parameters<Server['run']>) => {
    const [done, ...missing] = (await server.run(...asked)) as Reply
    return { done: Number(done), missing: missing.map(String) }
  }

  /** To another node: stored there first, under a guard, and deleted here then. */
  async function carry(queue: string, to: string, member: Argument): Promise<boolean> {
    const [, score, letter] = (await server.run('inspect-member', queue, ['dead', member, 'look'])) as Buffer[]
    if (!score || !letter) return false
    const guard = Buffer.concat([Buffer.from(`${queue} ${score} `), Buffer.from(member as string)])
    if ((await server.run('inspect-adopt', to, [guard, letter])) !== 1) return false
    const { missing } = await scripted('inspect-drop', queue, [score, member])
    return missing.length === 0
  }

  return {
    revive: (queue, ids, to, isNear) =>
      each(queue, ids, async members => {
        if (isNear) return scripted('inspect-revive', queue, [MOST_BYTES, ...members], to)
        const some = members.slice(0, ABREAST)
        const carried = await Promise.all(some.map(member => carry(queue, to, member)))
        return { done: some.length, missing: some.filter((_, i) => !carried[i]).map(String) }
      }),
    drop: (queue, ids) => each(queue, ids, members => scripted('inspect-drop', queue, ['', ...members])),
  }
}
