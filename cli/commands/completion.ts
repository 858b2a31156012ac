import { shown } from '../../lib/duration.ts'
import { type Command, command } from '../command.ts'
import { SHELLS, type Shell, scriptFor } from '../completion.ts'
import { EXIT } from '../exit.ts'
import { usage } from '../failure.ts'

/** @param commands the list that it is in */
export const completion = (commands: () => readonly Command[]): Command =>
  command({
    name: 'completion',
    usage: '<shell>',
    summary: 'Print a script that completes commands and options in bash, zsh or fish.',
    flags: {},
    examples: [
      'greenroom completion bash >> ~/.bashrc',
      'greenroom completion zsh >> ~/.zshrc',
      'greenroom completion fish > ~/.config/fish/completions/greenroom.fish',
    ],
    arity: [1, 1],
    async run({ positionals: [shell] }, io) {
      if (!SHELLS.includes(shell as Shell))
        throw usage(`There is no script for ${shown(shell)}`, `There are ${SHELLS.join(', ')}`)
      for (const line of scriptFor(shell as Shell, commands())) io.print(line)
      return EXIT.ok
    },
  })
