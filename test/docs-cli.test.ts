/** docs/cli.md says what the command line has: its commands, options and exit codes, and examples that it would understand. */
import t from 'tap'
import { COMMON_FLAGS } from '../cli/args.ts'
import type { Flags } from '../cli/command.ts'
import { COMMANDS } from '../cli/commands/index.ts'
import { EXIT_TABLE } from '../cli/exit.ts'
import { pages, textOf } from './docs-pages.ts'

const page = textOf('docs/cli.md')
/** Of node and npm, which the page speaks of too. */
const FOREIGN = ['help', 'version', 'import', 'save-dev']
const flagsOf = ({ flags }: { readonly flags: Flags }): Flags => ({ ...flags, ...COMMON_FLAGS })
const long = (text: string) => [...text.matchAll(/(?<=[\s`'(])--([a-z][a-z-]*)/g)].map(([, flag]) => flag!)

t.test('the table of exit codes is the one that every help prints', async t => {
  const rows = [...page.matchAll(/^\| (\d) \| (.+) \|$/gm)].map(([, code, meaning]) => [
    Number(code),
    meaning!.replaceAll('`', ''),
  ])
  t.strictSame(rows, EXIT_TABLE)
})

t.test('every command has its line, and every option is explained', async t => {
  for (const { name } of COMMANDS) t.match(page, new RegExp(`^ {4}greenroom ${name}(?: |$)`, 'm'), name)
  const flags = new Map(COMMANDS.flatMap(command => Object.entries<Flags[string]>(flagsOf(command))))
  for (const [name, { short }] of flags) {
    t.ok(name === 'help' || long(page).includes(name), `--${name}`)
    if (short !== undefined && name !== 'help') t.match(page, `\`-${short}\``)
  }
  t.strictSame(
    [...new Set(long(page))].filter(flag => !flags.has(flag) && !FOREIGN.includes(flag)),
    [],
  )
})

t.test('examples of all pages name commands, and options that these commands have', async t => {
  const lines = pages.flatMap(page =>
    [
      ...textOf(page).matchAll(
        /(?:^ {4}|^|`)(?:npx )?greenroom ((?:worker|send|queues|list|show|remove|promote|pause|resume|purge|dead|doctor|completion)\b[^`\n]*)/gm,
      ),
    ].map(([, line]) => [page, line!] as const),
  )
  t.ok(lines.length > 20)
  for (const [page, line] of lines) {
    const said = `${line.split('|')[0]} `
    const found = COMMANDS.find(({ name }) => said.startsWith(`${name} `))
    t.ok(found ?? /^dead(?: <| $)/.test(said), `${page}: greenroom ${line}`)
    for (const flag of found ? long(said) : []) t.ok(flag in flagsOf(found!), `${page}: greenroom ${line}`)
  }
})
