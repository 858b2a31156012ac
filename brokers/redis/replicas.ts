/**
 * `waitReplicas`: a push counts as stored when so many replicas have it. WAIT blocks its connection, so pushes have one of their own then, and
 * one WAIT serves all that was written before it. Replication is in order: who has a write has all before it.
 */
import { type Link, LinkError } from './link.ts'

/** Resolves when so many replicas have what was written on this link before the call. Rejects with ('unready', 'maybe') after `timeoutMs`. */
export function replicaWaiter(link: Link, replicas: number, timeoutMs: number): () => Promise<void> {
  let underWay: Promise<void> | undefined, next: Promise<void> | undefined

  async function wait(): Promise<void> {
    const count = Number(await link.ask('WAIT', replicas, Math.ceil(timeoutMs)))
    if (count < replicas)
      throw new LinkError(
        'unready',
        'maybe',
        `${count} of ${replicas} replicas had it after ${Math.ceil(timeoutMs)} ms (waitReplicas)`,
      )
  }
  function begin(): Promise<void> {
    next = undefined
    const waiting = wait().finally(() => {
      if (underWay === waiting) underWay = undefined
    })
    underWay = waiting
    return waiting
  }
  // What was written since the one under way was sent, needs the next.
  return () => (next ??= underWay ? underWay.then(begin, begin) : Promise.resolve().then(begin))
}
