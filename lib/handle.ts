/**
 * The handle of a message: its id, and what can be asked of it from any process. Made without I/O. What middleware provide are
 * methods of a class that each app makes once, so that a handle costs a send no more for them.
 */
import type { Handle, State } from './actor-types.ts'
import type { Place } from './broker.ts'
import { GreenroomError } from './errors.ts'
import type { Live } from './live.ts'
import type { AnyMiddleware, Asked, Services } from './middleware.ts'

/** What people say for a place: in code and on the command line. */
export const STATES: Readonly<Record<Place, State>> = {
  ready: 'waiting',
  suspect: 'waiting',
  delayed: 'delayed',
  leased: 'running',
  dead: 'dead',
}

export class MessageHandle implements Handle {
  readonly id: string
  readonly stored: boolean
  declare readonly by?: string // only where there is one: a handle is printed and sent as JSON
  readonly #live: () => Promise<Live>
  readonly #queue: string | undefined
  constructor(
    id: string,
    queue: string | undefined,
    live: () => Promise<Live>,
    { stored, by }: { readonly stored: boolean; readonly by?: string } = { stored: true },
  ) {
    this.id = id
    this.stored = stored
    if (by !== undefined) this.by = by
    this.#queue = queue
    this.#live = live
  }
  async state(): Promise<State> {
    const { broker } = await this.#live()
    if (!broker.inspector || !broker.capabilities.peek)
      throw new GreenroomError('BROKER_UNSUPPORTED', `${broker.name} cannot look a message up`, {
        help: "Look with the broker's own tools, or let the actor say how far it is",
      })
    const entry = await broker.inspector.find(this.id, this.#queue)
    return entry ? STATES[entry.place] : 'unknown'
  }
  /** What a method that a middleware provides is told. */
  static asked(handle: MessageHandle): Asked {
    const { id } = handle,
      queue = handle.#queue
    const services = async (): Promise<Services> => (await handle.#live()).services
    return queue === undefined ? { id, services } : { id, queue, services }
  }
}

export type MakeHandle = (
  id: string,
  queue: string | undefined,
  verdict?: { readonly stored: boolean; readonly by?: string },
) => MessageHandle

/** What handles have of their own. One that had `then` would be waited for, as a promise is. */
const TAKEN: ReadonlySet<string> = new Set(['id', 'stored', 'by', 'then', 'toJSON'])

/** How an app with this chain makes handles. @throws {GreenroomError} `MIDDLEWARE_INVALID` for a method that is none, or that they have already */
export function handleMaker(chain: readonly AnyMiddleware[], live: () => Promise<Live>): MakeHandle {
  const Own = { Handle: class extends MessageHandle {} }.Handle
  for (const { name, provides = {} } of chain)
    for (const [feature, methods] of Object.entries(provides))
      for (const [method, answer] of Object.entries((methods ?? {}) as object)) {
        if (typeof answer !== 'function') throw noMethod(`${name}.provides.${feature}.${method}`)
        if (TAKEN.has(method) || method in Own.prototype) throw taken(name, method)
        const value = function (this: MessageHandle, ...args: unknown[]): unknown {
          return answer(MessageHandle.asked(this), ...args)
        }
        Object.defineProperty(Own.prototype, method, { value })
      }
  return (id, queue, verdict) => new Own(id, queue, live, verdict)
}

const noMethod = (what: string) =>
  new GreenroomError('MIDDLEWARE_INVALID', `${what} is not a function`, {
    help: 'Give a function of the message that is asked about',
  })
const taken = (by: string, method: string) =>
  new GreenroomError('MIDDLEWARE_INVALID', `${by} provides ${method}(), which handles have already`, {
    help: 'Compose only one of those that provide it, or call it otherwise',
  })
