/** The help: of everything, of a group of commands, of one. */
import { COMMON_FLAGS } from './args.ts'
import type { Command, Flags } from './command.ts'
import { EXIT_TABLE } from './exit.ts'

const INDENT = '  '

export function overview(commands: readonly Command[], version: string): string[] {
  return [
    `greenroom ${version}: typed actors (background jobs) for Node`,
    '',
    'Commands',
    ...columns(commands.map(({ name, usage, summary }) => [`greenroom ${name} ${usage}`.trimEnd(), summary])),
    '',
    'Examples',
    ...commands.map(({ examples }) => INDENT + examples[0]),
    '',
    `greenroom <command> --help shows its options and more examples; greenroom --version the version.`,
    '',
    ...exitCodes(),
  ]
}

/** Of several commands with the same first word. */
export function groupHelp(group: string, commands: readonly Command[]): string[] {
  return [
    `greenroom ${group} <command>`,
    '',
    ...columns(commands.map(({ name, usage, summary }) => [`greenroom ${name} ${usage}`.trimEnd(), summary])),
    '',
    'Examples',
    ...commands.map(({ examples }) => INDENT + examples[0]),
  ]
}

export function commandHelp({ name, usage, summary, notes = [], flags, examples }: Command): string[] {
  return [
    `greenroom ${name} ${usage} [options]`.replace('  ', ' '),
    '',
    INDENT + summary,
    ...notes.map(note => INDENT + note),
    '',
    'Options',
    ...columns(
      Object.entries<Flags[string]>({ ...flags, ...COMMON_FLAGS }).map(([flag, { short, value, help }]) => [
        `${short === undefined ? '' : `-${short}, `}--${flag}${value === undefined ? '' : ` <${value}>`}`,
        help,
      ]),
    ),
    '',
    'Examples',
    ...examples.map(example => INDENT + example),
    '',
    ...exitCodes(),
  ]
}

const exitCodes = (): string[] => ['Exit codes', ...EXIT_TABLE.map(([code, meaning]) => `${INDENT}${code}  ${meaning}`)]

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `${INDENT}${left.padEnd(width)}  ${right}`)
}
