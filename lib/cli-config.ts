/** What a `greenroom.config.*` may say. Types alone: the command line reads it, no app does. */
import type { Duration } from './duration.ts'

/** Settings of `greenroom worker`: its options by their names in code. What the command line or the environment says comes first. */
export type WorkerConfig = {
  readonly [option: string]: string | number | boolean | readonly string[] | Readonly<Record<string, number>> | undefined
} & {
  /** Handlers that run at once. */
  readonly concurrency?: number
  /** The queues to serve; or how many at once of each. */
  readonly queues?: readonly string[] | Readonly<Record<string, number>>
  readonly processes?: number
  readonly grace?: Duration
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
