/** `greenroom.config.*`: found upwards from the current folder, imported once, every name in it looked at. */
import { readFileSync, statSync } from 'node:fs'
import { basename, dirname, relative, resolve } from 'node:path'
import type { CliConfig } from '../lib/cli-config.ts'
import { shown } from '../lib/duration.ts'
import { configFileOf } from '../lib/locate.ts'
import { knownOptions } from '../lib/options.ts'
import { isPlainRecord } from '../lib/plain.ts'
import type { Io } from './command.ts'
import { usage } from './failure.ts'
import { importModules } from './modules.ts'

export interface ConfigFile extends CliConfig {
  /** Its name, as a person would type it; undefined: there is none. */
  readonly file?: string
}

const KNOWN = ['modules', 'module', 'broker', 'namespace', 'worker']

/** The file's settings, with paths made from its folder; nothing where there is no file. @throws {CliError}, {GreenroomError} `OPTION_UNKNOWN` */
export async function readConfigFile(io: Io): Promise<ConfigFile> {
  const path = configFileOf(io.cwd)
  if (path === undefined || isMark(path)) return {}
  const file = relative(io.cwd, path) || basename(path)
  if (!mayImport(statSync(path).uid, process.getuid?.(), statSync(io.cwd).uid))
    throw usage(
      `${file} belongs to another user, and importing it would run their code`,
      'Delete it, take it over (chown), or put one of your own nearer',
    )
  const [{ default: config }] = (await importModules([path], io)) as [{ default?: unknown }]
  const wrong = (what: string, help: string) => usage(`${file}: ${what}`, help)
  if (!isPlainRecord(config))
    throw wrong(
      'there is no settings object in its default export',
      "Write export default defineConfig({ ... }), with defineConfig from 'greenroom'",
    )
  knownOptions(config, KNOWN, file)
  for (const name of ['module', 'broker', 'namespace'] as const)
    if (config[name] !== undefined && typeof config[name] !== 'string')
      throw wrong(`${name} cannot be ${shown(config[name])}`, 'It is a text')
  const { modules, module, worker } = config as CliConfig
  if (modules !== undefined && !(Array.isArray(modules) && modules.every(each => typeof each === 'string')))
    throw wrong(`modules cannot be ${shown(modules)}`, "It is a list of paths: ['src/jobs.ts']")
  if (worker !== undefined && !isPlainRecord(worker)) throw wrong(`worker cannot be ${shown(worker)}`, 'It is an object')
  const here = (to: string) => relative(io.cwd, resolve(dirname(path), to))
  return {
    ...(config as CliConfig),
    file,
    ...(modules && { modules: modules.map(here) }),
    ...(module !== undefined && { module: here(module) }),
    ...(typeof worker?.pidFile === 'string' && { worker: { ...worker, pidFile: here(worker.pidFile) } }),
  }
}

/** Whose file is imported: root's, that of who runs this, or of whose the current folder is. In /tmp/mine nobody else's /tmp/greenroom.config.js is. */
export const mayImport = (owner: number, user: number | undefined, ofFolder: number): boolean =>
  [0, user, ofFolder].includes(owner)

/** An empty file only marks the folder where a relative `file:` starts. */
const isMark = (path: string): boolean => readFileSync(path, 'utf8').trim() === ''
