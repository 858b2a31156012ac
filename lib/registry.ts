/**
 * What all copies of the library in one process share: one object on globalThis. A bundler, a hot reload or a CommonJS copy
 * beside an ESM one makes a second copy of this code; `current()`, errors, the default
 * app, the list of apps and the open brokers stay one.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Broker } from './broker.ts'
import type { Store } from './store.ts'

/** An open broker, and how many apps use it. */
export interface Connection {
  readonly broker: Promise<Broker>
  users: number
}

/** What a thread of isolated runs puts in the place of brokers and workers. */
export interface ThreadSide {
  /** The broker and the store of the parent, for this app. */
  connect(app: object): Promise<{ readonly broker: Broker; readonly store?: Store; release(): Promise<void> }>
  /** A module has come to its `app.work()`: what it defines is defined. Never resolves. */
  working(): Promise<never>
}

interface Shared {
  /** The run that the current code belongs to. */
  readonly runs: AsyncLocalStorage<unknown>
  /** Every app that was made and is still referenced: for the command line. */
  readonly apps: Set<WeakRef<object>>
  /** Messages whose id nobody chose: a follow-up's is replaced by one that is derived from its parent's. */
  readonly generatedIds: WeakSet<object>
  /** Open brokers by URL and namespace. */
  readonly connections: Map<string, Connection>
  /** Where the copies lie that are more than a part of a user's bundle. */
  readonly roots: Set<string>
  /** The app of `import { actor } from 'greenroom'`, once it was used. */
  defaultApp?: object
  /** Only in a thread of isolated runs. */
  thread?: ThreadSide
  /** What the command line imports, in order: a thread imports the same. */
  modules?: readonly string[]
}

const KEY = Symbol.for('greenroom/1')
const holder = globalThis as { [KEY]?: Shared }

export const shared: Shared = (holder[KEY] ??= {
  runs: new AsyncLocalStorage(),
  apps: new Set(),
  generatedIds: new WeakSet(),
  connections: new Map(),
  roots: new Set(),
})

export function rememberApp(app: object): void {
  for (const ref of shared.apps) if (ref.deref() === undefined) shared.apps.delete(ref)
  shared.apps.add(new WeakRef(app))
}

export const rememberedApps = (): object[] => [...shared.apps].flatMap(ref => ref.deref() ?? [])
