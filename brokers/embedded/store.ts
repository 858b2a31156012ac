/** `Store` on the event loop's side: each call is one question to the engine, a batch as it came. */
import { GreenroomError } from '../../lib/errors.ts'
import { LARGEST_BODY } from '../../lib/refusal.ts'
import type { Store } from '../../lib/store.ts'
import type { Engine } from './client.ts'
import { brokerClosed } from './failures.ts'

/** Of this process: brokers that share an engine must not end each other's reads. */
let readers = 0

export function embeddedStore(open: () => Engine, namespace: string): Store {
  const reading = new Set<number>()
  let closed = false
  function engine(): Engine {
    if (closed) throw brokerClosed('store')
    return open()
  }
  async function unread(reader: number): Promise<void> {
    await open()
      .ask(namespace, 'unread', { reader })
      .catch(() => {
        /* the read ends with the engine */
      })
  }
  return {
    get: async keys => engine().ask(namespace, 'get', { keys }),
    set: async entries =>
      engine().ask(namespace, 'set', { entries: entries.map(entry => ({ ...entry, value: stored(entry.value) })) }),
    drop: async entries =>
      engine().ask(namespace, 'unset', {
        entries: entries.map(({ key, if: only }) => ({ key, ...(only && { if: compact(only) }) })),
      }),
    gather: async entries =>
      engine().ask(namespace, 'gather', {
        entries: entries.map(({ value, ...entry }) => ({ ...entry, ...(value && { value: stored(value) }) })),
      }),
    members: async (key, cursor) => engine().ask(namespace, 'members', { key, cursor }),
    acquire: async entries => engine().ask(namespace, 'acquire', { entries }),
    release: async entries => engine().ask(namespace, 'giveUp', { entries }),
    append: async entries =>
      engine().ask(namespace, 'append', { entries: entries.map(entry => ({ ...entry, value: stored(entry.value) })) }),
    async read(topics, { waitMs, signal }) {
      const reader = ++readers,
        running = engine()
      if (signal?.aborted) return topics.map(() => [])
      const stop = () => void unread(reader)
      reading.add(reader)
      signal?.addEventListener('abort', stop, { once: true })
      try {
        return await running.ask(namespace, 'read', { reader, topics, waitMs })
      } finally {
        signal?.removeEventListener('abort', stop)
        reading.delete(reader)
      }
    },
    /** Ends its reads. The folder is the broker's to close. */
    async [Symbol.asyncDispose]() {
      const ending = [...reading].map(unread)
      closed = true
      await Promise.all(ending)
    },
  }
}

/** @throws {GreenroomError} `OPTION_INVALID` for a value that lmdb would not copy out of its file: see LARGEST_BODY */
function stored(value: Uint8Array): Uint8Array {
  if (value.length > LARGEST_BODY)
    throw new GreenroomError('OPTION_INVALID', `A value of the store cannot have ${value.length} bytes`, {
      help: `It has at most ${LARGEST_BODY}. Put the data elsewhere and keep where it is`,
    })
  return compact(value)
}

/** A clone takes the whole buffer that a view is of: give it no more than there is. */
const compact = (bytes: Uint8Array): Uint8Array => (bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes))
