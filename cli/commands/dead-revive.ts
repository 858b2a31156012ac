import { checkName } from '../../lib/names.ts'
import { command } from '../command.ts'
import { CHOICE_FLAGS, toDead } from '../dead-letters.ts'
import { TARGET_FLAGS, withInspector } from '../target.ts'

export const deadRevive = command({
  name: 'dead revive',
  usage: '<id...> | --all',
  summary: 'Make dead letters ready again, as if they had never run.',
  notes: ['The beginning of an id will do where no other dead letter begins so.'],
  flags: {
    ...CHOICE_FLAGS,
    to: { type: 'string', value: 'queue', help: 'Into this queue instead of their own' },
    ...TARGET_FLAGS,
  },
  examples: [
    'greenroom dead revive invoice-42',
    'greenroom dead revive --all --queue mail',
    'greenroom dead revive --all --queue mail --to mail-again',
  ],
  arity: [0, Infinity],
  run: ({ positionals, values }, io) =>
    withInspector(values, io, async opened => {
      const to = values.to === undefined ? {} : { to: checkName(values.to, 'queue') }
      return toDead(opened, positionals, values, io, {
        did: 'revived',
        byPrefix: true,
        act: (queue, ids) => opened.inspector.revive(queue, ids, to),
        why: 'a message of that id is alive in the other queue, or it has just gone',
      })
    }),
})
