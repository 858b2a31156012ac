/** What the library's own parts (worker, testing, command line) may ask of an app, under a symbol that all copies share. */
import type { Broker } from './broker.ts'
import type { Definition } from './definition.ts'
import type { Encoder } from './encoder.ts'
import { GreenroomError } from './errors.ts'
import type { Live, World } from './live.ts'
import type { Logger } from './log.ts'
import type { Message } from './message.ts'
import type { AnyMiddleware, Sending } from './middleware.ts'
import type { OptionTable, ResolvedOptions } from './options.ts'
import type { Worker } from './worker.ts'

export const INTERNALS = Symbol.for('greenroom/internals')

export interface Internals {
  readonly definitions: ReadonlyMap<string, Definition>
  /** Names that two places in the code define, with the places. */
  readonly duplicates: ReadonlyMap<string, ReadonlySet<string>>
  readonly chain: readonly AnyMiddleware[]
  readonly table: OptionTable
  readonly defaults: ResolvedOptions
  readonly encoder: Encoder
  readonly log: Logger
  readonly namespace: string
  readonly workers: Set<Worker>
  /** What each of them runs. */
  readonly running: Set<() => readonly Message[]>
  /** Whether its workers write a line into the log for what fails. Not in a test, and not where `logging` in the chain does. */
  reports: boolean
  /** Where it was made, as a thread finds it again. */
  readonly place: string
  /** Whether isolated actors get a thread: in the real world only. In a test they run beside the others. */
  readonly isolates: boolean
  open(): Promise<Live>
  /** @throws {GreenroomError} `APP_CLOSED` when this is not what is open now */
  checkOpen(live: Live): void
  toSending(message: Message): Sending
  /** The URL or broker that applies here and now. */
  brokerUrl(): string | Broker
  /** Closes what is open and goes on in another world; `undefined`: back to the real one. */
  enter(world: World | undefined): Promise<void>
}

/** @throws {GreenroomError} `BROKER_INVALID` for what is not an app */
export function internalsOf(app: unknown): Internals {
  const internals = (app as { [INTERNALS]?: Internals } | null | undefined)?.[INTERNALS]
  if (internals) return internals
  throw new GreenroomError('BROKER_INVALID', 'That is not an app', { help: 'Give what greenroom() returned' })
}
