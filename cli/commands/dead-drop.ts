import { command } from '../command.ts'
import { CHOICE_FLAGS, toDead } from '../dead-letters.ts'
import { TARGET_FLAGS, withInspector } from '../target.ts'

export const deadDrop = command({
  name: 'dead drop',
  usage: '<id...> | --all',
  summary: 'Delete dead letters for ever.',
  flags: { ...CHOICE_FLAGS, ...TARGET_FLAGS },
  examples: ['greenroom dead drop invoice-42', 'greenroom dead drop --all --queue mail'],
  arity: [0, Infinity],
  run: ({ positionals, values }, io) =>
    withInspector(values, io, opened =>
      toDead(opened, positionals, values, io, {
        did: 'dropped',
        act: (queue, ids) => opened.inspector.drop(queue, ids),
        why: 'they have just gone',
      }),
    ),
})
