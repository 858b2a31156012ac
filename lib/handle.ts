/** The handle of a message: its id, and what can be asked of it from any process. Made without I/O. */
import type { Base, State } from './actor-types.ts'
import type { Place } from './broker.ts'
import { GreenroomError } from './errors.ts'
import type { Live } from './live.ts'

const STATES: Readonly<Record<Place, State>> = {
  ready: 'waiting',
  suspect: 'waiting',
  delayed: 'delayed',
  leased: 'running',
  dead: 'dead',
}

export class Handle implements Base {
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
}
