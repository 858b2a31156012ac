/** From what a sender says to a message on its way: options of `with()`, messages from an outbox, follow-ups. Pure. */
import { durationMs, LONGEST_MS, shown } from './duration.ts'
import { checkOptions, checkPriority, type Definition, type Hints, SEND_OPTIONS } from './definition.ts'
import { GreenroomError } from './errors.ts'
import { type Due, type Message, type Priority } from './message.ts'
import type { AnySending } from './middleware.ts'
import { checkId, checkName, isId, isName } from './names.ts'
import { type OptionTable, resolve, type ResolvedOptions } from './options.ts'
import { isPlainRecord } from './plain.ts'

/** What `with()` has gathered, checked and parsed once. */
export interface Settings {
  readonly id?: string
  readonly queue?: string
  readonly priority?: Priority
  /** ms from the moment of sending. */
  readonly delay?: number
  /** Epoch ms. */
  readonly at?: number
  /** ms from the moment of sending. */
  readonly once?: number
  readonly signal?: AbortSignal
  /** What travels in the message: parsed values where they are plain, else as given. */
  readonly options: Readonly<Record<string, unknown>>
  /** message > actor > default. */
  readonly resolved: ResolvedOptions
}

/** What JSON keeps as it is; everything else travels as it was written, and is parsed again. */
const travels = (parsed: unknown) => typeof parsed === 'string' || typeof parsed === 'boolean' || Number.isFinite(parsed)

/** Settings with these options laid over them; later ones win, `undefined` leaves what was there. */
export function withOptions(
  table: OptionTable,
  hints: Hints,
  before: Settings,
  given: Readonly<Record<string, unknown>>,
  now: number,
): Settings {
  checkOptions(table, hints, given, SEND_OPTIONS, 'with()', 'message')
  const { id, queue, priority, signal } = given
  const due = parseDue(given, now)
  const own: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(given)) {
    const option = table.get(name)?.option
    if (option === undefined || value === undefined) continue
    const parsed = option.parse(value, name)
    own[name] = travels(parsed) ? parsed : parsed === Infinity ? 'Infinity' : value
  }
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw new GreenroomError('OPTION_INVALID', 'signal is not an AbortSignal', {
      help: 'Give controller.signal or AbortSignal.timeout(ms)',
    })
  const { delay: _delay, at: _at, ...rest } = before
  return {
    ...(due ? rest : before),
    ...due,
    ...(id === undefined ? {} : { id: checkId(id) }),
    ...(queue === undefined ? {} : { queue: checkName(queue, 'queue') }),
    ...(priority === undefined ? {} : { priority: checkPriority(priority) }),
    ...(given['once'] === undefined ? {} : { once: onceOf(given['once'], id ?? before.id) }),
    ...(signal === undefined ? {} : { signal }),
    options: { ...before.options, ...own },
    resolved: resolve(table, before.resolved, own, 'message'),
  }
}

function parseDue({ delay, at }: Readonly<Record<string, unknown>>, now: number): { delay: number } | { at: number } | undefined {
  if (delay !== undefined && at !== undefined)
    throw new GreenroomError('OPTION_INVALID', 'Both delay and at are given', { help: 'Give one of them' })
  if (delay !== undefined) return { delay: durationMs(delay, 'delay') }
  if (at === undefined) return undefined
  const time = at instanceof Date ? at.getTime() : at
  if (typeof time === 'number' && time >= 0 && time - now <= LONGEST_MS) return { at: time }
  throw new GreenroomError('OPTION_INVALID', `at cannot be ${at instanceof Date ? `the Date ${String(at)}` : shown(at)}`, {
    help: 'Give a valid Date or epoch milliseconds, at most 365d from now',
  })
}

/** How long an id is remembered. @throws {GreenroomError} `OPTION_INVALID` where no id is given: a new one is never a second one */
function onceOf(value: unknown, id: unknown): number {
  const ms = durationMs(value, 'once')
  if (ms > 0 && id !== undefined) return ms
  throw new GreenroomError('OPTION_INVALID', ms > 0 ? 'once is given without an id' : 'once cannot be 0', {
    help: "Write with({ id: 'page-42', once: '1d' }): a second message of that id within a day is a duplicate",
  })
}

/** The base options of a message in plain form; they travel beside the body and are taken out of it before it is encoded. */
const BESIDE: ReadonlySet<string> = new Set(['delay', 'at', 'priority', 'once'])

/** The plain data of a call, with what `with()` said of its time and band among its options. */
export function plainMessage(
  definition: Definition,
  args: readonly unknown[],
  settings: Settings,
  id: string,
  timestamp: number,
): Message {
  const { delay, at, priority, once } = settings
  const beside = {
    ...(delay === undefined ? {} : { delay }),
    ...(at === undefined ? {} : { at }),
    ...(priority === undefined ? {} : { priority }),
    ...(once === undefined ? {} : { once }),
  }
  return {
    id,
    queue: settings.queue ?? definition.queue,
    actor: definition.name,
    args,
    options: { ...settings.options, ...beside },
    timestamp,
  }
}

/**
 * A plain message (of `message()`, an outbox, a follow-up) on its way.
 * @throws {GreenroomError} `MESSAGE_INVALID`, `OPTION_INVALID`, `DURATION_INVALID`
 */
export function toSending(
  table: OptionTable,
  definitionOf: (actor: string) => Definition | undefined,
  defaults: ResolvedOptions,
  value: unknown,
  now: number,
): AnySending {
  const message = checkMessage(value)
  const definition = definitionOf(message.actor)
  const due = parseDue(message.options, now)
  const given = message.options['priority'] ?? definition?.priority ?? 'normal'
  const options = Object.create(null) as Record<string, unknown> // a key called __proto__ must stay a key
  for (const [name, option] of Object.entries(message.options)) if (!BESIDE.has(name)) options[name] = option
  return {
    message: {
      id: message.id,
      queue: message.queue,
      actor: message.actor,
      args: message.args,
      options,
      timestamp: message.timestamp,
    },
    options: resolve(table, definition?.options ?? defaults, options, 'message'),
    priority: checkPriority(given),
    ...(due ? { due: dueIn(due)! } : {}),
    ...(message.options['once'] === undefined ? {} : { onceMs: onceOf(message.options['once'], message.id) }),
  }
}

/** When settings say that a message is due; undefined: at once. */
export function dueIn({ delay, at }: { readonly delay?: number; readonly at?: number }): Due | undefined {
  if (at !== undefined) return { at }
  return delay === undefined ? undefined : { afterMs: delay }
}

/** @throws {GreenroomError} `MESSAGE_INVALID` */
export function checkMessage(value: unknown): Message {
  const message = value as Message
  const wrong = !isPlainRecord(value)
    ? 'it is not an object'
    : !isId(message.id)
      ? 'its id is missing or invalid'
      : !isName(message.queue)
        ? 'its queue is missing or invalid'
        : !isName(message.actor)
          ? 'its actor is missing or invalid'
          : !Array.isArray(message.args)
            ? 'its args are not an array'
            : !isPlainRecord(message.options)
              ? 'its options are not an object'
              : !(typeof message.timestamp === 'number' && Number.isFinite(message.timestamp))
                ? 'its timestamp is not a number'
                : undefined
  if (wrong === undefined) return message
  throw new GreenroomError('MESSAGE_INVALID', `Not a message: ${wrong}`, {
    help: 'Give what actor.message(…) returns, or the same data read back from JSON',
  })
}
