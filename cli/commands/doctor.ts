import type { Finding } from '../../lib/broker.ts'
import { command } from '../command.ts'
import { broker, config, node, version } from '../doctor.ts'
import { EXIT } from '../exit.ts'
import { exitOf, lineOf } from '../failure.ts'
import { TARGET_FLAGS } from '../target.ts'
import { safe } from '../text.ts'

export const doctor = command({
  name: 'doctor',
  usage: '',
  summary: 'Look whether all is well: Node, the package, settings, the broker and what is in it.',
  notes: ['ok: as it should be. look: it works, and somebody should know. bad: it does not work; the exit code says which kind.'],
  flags: TARGET_FLAGS,
  examples: ['greenroom doctor', 'greenroom doctor --module src/app.ts'],
  arity: [0, 0],
  async run({ values }, io) {
    let code: number = EXIT.ok
    for (const check of [node, () => version(io), () => config(io), () => broker(values, io)])
      for (const { state, text, error } of await findings(check)) {
        io.print(safe(`${state.padEnd(4)}  ${text}`))
        if (state === 'bad' && code === EXIT.ok) code = exitOf(error)
      }
    return code
  },
})

async function findings(check: () => readonly Finding[] | Promise<readonly Finding[]>): Promise<readonly Finding[]> {
  try {
    return await check()
  } catch (error) {
    return [{ state: 'bad', text: lineOf(error), error }]
  }
}
