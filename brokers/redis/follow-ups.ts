/**
 * Follow-ups on a Cluster: what goes to a queue of another slot cannot be in the write of the settlement. It is pushed before, and remembered
 * for a day, so that a message that runs again stores it once.
 */
import type { Envelope, Settlement } from '../../lib/broker.ts'
import type { Push } from './push.ts'

const REMEMBERED_MS = 86_400_000

/** Pushes what goes elsewhere, and answers the settlements with what is left. Rejects when one cannot be stored: then nothing is settled. */
export async function pushAhead(
  batch: readonly Settlement[],
  queueOf: (token: string) => string | undefined,
  push: Push,
): Promise<readonly Settlement[]> {
  const elsewhere: Envelope[] = []
  const settlements = batch.map(settlement => {
    const queue = queueOf(settlement.token)
    if (!('then' in settlement) || !settlement.then || queue === undefined) return settlement
    const then = settlement.then.filter(envelope => envelope.queue === queue)
    for (const envelope of settlement.then)
      if (envelope.queue !== queue) elsewhere.push({ ...envelope, onceMs: envelope.onceMs ?? REMEMBERED_MS })
    return { ...settlement, then }
  })
  if (elsewhere.length > 0) for (const pushed of await push(elsewhere, {})) if (typeof pushed === 'object') throw pushed
  return settlements
}
