/**
 * The broker and the store of an app in a thread: each call is a question to its parent. Nothing here opens anything, so a thread
 * can be ended at any moment and holds nothing.
 */
import type { Broker, Envelope, Pushed } from '../broker.ts'
import { GreenroomError } from '../errors.ts'
import { shared } from '../registry.ts'
import type { Store } from '../store.ts'
import { type Carried, unpack, withBuffers } from './carry.ts'
import { noBroker } from './failures.ts'
import type { Asked, Opened, Said, Told } from './protocol.ts'

export interface Parent {
  ask(app: string, asked: Asked, signal?: AbortSignal): Promise<unknown>
  answered(answer: Extract<Told, { kind: 'answer' }>): void
}

export function createParent(say: (said: Said) => void): Parent {
  interface Waiting {
    readonly resolve: (value: unknown) => void
    readonly reject: (error: unknown) => void
  }
  const waiting = new Map<number, Waiting>()
  let ids = 0
  return {
    ask(app, asked, signal) {
      return new Promise((resolve, reject) => {
        const id = ++ids
        waiting.set(id, { resolve, reject })
        say({ kind: 'ask', id, app, asked, inRun: shared.runs.getStore() !== undefined })
        signal?.addEventListener('abort', () => say({ kind: 'drop', id }), { once: true })
      })
    },
    answered({ id, value, error }) {
      const found = waiting.get(id)
      waiting.delete(id)
      if (error) found?.reject(unpack(error))
      else found?.resolve(withBuffers(value))
    },
  }
}

/** What an app in a thread connects to. */
export async function connectToParent(parent: Parent, app: () => string) {
  const { name, capabilities, inspector, store } = (await parent.ask(app(), { op: 'open' })) as Opened
  const proxied = <T extends object>(op: 'inspector' | 'store', methods: readonly string[]): T | undefined =>
    methods.length === 0
      ? undefined
      : (Object.fromEntries(
          methods.map(method => [
            method,
            (...args: readonly unknown[]) => {
              const { signal } = (method === 'read' ? (args[1] as { signal?: AbortSignal } | undefined) : undefined) ?? {}
              const given = signal ? [args[0], { ...(args[1] as object), signal: undefined }] : args
              return parent.ask(app(), { op, method, args: given }, signal)
            },
          ]),
        ) as T)
  const look = proxied<NonNullable<Broker['inspector']>>('inspector', inspector)
  const keeps = proxied<Store>('store', store)
  const broker: Broker = {
    name,
    capabilities,
    ...(look && { inspector: look }),
    async open() {}, // the parent opens queues as it stores
    async push(batch: readonly Envelope[]) {
      const pushed = (await parent.ask(app(), { op: 'push', envelopes: batch })) as readonly (Pushed | { error: Carried })[]
      return pushed.map(one => (typeof one === 'object' && 'error' in one ? (unpack(one.error) as GreenroomError) : one))
    },
    consume: () => Promise.reject(noBroker(name)),
    async [Symbol.asyncDispose]() {},
  }
  return {
    broker,
    ...(keeps && { store: { ...keeps, async [Symbol.asyncDispose]() {} } }),
    release: async () => {},
  }
}
