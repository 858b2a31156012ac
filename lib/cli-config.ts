/** What a `greenroom.config.*` may say. Types alone: the command line reads it, no app does. */
import type { Duration } from './duration.ts'

/** An amount of memory, with its unit: `512mb`, `1.5gb`. */
export type Size = `${number}${'kb' | 'mb' | 'gb'}`

/** Settings of `greenroom worker`: its options by their names in code. What the command line or the environment says comes first. */
export interface WorkerConfig {
  /** Handlers that run at once; with several apps, of each. */
  readonly concurrency?: number | undefined
  /** The queues to serve; or how many at once of each. */
  readonly queues?: readonly string[] | Readonly<Record<string, number>> | undefined
  /** Worker processes under a parent, which starts again one that dies. */
  readonly processes?: number | undefined
  /** How long handlers may go on after SIGTERM. */
  readonly grace?: Duration | undefined
  /** How long a handler may go on after its signal was aborted, before it is left behind. */
  readonly abortGrace?: Duration | undefined
  /** How long the messages of a process that froze stay away. */
  readonly lease?: Duration | undefined
  /** A message whose workers died so often becomes a dead letter without running. */
  readonly maxDeliveries?: number | undefined
  /** How long the event loop may stand still, before its process is killed; `Infinity`: for ever. */
  readonly maxBlock?: Duration | undefined
  /** Threads for isolated actors. */
  readonly threads?: number | undefined
  /** The most memory that the objects of one thread may take. */
  readonly threadMemory?: Size | undefined
  /** A process that takes more memory is replaced. */
  readonly maxMemory?: Size | undefined
  /** A process that left so many handlers behind is replaced. */
  readonly maxStuck?: number | undefined
  /** A file with the id of the process to signal. */
  readonly pidFile?: string | undefined
  /** Start again with new code when a module changes. */
  readonly watch?: boolean | undefined
  /** Stop when nothing is ready any more. */
  readonly drain?: boolean | undefined
  /** Stop after so long. */
  readonly maxTime?: Duration | undefined
  /** Stop once so many messages were started and have ended; with `processes`, so many of each. */
  readonly maxMessages?: number | undefined
  /** Answer `/live`, `/ready` and `/queues` by HTTP at this port; 0 takes a free one. */
  readonly healthPort?: number | undefined
  /** The address where that port is open. */
  readonly healthHost?: string | undefined
  /** `'json'`: every line is a JSON object, for machines. */
  readonly log?: 'pretty' | 'json' | undefined
}

/** What a `greenroom.config.*` exports by default: see `defineConfig`. */
export interface CliConfig {
  /** What `greenroom worker` runs where it is given no module: paths, from the folder of this file. */
  readonly modules?: readonly string[]
  /** The module that makes the app, for the other commands: its broker and namespace are meant. A path from the folder of this file. */
  readonly module?: string
  /** The broker of the other commands, where no module says it. */
  readonly broker?: string
  /** Its namespace. */
  readonly namespace?: string
  /** Options of `greenroom worker`. */
  readonly worker?: WorkerConfig
}

/**
 * Settings for the command line, in a file `greenroom.config.ts` (or `.mts`, `.js`, `.mjs`, `.cjs`), which is looked for from the current folder upwards.
 * No app reads it: what an app is, its own code says. Options of the command line come first, then `GREENROOM_...` in the environment, then this file.
 * @example export default defineConfig({ modules: ['src/jobs.ts'], module: 'src/app.ts', worker: { concurrency: 50, processes: 4 } })
 */
export const defineConfig = (config: CliConfig): CliConfig => config
