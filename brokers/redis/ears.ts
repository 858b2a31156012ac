/** The connection that listens: subscribes to what is listened to, again after it broke, and then says to all that messages may have been missed. */
import type { Clock } from '../../lib/clock.ts'
import type { Random } from '../../lib/ids.ts'
import type { Logger } from '../../lib/log.ts'
import { openLine } from './line.ts'
import type { LinkError } from './link.ts'
import type { Wire } from './wire.ts'

export type Heard = (message?: Buffer) => void

export interface Ears extends AsyncDisposable {
  /** Of a Link. */
  listen(channel: string, heard: Heard): () => void
}

export interface EarsOptions {
  readonly name: string
  dial(signal: AbortSignal, heard: (channel: string, message: Buffer) => void): Promise<Wire>
  /** As that of a line. */
  troubled?(why: LinkError): void
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

export function openEars({ name, dial, troubled, clock, random, log }: EarsOptions): Ears {
  const channels = new Map<string, Set<Heard>>()
  const line = openLine({
    name,
    purpose: 'wake-ups',
    clock,
    random,
    log,
    ...(troubled && { troubled }),
    dial: signal => dial(signal, tell),
    connected(wire) {
      for (const channel of channels.keys()) subscribe(wire, channel)
    },
  })
  function tell(channel: string, message?: Buffer): void {
    for (const heard of channels.get(channel) ?? []) heard(message)
  }
  function subscribe(wire: Wire, channel: string): void {
    wire.send('ssubscribe', [channel]).then(
      () => tell(channel),
      (error: LinkError) => {
        if (error.why === 'unready') wire.end(error)
        else if (wire.isOpen)
          log.warn({ redis: name, channel }, `Redis refuses to let us listen, so messages are found late: ${error.message}`)
      },
    )
  }
  return {
    listen(channel, heard) {
      const one: Heard = message => heard(message) // one function may listen twice
      const others = channels.get(channel)
      if (others) others.add(one)
      else channels.set(channel, new Set([one]))
      line.start()
      // Also for one more listener: the answer tells it from when on it hears.
      if (line.wire) subscribe(line.wire, channel)
      return () => {
        const left = channels.get(channel)
        if (!left?.delete(one) || left.size > 0) return
        channels.delete(channel)
        line.wire?.send('sunsubscribe', [channel]).catch(() => {})
      }
    },
    [Symbol.asyncDispose]: () => line[Symbol.asyncDispose](),
  }
}
