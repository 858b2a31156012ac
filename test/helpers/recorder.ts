/** What happened, kept: events of an app, and the lines of its log. Tests wait on them instead of on time. */
import type { EventKind, Events } from '../../lib/events.ts'
import type { Logger } from '../../lib/log.ts'
import type { AnyMiddleware } from '../../lib/middleware.ts'

export interface Recorder {
  /** A middleware that only watches. */
  readonly watch: AnyMiddleware
  /** Every event of a kind so far. */
  all<K extends EventKind>(kind: K): readonly Events[K][]
  /** Resolves to all of them once there are so many. */
  until<K extends EventKind>(kind: K, count?: number): Promise<readonly Events[K][]>
}

const KINDS: readonly EventKind[] = ['sent', 'started', 'settled', 'rejected', 'stuck', 'blocked', 'stopping', 'trouble']

export function recorder(): Recorder {
  const seen = new Map<EventKind, unknown[]>(KINDS.map(kind => [kind, []]))
  const waiting = new Set<() => void>()
  const listen = (kind: EventKind) => (event: unknown) => {
    seen.get(kind)!.push(event)
    for (const look of waiting) look()
  }
  const all = <K extends EventKind>(kind: K) => seen.get(kind) as Events[K][]
  return {
    watch: { name: 'watch', on: Object.fromEntries(KINDS.map(kind => [kind, listen(kind)])) },
    all,
    until: (kind, count = 1) =>
      new Promise(resolve => {
        const look = () => {
          if (all(kind).length < count) return
          waiting.delete(look)
          resolve(all(kind))
        }
        waiting.add(look)
        look()
      }),
  }
}

export interface Line {
  readonly level: keyof Logger
  readonly facts: Readonly<Record<string, unknown>>
  readonly text: string
}

/** A logger that keeps its lines. */
export function keepLines(): { readonly log: Logger; readonly lines: readonly Line[] } {
  const lines: Line[] = []
  const keep =
    (level: keyof Logger) =>
    (facts: object, text = '') =>
      void lines.push({ level, facts: facts as Line['facts'], text })
  return { lines, log: { debug: keep('debug'), info: keep('info'), warn: keep('warn'), error: keep('error') } }
}
