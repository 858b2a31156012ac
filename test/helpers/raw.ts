/** Messages as others write them to the broker: any bytes, past every check of a sender. */
import type { Broker } from '../../lib/broker.ts'

let made = 0

/** A body of the seven keys, with some of them replaced. */
export const wireBody = (fields: Readonly<Record<string, unknown>> = {}): string =>
  JSON.stringify({
    queue_name: 'default',
    actor_name: 'good',
    args: [],
    kwargs: {},
    options: {},
    message_id: 'wire',
    message_timestamp: 0,
    ...fields,
  })

/** Pushes a body under an id of its own. @returns the id */
export async function pushRaw(broker: Broker, body: string | Uint8Array, id = `raw-${made++}`): Promise<string> {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  await broker.push([{ id, queue: 'default', attempt: 0, priority: 1, body: bytes }])
  return id
}
