/**
 * New code for all places, one after the other, so that somebody serves at any time. Asked for again meanwhile, it begins anew, as
 * what was started may have read old code. Where the new code does not start it ends, and the old processes go on.
 */
import type { Place } from './place.ts'

/** @returns a function that asks for it */
export function rolling(places: readonly Place[], stop: AbortSignal, say: (line: string) => void): () => void {
  let version = 0,
    renewing: Place | undefined

  async function roll(): Promise<void> {
    let seen: number
    do {
      seen = version
      for (const [done, place] of places.entries()) {
        renewing = place
        const isUp = await place.renew()
        if (stop.aborted) return
        if (seen !== version) break
        if (isUp) continue
        say(`the new code does not start: ${remaining(done)}`)
        break
      }
    } while (seen !== version)
    renewing = undefined
  }
  const remaining = (done: number) =>
    done === 0 ? 'the processes that serve go on' : `${done} of ${places.length} were replaced, the others go on`

  return () => {
    version++
    if (renewing) void renewing.renew()
    else void roll()
  }
}
