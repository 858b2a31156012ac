/**
 * Where a setting comes from: the command line, else the environment, else `greenroom.config.*`, else its default. Pure. What
 * the file holds as numbers, lists and objects becomes the text that a person would have typed, so that one parser checks all.
 */
import { shown } from '../lib/duration.ts'
import { knownOptions } from '../lib/options.ts'
import { isPlainRecord } from '../lib/plain.ts'
import type { Flag, Flags } from './command.ts'
import { usage } from './failure.ts'

export interface Setting {
  readonly value: string | boolean
  /** `--grace`, `GREENROOM_GRACE`, `greenroom.config.ts`. */
  readonly from: string
}
export type Settings = Readonly<Record<string, Setting>>

/** `health-port`: `GREENROOM_HEALTH_PORT`, `healthPort`. */
export const variableOf = (flag: string): string => `GREENROOM_${flag.toUpperCase().replaceAll('-', '_')}`
export const optionOf = (flag: string): string => flag.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())

/** @throws {CliError} for a value that no flag could have; {GreenroomError} `OPTION_UNKNOWN` for a name in the file that no flag has */
export function settle(
  flags: Flags,
  given: Readonly<Record<string, string | boolean | undefined>>,
  env: Readonly<Record<string, string | undefined>>,
  file: { readonly name: string; readonly options: Readonly<Record<string, unknown>> } | undefined,
): Settings {
  const names = Object.keys(flags)
  if (file) knownOptions(file.options, names.map(optionOf), `worker in ${file.name}`)
  const settings: Record<string, Setting> = {}
  for (const name of names) {
    const isSwitch = flags[name]!.type === 'boolean',
      variable = variableOf(name)
    const fromEnv = env[variable],
      fromFile = file?.options[optionOf(name)]
    if (given[name] !== undefined) settings[name] = { value: given[name], from: `--${name}` }
    else if (fromEnv !== undefined && fromEnv !== '')
      settings[name] = { value: isSwitch ? switchOf(fromEnv, variable) : fromEnv, from: variable }
    else if (file && fromFile !== undefined)
      settings[name] = { value: textOf(fromFile, flags[name]!, `${optionOf(name)} in ${file.name}`), from: file.name }
  }
  return settings
}

/** As `parse` would have answered. A switch that is off is as one that was not given. */
export const valuesOf = (settings: Settings): Readonly<Record<string, string | boolean>> =>
  Object.fromEntries(Object.entries(settings).flatMap(([name, { value }]) => (value === false ? [] : [[name, value]])))

function switchOf(text: string, name: string): boolean {
  if (/^(?:1|true|yes)$/i.test(text)) return true
  if (/^(?:0|false|no)$/i.test(text)) return false
  throw usage(`${name} cannot be ${shown(text)}`, 'It is 1 or 0')
}

function textOf(value: unknown, { type, value: kind }: Flag, name: string): string | boolean {
  if (type === 'boolean') {
    if (typeof value === 'boolean') return value
    throw usage(`${name} cannot be ${shown(value)}`, 'It is true or false')
  }
  if (typeof value === 'number') return kind === 'duration' && value < Infinity ? `${value}ms` : `${value}`
  if (typeof value === 'string') return value
  if (Array.isArray(value) && value.every(each => typeof each === 'string')) return value.join(',')
  if (isPlainRecord(value))
    return Object.entries(value)
      .map(([key, each]) => `${key}=${String(each)}`)
      .join(',')
  throw usage(`${name} cannot be ${shown(value)}`, 'Write it as on the command line')
}
