/** `Store` on the event loop's side: each call is one question to the engine, a batch as it came. */
import type { Store } from '../../lib/store.ts'
import type { Engine } from './client.ts'

export function embeddedStore(engine: () => Engine, namespace: string): Store {
  let readers = 0
  return {
    get: async keys => engine().ask(namespace, 'get', { keys }),
    set: async entries => engine().ask(namespace, 'set', { entries: entries.map(entry => ({ ...entry, value: compact(entry.value) })) }),
    drop: async entries => engine().ask(namespace, 'unset', { entries: entries.map(({ key, if: only }) => ({ key, ...only && { if: compact(only) } })) }),
    gather: async entries => engine().ask(namespace, 'gather', { entries: entries.map(({ value, ...entry }) => ({ ...entry, ...value && { value: compact(value) } })) }),
    members: async (key, cursor) => engine().ask(namespace, 'members', { key, cursor }),
    acquire: async entries => engine().ask(namespace, 'acquire', { entries }),
    release: async entries => engine().ask(namespace, 'giveUp', { entries }),
    append: async entries => engine().ask(namespace, 'append', { entries: entries.map(entry => ({ ...entry, value: compact(entry.value) })) }),
    async read(topics, { waitMs, signal }) {
      const reader = ++readers
      if (signal?.aborted) return topics.map(() => [])
      const reading = engine().ask(namespace, 'read', { reader, topics, waitMs })
      const stop = () => { void engine().ask(namespace, 'unread', { reader }).catch(() => {}) }
      signal?.addEventListener('abort', stop, { once: true })
      try {
        return await reading
      } finally {
        signal?.removeEventListener('abort', stop)
      }
    },
    // It is the broker's: disposed with it.
    async [Symbol.asyncDispose]() {},
  }
}

/** A clone takes the whole buffer that a view is of: give it no more than there is. */
const compact = (bytes: Uint8Array): Uint8Array => bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes)
