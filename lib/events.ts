/**
 * The one stream of typed events that observers watch: logs, metrics and traces are built on it.
 * A middleware's `on` is told directly; anyone else subscribes to `greenroom:<event>` on node:diagnostics_channel.
 * It is free when nobody listens: `watched(kind)` is asked before an event is made.
 */
import { channel } from 'node:diagnostics_channel'
import type { Logger } from './log.ts'
import type { Message } from './message.ts'
import type { Outcome } from './outcome.ts'

/**
 * What happens to messages, by event. A middleware's `on` is told, and so is who subscribes to `greenroom:<event>`.
 * @example subscribe('greenroom:settled', event => console.log((event as Events['settled']).outcome.kind))
 */
export interface Events {
  /** A message was stored, or skipped or recognised as a duplicate. */
  sent: { readonly message: Message; readonly stored: boolean; readonly by?: string }
  /** A run begins. */
  started: { readonly message: Message; readonly attempt: number; readonly deliveries: number }
  /** A run ended and the broker was told. `settled` is 'lost' when the lease was gone (the message runs again elsewhere), or when an earlier answer was. */
  settled: {
    readonly message: Message
    readonly outcome: Outcome
    readonly attempt: number
    readonly deliveries: number
    readonly ms: number
    readonly settled: 'ok' | 'lost'
  }
  /** A body could not be decoded and became a dead letter. */
  rejected: { readonly id: string; readonly queue: string; readonly reason: string }
  /** A handler did not end within the grace after its signal was aborted. It was settled, and goes on running. */
  stuck: { readonly message: Message; readonly reason: string; readonly stuck: number }
  /** The event loop stood still, and moves again: nothing else ran meanwhile. `actors`: whose handler did it, or all that ran where that could not be seen. `stack`: where it was, innermost first. */
  blocked: { readonly actors: readonly string[]; readonly blockedMs: number; readonly stack: readonly string[] }
  /** A worker begins to stop: nothing new is started. `messages` are those that it runs. */
  stopping: { readonly running: number; readonly graceMs: number; readonly messages: readonly Message[] }
  /** Something is wrong that no caller can be told: the broker is away, a settlement failed, a middleware threw. */
  trouble: { readonly what: string; readonly error: unknown }
}
/** The name of an event. */
export type EventKind = keyof Events
const KINDS: readonly EventKind[] = ['sent', 'started', 'settled', 'rejected', 'stuck', 'blocked', 'stopping', 'trouble']

export interface EventStream {
  /** @param isProblem whether this one tells of a problem: some listen to no others */
  watched(kind: EventKind, isProblem?: boolean): boolean
  emit<K extends EventKind>(kind: K, event: Events[K]): void
}

type Observer = { readonly name: string; readonly on?: { readonly [K in EventKind]?: (event: Events[K]) => void } | undefined }

/** @param observers middleware with `on`; a throw or a rejection of theirs is logged by name and changes nothing */
export function eventStream(observers: readonly Observer[], log: Logger): EventStream {
  const kinds = new Map(
    KINDS.map(kind => [
      kind,
      {
        channel: channel(`greenroom:${kind}`),
        listeners: observers.flatMap(({ name, on }) =>
          on?.[kind] ? [{ name, listen: on[kind] as (event: unknown) => unknown }] : [],
        ),
      },
    ]),
  )
  return {
    watched: kind => {
      const { channel, listeners } = kinds.get(kind)!
      return listeners.length > 0 || channel.hasSubscribers
    },
    emit(kind, event) {
      const { channel, listeners } = kinds.get(kind)!
      for (const { name, listen } of listeners) {
        const threw = (error: unknown) => log.error({ middleware: name, event: kind, err: error }, 'an observer threw')
        try {
          const told = listen(event)
          if (told instanceof Promise) told.catch(threw) // an async function fits here too; its rejection must not end the process
        } catch (error) {
          threw(error)
        }
      }
      if (channel.hasSubscribers) channel.publish(event)
    },
  }
}
