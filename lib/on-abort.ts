/** One listener a signal, however many wait for it: Node warns of a leak from the eleventh on. */
interface Waiting {
  readonly stops: Set<() => void>
  readonly tell: () => void
}
const waiting = new WeakMap<AbortSignal, Waiting>()

/** Calls `stop` once when the signal is aborted. @returns what ends the waiting, and the listener with the last of them */
export function onAbort(signal: AbortSignal, stop: () => void): () => void {
  const { stops } = waiting.get(signal) ?? listen(signal)
  const mine = () => stop() // one that is given twice waits twice
  stops.add(mine)
  return () => {
    if (stops.delete(mine) && stops.size === 0) forget(signal, stops)
  }
}

function listen(signal: AbortSignal): Waiting {
  const stops = new Set<() => void>()
  const tell = () => {
    forget(signal, stops)
    for (const stop of stops) stop()
  }
  const made = { stops, tell }
  waiting.set(signal, made)
  signal.addEventListener('abort', tell)
  return made
}

function forget(signal: AbortSignal, stops: Set<() => void>): void {
  const found = waiting.get(signal)
  if (found?.stops !== stops) return
  waiting.delete(signal)
  signal.removeEventListener('abort', found.tell)
}
