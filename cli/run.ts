/** From arguments to an exit code: finds the command, parses, runs it, and turns every error into one line. */
import { nearest } from '../lib/did-you-mean.ts'
import { shown } from '../lib/duration.ts'
import { parse } from './args.ts'
import type { Command, Io } from './command.ts'
import { COMMANDS } from './commands/index.ts'
import { EXIT } from './exit.ts'
import { exitOf, lineOf, stackOf, usage } from './failure.ts'
import { commandHelp, groupHelp, overview } from './help.ts'
import { ioOf } from './json-io.ts'

/** Runs one command line. Never throws. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  try {
    return await dispatch(argv, io)
  } catch (error) {
    const text = lineOf(error),
      exit = exitOf(error),
      stack = wantsStacks(argv, io) ? stackOf(error) : undefined
    const more = stack?.map(line => `  ${line}`) ?? (exit === EXIT.unexpected ? ['  --verbose shows where it happened'] : [])
    const facts = { level: 'error', msg: text, exit, ...(stack && { stack: stack.join('\n') }) } as const
    ioOf(argv, io).error(`greenroom: ${text}`, facts, more)
    return exit
  }
}

const wantsStacks = (argv: readonly string[], { env }: Io): boolean =>
  argv.includes('--verbose') || argv.includes('-v') || /\*|greenroom|^1$|^true$/.test(env['DEBUG'] ?? '')

async function dispatch(argv: readonly string[], io: Io): Promise<number> {
  const [first, second = '', ...rest] = argv
  const say = (lines: readonly string[], code: number = EXIT.ok) => {
    for (const line of lines) io.print(line)
    return code
  }
  if (first === undefined || first === '--help' || first === '-h' || (first === 'help' && second === ''))
    return say(overview(COMMANDS, io.version))
  if (first === '--version' || first === '-V') return say([io.version])
  if (first === 'help') return dispatch([second, ...rest, '--help'], io)
  if (first.startsWith('-'))
    throw usage(
      `${shown(first)} stands before the command`,
      'Write greenroom <command> [options], for example: greenroom queues --json',
    )

  const command = COMMANDS.find(({ name }) => name === first)
  if (command) return execute(command, argv.slice(1), io, say)
  const group = COMMANDS.filter(({ name }) => name.startsWith(`${first} `))
  if (group.length === 0) throw unknown(first, new Set(COMMANDS.map(({ name }) => name.split(' ')[0]!)), '')
  const inGroup = group.find(({ name }) => name === `${first} ${second}`)
  if (inGroup) return execute(inGroup, rest, io, say)
  if (second === '' || second === '--help' || second === '-h')
    return say(groupHelp(first, group), second === '' ? EXIT.usage : EXIT.ok)
  throw unknown(
    second,
    group.map(({ name }) => name.split(' ')[1]!),
    `${first} `,
  )
}

function execute(
  command: Command,
  argv: readonly string[],
  io: Io,
  say: (lines: readonly string[]) => number,
): Promise<number> | number {
  const args = parse(command, argv)
  return args.values.help ? say(commandHelp(command)) : command.run(args, io)
}

function unknown(word: string, known: Iterable<string>, group: string) {
  const near = nearest(word, known)
  const help = near === undefined ? `There are ${[...known].join(', ')}` : `Did you mean greenroom ${group}${near}?`
  return usage(`Unknown command ${shown(group + word)}`, help)
}
