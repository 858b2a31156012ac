/**
 * What an app knows of an actor: its name, queue, resolved options and, where this process has it, its code.
 * A later definition of a name replaces the earlier (hot reload evaluates modules again); a worker that starts with two
 * different ones refuses.
 */
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { nearest } from './did-you-mean.ts'
import { shown } from './duration.ts'
import { GreenroomError, listed } from './errors.ts'
import type { Logger } from './log.ts'
import { type Priority, PRIORITIES } from './message.ts'
import { checkName, isName } from './names.ts'
import { isOwnFile } from './own-files.ts'
import { checkRecord, type OptionTable, resolve, type ResolvedOptions } from './options.ts'
import { shared } from './registry.ts'
import { isSchema } from './schema.ts'
import { homes } from './thread/home.ts'

export const DEFAULT_QUEUE = 'default'

/** Options of an actor and of `with()` that are the core's own. */
export const ACTOR_OPTIONS: ReadonlySet<string> = new Set(['name', 'queue', 'priority', 'input', 'isolate'])
export const SEND_OPTIONS: ReadonlySet<string> = new Set(['delay', 'at', 'priority', 'queue', 'id', 'once', 'signal'])
export const RESERVED_OPTIONS: ReadonlySet<string> = new Set([...ACTOR_OPTIONS, ...SEND_OPTIONS])

export type Handler = (...args: unknown[]) => unknown

export interface Definition {
  readonly name: string
  readonly queue: string
  readonly priority: Priority
  readonly options: ResolvedOptions
  readonly input?: StandardSchemaV1
  /** Absent: declared here, implemented elsewhere. */
  readonly handler?: Handler
  /** Where it is defined; absent where it is only declared. */
  readonly place?: Place
  /** Runs in a thread. */
  readonly isolate?: 'thread'
  /** Of an isolated one: what a thread imports to find it, the likeliest first. */
  readonly homes?: readonly string[]
}

/** Marks a sender with the name and queue that it sends to, so that options such as `onSuccess` can take an actor. */
export const TARGET = Symbol.for('greenroom/target')
/** An actor as options name it: where to send, without its code. */
export interface Target {
  /** Its name, which is what travels. */
  readonly actor: string
  /** Where its messages go. */
  readonly queue: string
}
export const targetOf = (value: unknown): Target | undefined =>
  typeof value === 'function' || (typeof value === 'object' && value !== null)
    ? (value as { [TARGET]?: Target })[TARGET]
    : undefined

export interface DefineOptions {
  readonly [name: string]: unknown
}

/** Which middleware would bring an option, for errors: `{ rateLimit: 'rateLimit(limiter)' }`. */
export type Hints = Readonly<Record<string, string>>

/**
 * @throws {GreenroomError} `ACTOR_INVALID`, `ACTOR_ANONYMOUS`, `NAME_INVALID`, `OPTION_UNKNOWN`, `OPTION_INVALID`, `DURATION_INVALID`, `SCHEMA_INVALID`
 */
export function define(
  table: OptionTable,
  defaults: ResolvedOptions,
  hints: Hints,
  handler: unknown,
  given: DefineOptions,
  log: Logger,
): Definition {
  if (typeof handler !== 'function')
    throw new GreenroomError('ACTOR_INVALID', `An actor needs a function, not ${shown(handler)}`, {
      help: "Write app.actor(async url => { … }, { name: 'resize' })",
    })
  checkRecord(given, 'an actor')
  const called = given['name'] ?? (handler as Handler).name
  const on = isName(called) ? `the actor ${called}` : 'an actor'
  checkOptions(table, hints, given, ACTOR_OPTIONS, on, 'actor') // before the name: that may be what is misspelt
  const name = actorName(called)
  if (given['name'] === undefined && name.length <= 2)
    log.warn({ actor: name }, 'a very short name: if a bundler made it, it changes with the next build; give { name }')
  const { input, priority, isolate } = given
  if (input !== undefined && !isSchema(input))
    throw new GreenroomError('SCHEMA_INVALID', `input of ${name} is not a Standard Schema`, {
      help: 'Give a schema of zod, valibot, arktype or another library with "~standard"',
    })
  if (isolate !== undefined && isolate !== 'thread')
    throw new GreenroomError('OPTION_INVALID', `isolate cannot be ${shown(isolate)}`, {
      help: "It is 'thread', or left out: the handler runs on the event loop of its worker",
    })
  return {
    name,
    handler: handler as Handler,
    place: callerPlace(),
    queue: checkName(given['queue'] ?? DEFAULT_QUEUE, 'queue'),
    priority: priority === undefined ? 'normal' : checkPriority(priority),
    options: resolve(table, defaults, given, 'actor'),
    ...(input === undefined ? {} : { input }),
    ...(isolate === undefined ? {} : { isolate, homes: homes() }),
  }
}

function actorName(name: unknown): string {
  if (name !== '') return checkName(name, 'actor')
  throw new GreenroomError('ACTOR_ANONYMOUS', 'An actor has no name', {
    help: "The function is anonymous: name it in the options, app.actor(async () => { … }, { name: 'resize' })",
  })
}

export function checkPriority(value: unknown): Priority {
  if (PRIORITIES.includes(value as Priority)) return value as Priority
  throw new GreenroomError('OPTION_INVALID', `priority cannot be ${shown(value)}`, {
    help: `It is one of ${listed(PRIORITIES.map(word => `'${word}'`))}`,
  })
}

/** What other libraries call an option. */
const ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ['timeout', 'timeLimit'],
  ['attempts', 'maxRetries'],
])

/** @throws {GreenroomError} `OPTION_UNKNOWN` with the nearest option, or the middleware that would bring it */
export function checkOptions(
  table: OptionTable,
  hints: Hints,
  given: object,
  own: ReadonlySet<string>,
  on: string,
  level: 'actor' | 'message',
): void {
  checkRecord(given, on)
  for (const name of Object.keys(given)) {
    const declared = table.get(name)?.option
    if (own.has(name) || (declared && (level === 'actor' || declared.perMessage))) continue
    if (declared)
      throw new GreenroomError('OPTION_UNKNOWN', `${name} is not an option per message`, {
        help: 'Give it to actor(), or declare it with perMessage()',
      })
    const known = [
      ...own,
      ...[...table].filter(([, { option }]) => level === 'actor' || option.perMessage).map(([known]) => known),
    ]
    const elsewhere = ELSEWHERE.get(name) ?? ''
    const near = known.includes(elsewhere) ? elsewhere : nearest(name, known),
      bring = Object.hasOwn(hints, name) ? hints[name] : undefined
    throw new GreenroomError('OPTION_UNKNOWN', `Unknown option ${shown(name)} on ${on}`, {
      help: bring
        ? `Add ${bring} to the app's middleware`
        : name === 'concurrency'
          ? 'It is of a worker: give it to app.work(), or to greenroom worker --concurrency'
          : near
            ? `Did you mean ${near}?`
            : `Known are ${listed(known)}; others come with a middleware`,
    })
  }
}

/** Where in the code an actor is defined. */
export interface Place {
  readonly file: string
  /** What a hot reload adds to the file's URL, with its `?`. */
  readonly query: string
  /** `:line:column` */
  readonly at: string
}

/** What Next.js compiled: one file of the user's has a name for each layer and chunk, and keeps it when it is evaluated again. */
const COMPILED = /^webpack-internal:|[\\/]\.next[\\/]/

/**
 * Whether these are two actors, and not one that was evaluated again: another file, or another line of the same evaluation of a file.
 * A hot reload shifts lines, and evaluates the file under another URL. Of compiled code that cannot be told.
 */
export const isElsewhere = (one: Place, other: Place): boolean =>
  !COMPILED.test(one.file) &&
  !COMPILED.test(other.file) &&
  (one.file !== other.file || (one.query === other.query && one.at !== other.at))

export const placeText = ({ file, at }: Place): string => file + at

const NOWHERE: Place = { file: 'unknown file', query: '', at: '' }

/** Who called `actor()`: the first frame outside this library, of whichever copy: one defines on the default app of another. */
export const callerPlace = (): Place => places().find(({ file }) => !isOwn(file)) ?? NOWHERE

const isOwn = (file: string): boolean => isOwnFile(file, [...shared.roots])

/** The places of the stack, innermost first. */
function places(): readonly Place[] {
  const { stack } = new Error() as { stack?: unknown } // a user's prepareStackTrace may make anything of it
  const frames = typeof stack === 'string' ? stack.split('\n').slice(1) : []
  return frames.flatMap(frame => {
    const place = frame.trim().replace(/^at (?:async )?/, '')
    const inner = place.endsWith(')') ? place.slice(place.indexOf(' (') + 2, -1) : place
    const [, file, query = '', at = ''] = /^(.+?)(\?[^/]*)?(:\d+:\d+)$/.exec(inner) ?? []
    return file === undefined ? [] : [{ file, query, at }]
  })
}

/** This copy is sources, or the parts that a build joins. In a bundle everything is one file, and that is the user's. */
const [, root] = /^(.*[\\/])lib[\\/](?:definition|part-[A-Z0-9]{8})\.[jt]s$/.exec(places()[0]?.file ?? '') ?? []
if (root !== undefined) shared.roots.add(root)
