/** Where the master is, as Sentinels have it: all are asked at once, as some may be gone, and the first that knows is believed. */
import type { Dial } from './dial.ts'
import { isFinal } from './failures.ts'
import { LinkError } from './link.ts'
import { type Address, type Where, addressName } from './url.ts'

/** @throws {LinkError} when none of them knows */
export async function masterOf(
  { addresses, master, name, sentinelLogin }: Where,
  dial: Dial,
  signal: AbortSignal,
): Promise<Address> {
  const known = new AbortController()
  const login = sentinelLogin()
  const asked = addresses.map(async (address): Promise<Address> => {
    const wire = await dial({ address, login, db: 0, signal: AbortSignal.any([signal, known.signal]) })
    try {
      const reply = await wire.send('SENTINEL', ['GET-MASTER-ADDR-BY-NAME', master])
      if (!Array.isArray(reply))
        throw new LinkError('broken', 'no', `${addressName(address)} knows no master ${master}: look at its name in the URL`)
      return { host: String(reply[0]), port: Number(reply[1]) }
    } finally {
      wire.end(new LinkError('away', 'no', 'It was asked'))
      await wire.ended
    }
  })
  try {
    return await Promise.any(asked)
  } catch (error) {
    const all = (error as AggregateError).errors as LinkError[]
    // One that cannot be reached may know.
    throw all.find(one => !isFinal(one)) ?? all[0] ?? new LinkError('away', 'no', `No sentinel of ${name} answers`)
  } finally {
    known.abort(new LinkError('away', 'no', 'Another one was faster'))
    await Promise.allSettled(asked)
  }
}
