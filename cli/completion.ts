/** Scripts for shells, made from the commands themselves: words after `greenroom`, options after a command, files elsewhere. Pure. */
import { COMMON_FLAGS } from './args.ts'
import type { Command } from './command.ts'

export const SHELLS = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof SHELLS)[number]

const optionsOf = ({ flags }: Command): string[] => Object.keys({ ...flags, ...COMMON_FLAGS }).map(name => `--${name}`)
const groupsOf = (commands: readonly Command[]): Map<string, string[]> => {
  const groups = new Map<string, string[]>()
  for (const { name } of commands) {
    const [first = '', second] = name.split(' ')
    groups.set(first, [...(groups.get(first) ?? []), ...(second === undefined ? [] : [second])])
  }
  return groups
}

export const scriptFor = (shell: Shell, commands: readonly Command[]): string[] =>
  ({ bash: () => bash(commands), zsh: () => zsh(commands), fish: () => fish(commands) })[shell]()

/** What may follow the first word, or the first two; a group's second words only in their place. */
const cases = (commands: readonly Command[]): string[] => [
  ...[...groupsOf(commands)]
    .filter(([, words]) => words.length > 0)
    .map(([group, words]) => `2' '${group}' '*) words='${words.join(' ')}' ;;`),
  ...commands.map(
    command =>
      `*' '${command.name.replace(' ', "' '")}${command.name.includes(' ') ? '' : "' '*"}) words='${optionsOf(command).join(' ')}' ;;`,
  ),
]

const bash = (commands: readonly Command[]): string[] => [
  '_greenroom() {',
  '  local words here=${COMP_WORDS[COMP_CWORD]}',
  '  if [ "$COMP_CWORD" -eq 1 ]; then',
  `    words='${[...groupsOf(commands).keys()].join(' ')} --help --version'`,
  '  else',
  '    case "$COMP_CWORD ${COMP_WORDS[1]} ${COMP_WORDS[2]}" in',
  ...cases(commands).map(line => `      ${line}`),
  '    esac',
  '  fi',
  '  COMPREPLY=($(compgen -W "$words" -- "$here"))',
  '}',
  'complete -o default -F _greenroom greenroom',
]

/** It reads what bash does. */
const zsh = (commands: readonly Command[]): string[] => ['autoload -U +X bashcompinit && bashcompinit', ...bash(commands)]

function fish(commands: readonly Command[]): string[] {
  const quoted = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
  const groups = groupsOf(commands),
    first = [...groups.keys()].join(' ')
  const lines = [`complete -c greenroom -n 'not __fish_seen_subcommand_from ${first}' -f`]
  for (const [word, seconds] of groups) {
    const only = commands.find(({ name }) => name === word)
    lines.push(
      `complete -c greenroom -n 'not __fish_seen_subcommand_from ${first}' -a ${word} -d ${quoted(only?.summary ?? seconds.join(', '))}`,
    )
    for (const second of seconds)
      lines.push(
        `complete -c greenroom -n '__fish_seen_subcommand_from ${word}; and not __fish_seen_subcommand_from ${seconds.join(' ')}' -f -a ${second} -d ${quoted(commands.find(({ name }) => name === `${word} ${second}`)!.summary)}`,
      )
  }
  for (const { name, flags } of commands) {
    const seen = name
      .split(' ')
      .map(word => `__fish_seen_subcommand_from ${word}`)
      .join('; and ')
    for (const [flag, { help, type, short }] of Object.entries({ ...flags, ...COMMON_FLAGS }) as [
      string,
      Command['flags'][string],
    ][])
      lines.push(
        `complete -c greenroom -n '${seen}' -l ${flag}${short === undefined ? '' : ` -s ${short}`}${type === 'string' ? ' -r' : ''} -d ${quoted(help)}`,
      )
  }
  return lines
}
