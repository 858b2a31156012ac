/** Brokers that are open in this process, one a URL and namespace however many apps use it: a hot reload leaks no connection. */
import type { Broker } from './broker.ts'
import { shared } from './registry.ts'

export interface Lease {
  readonly broker: Broker
  release(): Promise<void>
}

/** @param key URL and namespace. `memory:` apps share too: two apps of one process are two clients of one broker. */
export async function connection(key: string, connect: () => Promise<Broker>): Promise<Lease> {
  const { connections } = shared
  let entry = connections.get(key)
  if (!entry) {
    entry = { broker: connect(), users: 0 }
    connections.set(key, entry)
  }
  const held = entry
  held.users++
  const forget = () => {
    if (connections.get(key) === held) connections.delete(key)
  }
  try {
    const broker = await held.broker
    let released = false
    return {
      broker,
      async release() {
        if (released) return
        released = true
        if (--held.users > 0) return
        forget()
        await broker[Symbol.asyncDispose]()
      },
    }
  } catch (error) {
    forget()
    throw error
  }
}
