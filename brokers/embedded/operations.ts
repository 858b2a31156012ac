/** What each operation does inside a transaction: a table from the protocol to the parts that know. */
import { createHash } from 'node:crypto'
import type { Exchange } from './exchange.ts'
import { LOST, exchange } from './exchange.ts'
import type { Inspecting } from './inspect.ts'
import { inspecting } from './inspect.ts'
import type { Ledger } from './ledger.ts'
import type { Leases } from './leases.ts'
import { MOST } from './limits.ts'
import type { LiveIds } from './live-ids.ts'
import type { Messages } from './messages.ts'
import type { Answer, Input, Op, Request } from './protocol.ts'
import type { Expiring, Shelf } from './shelf.ts'
import { shelf } from './shelf.ts'
import type { Waiters } from './waiters.ts'

/** It is answered when there is something, or its time is over. */
export const NOT_YET = Symbol('answered later')
/** It goes on in the next transaction. */
export const AGAIN = Symbol('goes on')

/** What only looks: answered from a reading transaction, without the lock. */
export const READS: ReadonlySet<Op> = new Set<Op>(['queues', 'counts', 'list', 'find', 'get', 'members'])
/** What asks where messages are: what the dead held is put back first, also where nobody works. */
export const ASKS_AROUND: ReadonlySet<Op> = new Set<Op>(['queues', 'counts', 'list', 'find', 'remove', 'reschedule', 'purge'])
/** What a power cut may undo without harm, as it ends what it speaks of: a lease that nobody holds any more. */
export const LIGHT: ReadonlySet<Op> = new Set<Op>(['take', 'cancel', 'read', 'unread'])
/** What is refused while there is no room. */
export const GROWS: ReadonlySet<Op> = new Set<Op>(['push', 'set', 'gather', 'append'])

interface Space {
  readonly exchange: Exchange
  readonly inspect: Inspecting
  readonly shelf: Shelf
}
type Handlers = {
  readonly [O in Op]: (input: Input<O>, place: Space, request: Request<O>) => Answer<O> | typeof NOT_YET | typeof AGAIN
}

export interface Parts {
  readonly book: Ledger
  readonly ids: LiveIds
  readonly kept: Messages
  readonly rows: Expiring
  readonly lease: Leases
  readonly wait: Waiters
  /** Gives this engine its number and row: only processes that take or wait need one. */
  enrol(): void
  wake(engine: number): void
}

export interface Desk {
  handle(request: Request): unknown
  /** What is said about queues of a namespace. */
  inspect(namespace: string): Inspecting
  /** The name of a queue, for a log. */
  nameOf(queue: number): string
}

export function operations({ book, ids, kept, rows, lease, wait, enrol, wake }: Parts): Desk {
  const spaces = new Map<string, Space>(),
    progress = new Map<number, number>()
  const digest = (text: string) => createHash('sha256').update(text).digest('base64url')

  function space(namespace: string): Space {
    let found = spaces.get(namespace)
    if (!found) {
      found = {
        exchange: exchange(book, kept, lease, rows, namespace),
        inspect: inspecting(book, ids, kept, namespace),
        shelf: shelf(book, rows, namespace, digest),
      }
      spaces.set(namespace, found)
    }
    return found
  }

  const handlers: Handlers = {
    open({ queues }, _, { namespace }) {
      for (const name of queues) book.numberOf(namespace, name)
    },
    push: (batch, { exchange: to }) => to.push(batch),
    consume({ queues, credit, leaseMs }, _, { namespace }) {
      enrol()
      const consumer = lease.join(
        queues.map(name => ({ name, no: book.numberOf(namespace, name) })),
        credit,
        leaseMs,
      )
      wait.add(consumer)
      return consumer.id
    },
    take({ consumer, max, waitMs, room }, _, { id }) {
      return wait.take(consumer, { id, max: Math.min(max, MOST), until: book.mono + waitMs, room }) ?? NOT_YET
    },
    cancel({ consumer }) {
      wait.cancel(consumer)
    },
    settle(input, { exchange: to }) {
      const consumer = wait.consumer(input.consumer)
      return consumer ? to.settle(consumer, input) : new Uint8Array(input.tokens.length).fill(LOST)
    },
    leave({ consumer: id }) {
      const consumer = wait.consumer(id)
      if (!consumer) return
      wait.cancel(id)
      lease.leave(consumer)
      wait.delete(id)
    },
    queues: (_, { inspect }) => inspect.queues(),
    counts: ({ queue }, { inspect }) => inspect.counts(queue),
    list: (input, { inspect }) => inspect.list(input),
    find: ({ id, queue }, { inspect }) => inspect.find(id, queue),
    remove: ({ queue, id }, { inspect }) => inspect.remove(queue, id),
    promote: ({ queue, id }, { inspect }) => inspect.promote(queue, id),
    reschedule: (input, { inspect }) => inspect.reschedule(input),
    revive: (input, { inspect }) => inspect.revive(input),
    drop: ({ queue, ids: wanted }, { inspect }) => inspect.drop(queue, wanted),
    purge({ queue }, { inspect }, { id }) {
      const purged = inspect.purge(queue, MOST),
        sum = (progress.get(id) ?? 0) + purged
      book.onCommit(() => {
        if (purged === MOST) progress.set(id, sum)
        else progress.delete(id)
      })
      return purged === MOST ? AGAIN : sum
    },
    pause: ({ queue, paused }, { inspect }) => inspect.pause(queue, paused),
    get: ({ keys }, { shelf: on }) => on.get(keys),
    set: ({ entries }, { shelf: on }) => on.set(entries),
    unset: ({ entries }, { shelf: on }) => on.unset(entries),
    gather: ({ entries }, { shelf: on }) => on.gather(entries),
    members: ({ key, cursor }, { shelf: on }) => on.members(key, cursor),
    acquire: ({ entries }, { shelf: on }) => on.acquire(entries),
    giveUp: ({ entries }, { shelf: on }) => on.giveUp(entries),
    append({ entries }, { shelf: on }) {
      wait.appended(on, on.append(entries), wake)
    },
    read({ reader, topics, waitMs }, { shelf: on }, { id }) {
      const found = on.read(topics)
      if (waitMs <= 0 || found.some(entries => entries.length > 0)) return found
      enrol()
      wait.read({ id, reader, topics, shelf: on, until: book.mono + waitMs })
      return NOT_YET
    },
    unread({ reader }) {
      wait.unread(reader)
    },
    // What these two are about has been done when the request came: see engine.ts.
    advance() {},
    close() {},
    crash({ consumer }) {
      wait.stop(consumer)
    },
  }

  return {
    handle: request =>
      (handlers[request.op] as (input: unknown, place: Space, request: Request) => unknown)(
        request.input,
        space(request.namespace),
        request,
      ),
    inspect: namespace => space(namespace).inspect,
    nameOf(queue) {
      for (const namespace of spaces.keys()) for (const { name, no } of book.names(namespace)) if (no === queue) return name
      return `${queue}`
    },
  }
}
