/**
 * One direction of one connection through the proxy: bytes come from `source`, wait for what holds or delays them, and go to `sink` in
 * their order. The end of the source, and its reset, travel in the same line, behind the bytes that came before them.
 */
import type { Socket } from 'node:net'
import { type Clock, sleep } from '../../lib/clock.ts'

export interface Rules {
  /** Settles when bytes may pass; undefined when they may now. While it is there nothing is read either, as on a network that lost its way. */
  held(): Promise<void> | undefined
  /** How long the bytes that come now travel. */
  delayMs(): number
  /** The most bytes that pass at once. */
  readonly piece: number
  /** How many of these bytes may pass; fewer than there are, or the last one of them, may mean that the connection is cut now. */
  pass(bytes: Buffer): { readonly count: number; readonly isCut: boolean }
  /** They have passed. */
  passed(count: number): void
  cut(): void
}

/** What waits in the line; a cable that is this full takes no more. */
const FULL_BYTES = 1 << 20

export interface Flow {
  /** Reads on, or stops reading, as the rules say now. */
  look(): void
  /** Drops what waits, and leaves no timer. */
  stop(): void
}

type Item = { readonly due: number } & ({ readonly bytes: Buffer } | { readonly end: 'fin' | 'rst' })

export function flow(source: Socket, sink: Socket, rules: Rules, clock: Clock): Flow {
  const line: Item[] = [],
    stopping = new AbortController()
  let waiting = 0, // bytes in the line
    due = 0, // of the last item: none overtakes another
    isPumping = false

  const add = (what: { bytes: Buffer } | { end: 'fin' | 'rst' }) => {
    due = Math.max(due, clock.monotonic() + rules.delayMs())
    line.push({ ...what, due })
    if (!isPumping) void pump()
  }
  source.on('data', (bytes: Buffer) => {
    waiting += bytes.length
    add({ bytes })
    look()
  })
  source.on('end', () => add({ end: 'fin' }))
  source.on('close', hadError => hadError && add({ end: 'rst' }))

  async function pump(): Promise<void> {
    isPumping = true
    try {
      for (let item = line[0]; item !== undefined; item = line[0]) {
        for (let held = rules.held(); held !== undefined; held = rules.held()) await held
        const waitMs = item.due - clock.monotonic()
        if (waitMs > 0) await sleep(clock, waitMs, { signal: stopping.signal })
        stopping.signal.throwIfAborted()
        if ('end' in item) finish(item.end)
        else await send(item.bytes)
        line.shift()
      }
    } catch {
      stop() // the connection was cut, or its sink is gone
    } finally {
      isPumping = false
    }
  }

  async function send(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      for (let held = rules.held(); held !== undefined; held = rules.held()) await held
      stopping.signal.throwIfAborted()
      const { count, isCut } = rules.pass(bytes.subarray(at, at + rules.piece))
      if (count > 0) await written(sink, bytes.subarray(at, at + count))
      rules.passed(count)
      if (isCut) rules.cut()
      at += count
      waiting -= count
      if (at < bytes.length) await read()
    }
    look()
  }

  function finish(end: 'fin' | 'rst'): void {
    if (end === 'fin') sink.end()
    else sink.resetAndDestroy()
  }

  function look(): void {
    if (rules.held() === undefined && waiting < FULL_BYTES) source.resume()
    else source.pause()
  }

  function stop(): void {
    stopping.abort()
    line.length = 0
  }
  look()
  return { look, stop }
}

/** Time for the other side to read what has passed: it should find a piece alone, and what comes before a reset. */
export async function read(): Promise<void> {
  for (let turn = 0; turn < 2; turn++) await new Promise(setImmediate)
}

/** Resolves when the system has them: what is cut then has arrived. */
function written(sink: Socket, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    sink.write(bytes, error => {
      if (error) reject(error)
      else resolve()
    })
  })
}
