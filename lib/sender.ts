/** What an actor, a declared actor and every `with()` can do: make messages, send them, find them again. */
import type { Handle } from './actor-types.ts'
import { type Definition, type Hints, TARGET } from './definition.ts'
import { shown } from './duration.ts'
import { GreenroomError, notStored, rejectNotStored } from './errors.ts'
import type { MakeHandle } from './handle.ts'
import type { Live } from './live.ts'
import type { Message } from './message.ts'
import type { Sending, Services } from './middleware.ts'
import { checkId } from './names.ts'
import type { Verdict } from './pusher.ts'
import { shared } from './registry.ts'
import { validate } from './schema.ts'
import { dueIn, plainMessage, type Settings, withOptions } from './sending.ts'
import type { OptionTable } from './options.ts'

/** What senders need of their app. */
export interface SenderHost {
  readonly table: OptionTable
  readonly hints: Hints
  /** The world's clock and ids, before and after the app is open. */
  now(): number
  newId(): string
  encode(message: Message): Uint8Array
  /** For runs that are called directly, whether or not the app is open. */
  readonly services: Services
  /** The open app, if it is open: sends without a promise more. */
  live(): Live | undefined
  readonly handle: MakeHandle
  /** The same within the bounds of a send. @throws {GreenroomError} also `BROKER_DOWN`, `SEND_PENDING`, `SEND_ABORTED` */
  openToSend(signal: AbortSignal | undefined): Promise<Live>
}

const NONE: Readonly<Record<string, unknown>> = Object.freeze({})

/** A message on its way, encoded. */
export type Made = Sending & { readonly body: Uint8Array }

/** Whether nobody chose the id of a message that `message()` made. A copy of it, through JSON for instance, counts as chosen. */
export const hasGeneratedId = (message: Message): boolean => shared.generatedIds.has(message)

/** A function that can be sent. */
export const sendable = <F extends (...args: never[]) => unknown>(
  call: F,
  name: string,
  sender: SenderMethods,
): F & SenderMethods =>
  Object.defineProperties(call, {
    ...Object.getOwnPropertyDescriptors(sender),
    name: { value: name, configurable: true },
  }) as F & SenderMethods

/** What a declared actor is when it is called: its code is elsewhere. */
export const notCallable = (name: string) => (): never => {
  throw new GreenroomError('ACTOR_NOT_IMPLEMENTED', `${name} was made by declare(), and has no code to call`, {
    help: `Send it: ${name}.send(…). Or call what implement() returned`,
  })
}

/** The methods of a sender, all of which work after destructuring. Untyped here: `Sender` gives users the types. */
export interface SenderMethods {
  send(...args: unknown[]): Promise<Handle>
  sendMany(batch: Iterable<readonly unknown[]>): Promise<Handle[]>
  message(...args: unknown[]): Message
  with(options: Readonly<Record<string, unknown>>): SenderMethods
  sent(id: string): Handle
}

export function createSender(host: SenderHost, definition: () => Definition, settings: Settings | undefined): SenderMethods {
  const settled = (): Settings => settings ?? { options: NONE, resolved: definition().options }
  const beside = settings && besideOf(settings)
  const make = (args: readonly unknown[]): Made => {
    const { name, queue, priority, options } = definition()
    const message: Message = {
      id: settings?.id ?? host.newId(),
      queue: settings?.queue ?? queue,
      actor: name,
      args,
      options: settings?.options ?? NONE,
      timestamp: host.now(),
    }
    const made = {
      message,
      options: settings?.resolved ?? options,
      priority: settings?.priority ?? priority,
      body: host.encode(message),
    }
    return beside ? { ...made, ...beside } : made
  }
  /** Checked and encoded before anything is awaited: what the caller changes afterwards is not sent. */
  const checked = (args: readonly unknown[]): Made | Promise<Made> => {
    const { input, name } = definition()
    if (!input) return make(args)
    const made = make(args),
      valid = validate(input, args[0], name)
    return valid instanceof Promise ? valid.then(() => made, rejectNotStored) : made
  }
  /** One promise a message: the hot path of whoever sends. */
  const one = (made: Made): Promise<Handle> =>
    new Promise((resolve, reject) => {
      const settle = (verdict: Verdict) => {
        if ('failed' in verdict) reject(verdict.failed)
        else resolve(host.handle(made.message.id, made.message.queue, verdict))
      }
      submit(host, made, settings?.signal, settle)
    })
  return {
    send(...args) {
      try {
        const made = checked(args)
        return made instanceof Promise ? made.then(one) : one(made)
      } catch (error) {
        return Promise.reject(notStored(error))
      }
    },
    async sendMany(batch) {
      const all = itemsOf(batch, 'sendMany()', 'Write sendMany([[a, 1], [b, 2]]): one array a message')
      if (settings?.id !== undefined && all.length > 1)
        throw new GreenroomError('OPTION_INVALID', 'One id is given for several messages', {
          help: 'Use with({ id }).send() for each',
          stored: 'no',
        })
      // Asynchronous each: of two that are wrong, the second must not leave the first's rejection alone.
      const made = await Promise.all(all.map(async args => checked(checkArgs(args)))).catch(rejectNotStored)
      return store(host, made, settled().signal)
    },
    message(...args) {
      const message = plainMessage(definition(), args, settled(), settings?.id ?? host.newId(), host.now())
      if (settings?.id === undefined) shared.generatedIds.add(message)
      return message
    },
    with: options => createSender(host, definition, withOptions(host.table, host.hints, settled(), options, host.now())),
    sent: id => host.handle(checkId(id), settings?.queue ?? definition().queue),
    get [TARGET]() {
      const { name, queue } = definition()
      return { actor: name, queue: settings?.queue ?? queue }
    },
  } as SenderMethods
}

/** What is in a list. A single thing without its brackets is no list. @throws {GreenroomError} `MESSAGE_INVALID` */
export function itemsOf<T>(list: Iterable<T>, of: string, help: string): readonly T[] {
  if (typeof (list as Iterable<T> | null | undefined)?.[Symbol.iterator] === 'function') return [...list]
  throw new GreenroomError('MESSAGE_INVALID', `${of} takes a list, not ${shown(list)}`, { help, stored: 'no' })
}

/** What travels beside the body of a message; undefined: nothing, as for most. */
function besideOf(settings: Settings): Pick<Sending, 'due' | 'onceMs'> | undefined {
  const due = dueIn(settings),
    { once } = settings
  return due || once !== undefined ? { ...(due && { due }), ...(once !== undefined && { onceMs: once }) } : undefined
}

function checkArgs(args: unknown): readonly unknown[] {
  if (Array.isArray(args)) return args
  throw new GreenroomError('MESSAGE_INVALID', 'sendMany() was given something that is not a list of arguments', {
    help: 'Write sendMany([[a, 1], [b, 2]]): one array a message',
  })
}

function submit(host: SenderHost, made: Made, signal: AbortSignal | undefined, settle: (verdict: Verdict) => void): void {
  const live = host.live()
  if (live) return live.pusher.submit(made, made.body, settle, signal)
  host.openToSend(signal).then(
    live => live.pusher.submit(made, made.body, settle, signal),
    failed => settle({ failed: notStored(failed) }),
  )
}

function handleOf({ handle }: SenderHost, { message }: Made, verdict: Verdict): Handle {
  if ('failed' in verdict) throw verdict.failed
  return handle(message.id, message.queue, verdict)
}

/** Stores messages in one batch. @throws as `collect` */
export async function store(host: SenderHost, made: readonly Made[], signal: AbortSignal | undefined): Promise<Handle[]> {
  const verdicts = await Promise.all(made.map(item => new Promise<Verdict>(resolve => submit(host, item, signal, resolve))))
  return collect(host, made, verdicts)
}

/**
 * All handles, or one error.
 * @throws the error itself when it is the same for all; {GreenroomError} `SEND_PARTIAL`, with what became of each, when it is not
 */
function collect(host: SenderHost, made: readonly Made[], verdicts: readonly Verdict[]): Handle[] {
  const failed = verdicts.filter(verdict => 'failed' in verdict)
  if (failed.length === 0) return made.map((item, i) => handleOf(host, item, verdicts[i]!))
  const codes = new Set(failed.map(({ failed }) => (failed instanceof GreenroomError ? failed.code : failed)))
  const maybe = failed.find(({ failed }) => !(failed instanceof GreenroomError) || failed.stored === 'maybe')
  if (failed.length === made.length && codes.size === 1) throw (maybe ?? failed[0]!).failed
  throw new GreenroomError('SEND_PARTIAL', `${failed.length} of ${made.length} messages were not stored`, {
    help: 'error.details.verdicts says for each id what became of it; send the failed ones again',
    cause: failed[0]!.failed,
    stored: maybe ? 'maybe' : 'no',
    retryable: failed.every(({ failed }) => failed instanceof GreenroomError && failed.retryable),
    details: {
      verdicts: verdicts.map((verdict, i) => ({
        id: made[i]!.message.id,
        ...('failed' in verdict ? { error: verdict.failed } : verdict),
      })),
    },
  })
}
