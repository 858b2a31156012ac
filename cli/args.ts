/** Arguments of a command: `node:util.parseArgs` with errors that say what to write instead. */
import { parseArgs } from 'node:util'
import { nearest } from '../lib/did-you-mean.ts'
import { durationMs, shown } from '../lib/duration.ts'
import { listed } from '../lib/errors.ts'
import type { Args, Command, Flags } from './command.ts'
import { usage } from './failure.ts'

/** Flags of every command. */
export const COMMON_FLAGS = {
  help: { type: 'boolean', short: 'h', help: 'Show this help' },
  verbose: { type: 'boolean', short: 'v', help: 'Show stacks of errors, and all that happens' },
} as const satisfies Flags

/** `-1` is a number and not a flag: it is carried through parseArgs behind a character that no argument can hold. */
const MARK = '\0'
const hide = (arg: string) => (/^-[\d.]/.test(arg) ? MARK + arg : arg)
const unhide = (arg: string) => (arg.startsWith(MARK) ? arg.slice(1) : arg)

/** @throws {CliError} for flags that it does not know, values that are missing, too few or too many arguments */
export function parse(command: Command, argv: readonly string[]): Args<Flags & typeof COMMON_FLAGS> {
  const flags: Flags = { ...command.flags, ...COMMON_FLAGS }
  const options = Object.fromEntries(
    Object.entries(flags).map(([name, { type, short }]) => [name, short === undefined ? { type } : { type, short }]),
  )
  const { tokens } = parseArgs({ args: argv.map(hide), options, strict: false, allowPositionals: true, tokens: true })
  const positionals: string[] = []
  const values: Record<string, string | boolean> = {}
  const help = `greenroom ${command.name} has ${listed(Object.keys(flags).map(name => `--${name}`))}`
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(unhide(token.value))
    if (token.kind !== 'option') continue
    const { name, rawName, value, inlineValue } = token
    const flag = Object.hasOwn(flags, name) ? flags[name] : undefined
    if (!flag) {
      const near = nearest(name, Object.keys(flags))
      throw usage(`Unknown option ${shown(rawName)}`, near === undefined ? help : `Did you mean --${near}?`)
    }
    if (flag.type === 'boolean' && value !== undefined) throw usage(`${rawName} takes no value`, `Write ${rawName} alone`)
    if (flag.type === 'string' && (value === undefined || value === '' || (!inlineValue && value.startsWith('--')))) {
      throw usage(`${rawName} needs a value`, `Write ${rawName} <${flag.value}>`)
    }
    values[name] = value === undefined ? true : unhide(value)
  }
  if (values['help'] !== true) checkArity(command, positionals)
  return { positionals, values } as Args<Flags & typeof COMMON_FLAGS>
}

function checkArity({ name, usage: form, arity: [least, most], examples }: Command, positionals: readonly string[]): void {
  if (positionals.length >= least && positionals.length <= most) return
  const what = positionals.length < least ? 'Something is missing' : `${shown(positionals[most])} is one argument too many`
  throw usage(what, `Write greenroom ${`${name} ${form}`.trim()}, for example: ${examples[0]}`)
}

/** A whole number from 1. @throws {CliError} */
export function wholeOf(text: string, flag: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text)
  throw usage(`${flag} cannot be ${shown(text)}`, 'Give a whole number from 1')
}

export const MB = 1024 ** 2
const UNITS: Readonly<Record<string, number>> = { kb: 1024, mb: MB, gb: 1024 * MB }

/** Bytes of a size with its unit: `512mb`, `1.5gb`. @throws {CliError} */
export function sizeOf(text: string, flag: string): number {
  const [, number, unit] = /^(\d{1,9}(?:\.\d{1,3})?)([kmg]b)$/i.exec(text) ?? []
  const bytes = Math.floor(Number(number) * UNITS[unit?.toLowerCase() ?? '']!)
  if (bytes >= 1) return bytes
  if (/^\d+(\.\d+)?$/.test(text)) throw usage(`${flag} ${text} has no unit`, `Write ${flag} ${text}mb or ${flag} ${text}gb`)
  throw usage(`${flag} cannot be ${shown(text)}`, 'Write 512mb, 1gb or 1.5gb')
}

/**
 * Milliseconds of a duration. In code a bare number is milliseconds; who types one here may well mean seconds, so it is refused.
 * @throws {CliError}
 */
export function durationOf(text: string, flag: string): number {
  if (text === '0') return 0
  if (/^\d+(\.\d+)?$/.test(text)) throw usage(`${flag} ${text} has no unit`, `Write ${flag} ${text}s or ${flag} ${text}ms`)
  try {
    return durationMs(text, flag)
  } catch {
    throw usage(`${flag} cannot be ${shown(text)}`, 'Write 500ms, 30s, 5m, 2h or 7d; 365d at most')
  }
}

/** A port of this machine; 0: a free one. @throws {CliError} */
export function portOf(text: string, flag: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text)
  throw usage(`${flag} cannot be ${shown(text)}`, 'Give a port from 1 to 65535, or 0 for a free one')
}
