/**
 * What a command is: data for the help, and a function of its arguments and an `Io` that answers with an exit code. Commands
 * never touch the process, the console or a signal, so that tests call `run`; cli/main.ts is the only file that does.
 */
import type { Clock } from '../lib/clock.ts'
import type { Level } from '../lib/json-line.ts'
import type { Report } from './worker/children-health.ts'

export interface Flag {
  readonly type: 'string' | 'boolean'
  readonly short?: string
  /** What the help shows for the value: `n`, `url`. */
  readonly value?: string
  readonly help: string
}
export type Flags = Readonly<Record<string, Flag>>
export type Values<F extends Flags> = { readonly [K in keyof F]?: F[K]['type'] extends 'boolean' ? boolean : string }

export interface Args<F extends Flags = Flags> {
  readonly positionals: readonly string[]
  readonly values: Values<F> & { readonly verbose?: boolean }
}

export interface Command<F extends Flags = Flags> {
  /** One word, or two: `dead list`. */
  readonly name: string
  /** Its arguments, as the help shows them: `<modules...>`. */
  readonly usage: string
  /** One sentence. */
  readonly summary: string
  /** Further lines of its own help. */
  readonly notes?: readonly string[]
  readonly flags: F
  readonly examples: readonly string[]
  /** How many arguments it takes. */
  readonly arity: readonly [least: number, most: number]
  run(args: Args<F>, io: Io): Promise<number>
}

/** Gives `run` the type of its own flags. */
export const command = <const F extends Flags>(command: Command<F>): Command => command

/** Why a process is asked to stop. `again`: by someone who has asked before and does not want to wait. */
export type StopCause = 'SIGTERM' | 'SIGINT' | 'SIGHUP' | 'max time' | 'parent stops' | 'parent forces' | 'parent is gone'

/** What a parent hears of a child. */
export interface Told {
  /** One line of what it prints. */
  line(text: string, isError: boolean): void
  /** It has reached a limit, and wants to be replaced. */
  spent(why: string): void
  /** How it is, or what it was asked for. */
  report(report: Report): void
  /** Files that it loads, told where it is asked for. */
  loaded?: ((files: readonly string[]) => void) | undefined
}

/** A worker process of `--processes`. */
export interface Child {
  readonly pid: number | undefined
  /** Resolves true when it is up, false when it ended before. */
  readonly ready: Promise<boolean>
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>
  /** `count`: to report how many messages its queues hold. */
  order(word: 'stop' | 'force' | 'count'): void
  kill(): void
}

/** The parent, as its child sees it. */
export interface Parent {
  readonly number: number
  ready(): void
  spent(why: string): void
  report(report: Report): void
  /** Calls back each time it orders `count`, until the returned function is called. */
  onAsk(listener: () => void): () => void
}

/** What a line says, for programs: with `--log json`. */
export interface Facts {
  /** @default info of `print`, warn of `error` */
  readonly level?: Level
  /** The sentence, where the line is for the eyes. */
  readonly msg?: string
  /** The process that it is about, where it is not this one. */
  readonly pid?: number | undefined
  readonly [fact: string]: unknown
}

/** The world of a command. */
export interface Io {
  /** What was asked for, one line, on standard output. `more`: lines below it, of what programs find in `facts`. */
  print(line: string, facts?: Facts, more?: readonly string[]): void
  /** What went wrong or should be known, one line, on standard error. */
  error(line: string, facts?: Facts, more?: readonly string[]): void
  /** Whether what is printed is read by a person, now. */
  readonly isTerminal: boolean
  readonly env: NodeJS.ProcessEnv
  readonly cwd: string
  readonly pid: number
  readonly clock: Clock
  readonly version: string
  /** Set in a child of `--processes`. */
  readonly parent?: Parent
  /** What this process takes of the machine's memory. */
  rssBytes(): number
  /** Calls back for each request to stop, until the returned function is called. */
  onStop(listener: (cause: StopCause) => void): () => void
  /** Calls back for each SIGHUP that means "read your code again", until the returned function is called. */
  onReload(listener: () => void): () => void
  /** Starts this command line again as child `number`. */
  fork(args: readonly string[], number: number, told: Told): Child
  /** Ends this process at once: for the third signal. */
  quit(code: number): void
}
