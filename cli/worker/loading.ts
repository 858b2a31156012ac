/** Modules that send while a worker loads them: each start of each process would send again. A warning, as it may be meant. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { systemClock } from '../../lib/clock.ts'
import { listed } from '../../lib/errors.ts'
import type { Events } from '../../lib/events.ts'
import type { Io } from '../command.ts'
import { safe } from '../text.ts'

/**
 * Loads, and warns of each actor that was sent to meanwhile. What is not awaited is stored later, and known by its time.
 * `stop()` when nothing is left to be told of.
 */
export async function watchLoading<T>(modules: readonly string[], io: Io, load: () => Promise<T>) {
  const told = new Set<string>()
  let loadedAt = Infinity
  const stop = () => {
    unsubscribe('greenroom:sent', sent)
  }
  function sent(event: unknown): void {
    const { message, stored } = event as Events['sent']
    if (message.timestamp > loadedAt) return stop() // handlers send from here on
    if (!stored || told.has(message.actor)) return
    told.add(message.actor)
    io.error(
      safe(
        `greenroom: ${listed(modules)} sends to ${message.actor} while it is loaded, so each worker that starts sends again. Send from another module, which no worker loads`,
      ),
      { actor: message.actor },
    )
  }
  subscribe('greenroom:sent', sent)
  try {
    const result = await load()
    loadedAt = systemClock.now()
    return { result, stop }
  } catch (error) {
    stop()
    throw error
  }
}
