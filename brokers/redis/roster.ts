/** The names of all queues, which a server keeps: who sweeps looks after them, also where no worker serves one. */
import { queuesKey } from './keys.ts'
import { type Link, LinkError } from './link.ts'

export interface Roster {
  /** Rejects with a LinkError. A server whose memory is full takes no name and must be drained all the same: it gets the name later. */
  add(queues: readonly string[]): Promise<void>
  /** Tells the server again what it has not taken, or may have forgotten when it was restarted. Waits for nothing. */
  repeat(): void
}

export function createRoster(link: Link, namespace: string): Roster {
  const key = queuesKey(namespace),
    names = new Set<string>()
  /** The life of the connection in which the server took all names. */
  let toldIn = 0

  return {
    async add(queues) {
      if (names.size === 0) toldIn = link.lives
      for (const queue of queues) names.add(queue)
      try {
        await link.ask('SADD', key, ...queues)
      } catch (error) {
        toldIn = 0
        if (!(error instanceof LinkError && error.why === 'full')) throw error
      }
    },
    repeat() {
      if (names.size === 0 || link.lives === toldIn || !link.isUp) return
      toldIn = link.lives
      link.ask('SADD', key, ...names).catch(() => (toldIn = 0))
    },
  }
}
