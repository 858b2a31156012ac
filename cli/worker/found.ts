/** What a worker is to do, gathered from the command line, the environment and `greenroom.config.*`; and where each came from. */
import { locateBroker } from '../../lib/locate.ts'
import { redactUrl } from '../../lib/redact.ts'
import { readConfigFile } from '../config-file.ts'
import type { Io } from '../command.ts'
import { CliError, lineOf, usage } from '../failure.ts'
import { optionOf, settle, type Settings, valuesOf } from '../settings.ts'
import { facts } from '../text.ts'
import { WORKER_FLAGS, type WorkerSettings, workerSettings } from './options.ts'

export interface Found {
  readonly modules: readonly string[]
  readonly settings: WorkerSettings
  /** The same as flags, for the processes that this one starts. */
  readonly values: Readonly<Record<string, string | boolean>>
  /** For `--print-config`. */
  lines(): string[]
}

/** @throws {CliError} for what makes no sense, with where it came from; where no module is named anywhere */
export async function findSettings(
  named: readonly string[],
  given: Readonly<Record<string, string | boolean | undefined>>,
  io: Io,
): Promise<Found> {
  const { file, modules: ofFile = [], worker = {} } = await readConfigFile(io)
  const found = settle(WORKER_FLAGS, given, io.env, file === undefined ? undefined : { name: file, options: { ...worker } })
  const modules = named.length > 0 ? named : ofFile,
    values = valuesOf(found)
  if (modules.length === 0)
    throw usage(
      'No module is named',
      file === undefined
        ? 'Write greenroom worker <modules...>, for example: greenroom worker jobs.ts'
        : `Write greenroom worker <modules...>, or modules: ['jobs.ts'] in ${file}`,
    )
  return {
    modules,
    settings: checked(values, found),
    values,
    lines: () => [
      ...facts([
        ['file', file ?? 'none: greenroom.config.* was looked for upwards'],
        ['modules', `${modules.join(', ')}  (${named.length > 0 ? 'command line' : file})`],
        ['broker', brokerText(io)],
        ...Object.entries(found).map(([name, { value, from }]) => [optionOf(name), `${String(value)}  (${from})`] as const),
      ]),
      'everything else is at its default: greenroom worker --help; an app that names its broker itself has that one',
    ],
  }
}

/** That of an app which names none: no module is loaded, so what the others name is not known. */
function brokerText({ env, cwd }: Io): string {
  try {
    const from = env['GREENROOM_BROKER'] === undefined ? 'default' : 'GREENROOM_BROKER'
    return `${redactUrl(locateBroker(undefined, env, cwd) as string)}  (${from})`
  } catch (error) {
    return `none: ${lineOf(error)}`
  }
}

/** An error names the flag; where nobody typed it, it should say who did. */
function checked(values: Found['values'], found: Settings): WorkerSettings {
  try {
    return workerSettings(values)
  } catch (error) {
    const elsewhere = Object.entries(found).filter(([name, { from }]) => from !== `--${name}`)
    if (!(error instanceof CliError) || elsewhere.length === 0) throw error
    const told = elsewhere.find(([name]) => error.message.includes(`--${name}`)) ?? elsewhere[0]!
    throw usage(error.message, `--${told[0]} comes from ${told[1].from}; --print-config shows all`)
  }
}
