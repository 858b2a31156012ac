/** What a thread asks of its parent: to open an app, to store messages through its whole send chain, to look into its broker, to use its store. */
import { BANDS, type Priority } from '../message.ts'
import { GreenroomError } from '../errors.ts'
import { type Internals, internalsOf } from '../internals.ts'
import type { Live } from '../live.ts'
import type { Sending } from '../middleware.ts'
import { resolve } from '../options.ts'
import type { Envelope } from '../broker.ts'
import { pushedOf, type SkippedBy, type Verdict } from '../pusher.ts'
import { rememberedApps, shared } from '../registry.ts'
import { carry } from './carry.ts'
import { sentWhileLoaded } from './failures.ts'
import type { Isolated } from './pool.ts'
import type { Asked, Opened, Said, Told } from './protocol.ts'

export interface Server {
  ask(ask: Extract<Said, { kind: 'ask' }>): void
  drop(id: number): void
  /** Answers nothing more, and ends what waits. */
  close(): void
}

interface ServerParts {
  readonly app: Internals
  readonly live: Live
  readonly tell: (told: Told) => void
  readonly job: () => Isolated | undefined
}

export function createServer({ app, live, tell, job }: ServerParts): Server {
  const open = new Map<number, AbortController>()

  async function answer(asked: Asked, key: string, inRun: boolean, signal: AbortSignal): Promise<unknown> {
    const to = key === app.place ? { app, live } : await other(key)
    const { broker, services } = to.live
    switch (asked.op) {
      case 'open':
        return {
          name: broker.name,
          capabilities: broker.capabilities,
          inspector: methodsOf(broker.inspector),
          store: methodsOf(storeOf(to.live)),
        } satisfies Opened
      case 'push':
        if (!inRun) throw sentWhileLoaded()
        return Promise.all(asked.envelopes.map(envelope => push(to, envelope)))
      case 'inspector':
        return call(broker.inspector, asked.method, asked.args, signal)
      case 'store':
        return call(services.store, asked.method, asked.args, signal)
      default:
        return asked satisfies never
    }
  }

  /** In the run that sends, as without a thread. */
  function push(to: { readonly app: Internals; readonly live: Live }, envelope: Envelope): Promise<unknown> {
    return new Promise((settle, reject) => {
      const submit = () => {
        try {
          to.live.pusher.submit(sendingOf(to.app, envelope), bytesOf(envelope.body), verdict => settle(carriedOf(verdict)))
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)))
        }
      }
      const run = job()?.run
      if (run) shared.runs.run(run, submit)
      else submit()
    })
  }

  return {
    ask({ id, app: key, asked, inRun }) {
      const controller = new AbortController()
      open.set(id, controller)
      answer(asked, key, inRun, controller.signal).then(
        value => {
          if (open.delete(id)) tell({ kind: 'answer', id, value })
        },
        (error: unknown) => {
          if (open.delete(id)) tell({ kind: 'answer', id, error: carry(error) })
        },
      )
    },
    drop(id) {
      open.get(id)?.abort()
    },
    close() {
      for (const controller of open.values()) controller.abort()
      open.clear()
    },
  }
}

/** Another app of this process, which a handler sends with. */
async function other(key: string): Promise<{ readonly app: Internals; readonly live: Live }> {
  const app = rememberedApps()
    .map(internalsOf)
    .findLast(({ place }) => place === key)
  if (app) return { app, live: await app.open() }
  throw new GreenroomError('THREAD_MODULE', `An isolated actor uses the app of ${key}, and its worker's process has none`, {
    help: 'Import the module that makes it where the worker is started, too',
    stored: 'no',
  })
}

function storeOf({ services }: Live) {
  try {
    return services.store
  } catch {
    return undefined // it has none
  }
}

const methodsOf = (of: object | undefined): readonly string[] => {
  const names = new Set<string>()
  for (let at = of; at && at !== Object.prototype; at = Object.getPrototypeOf(at) as object)
    for (const name of Object.getOwnPropertyNames(at)) if (name !== 'constructor') names.add(name)
  return [...names].filter(name => typeof (of as Record<string, unknown>)[name] === 'function')
}

/** `read()` of a store waits, and takes a signal, which cannot travel. */
function call(of: object | undefined, method: string, args: readonly unknown[], signal: AbortSignal): unknown {
  const given = method === 'read' ? [args[0], { ...(args[1] as object), signal }] : args
  return (of as Record<string, (...args: readonly unknown[]) => unknown>)[method]!(...given)
}

const bytesOf = (body: Uint8Array): Uint8Array => Buffer.from(body.buffer, body.byteOffset, body.byteLength)

/** The way back from an envelope: the parent's options, its chain. */
function sendingOf({ encoder, table, definitions, defaults }: Internals, { body, priority, due, onceMs }: Envelope): Sending {
  const message = encoder.decode(bytesOf(body))
  const options = resolve(table, definitions.get(message.actor)?.options ?? defaults, message.options, 'message')
  const word = (Object.keys(BANDS) as Priority[]).find(name => BANDS[name] === priority)!
  return { message, options, priority: word, ...(due && { due }), ...(onceMs !== undefined && { onceMs }) }
}

/** As a clone keeps it. */
function carriedOf(verdict: Verdict): unknown {
  if ('stored' in verdict && verdict.by !== undefined) return { skippedBy: verdict.by } satisfies SkippedBy
  const pushed = pushedOf(verdict)
  return typeof pushed === 'string' ? pushed : { error: carry('failed' in verdict ? verdict.failed : pushed) }
}
