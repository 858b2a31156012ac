/** Finding messages by the ids that a person typed. */
import type { Entry } from '../lib/broker.ts'
import { GreenroomError } from '../lib/errors.ts'
import { checkId, checkName } from '../lib/names.ts'
import type { Flags, Io } from './command.ts'
import { EXIT } from './exit.ts'
import type { Opened } from './target.ts'
import { safe } from './text.ts'

export const QUEUE_FLAG = { queue: { type: 'string', value: 'name', help: 'Look in this queue only' } } as const satisfies Flags

/** @throws {GreenroomError} `BROKER_UNSUPPORTED` where waiting messages cannot be looked up */
export async function lookUp({ broker, inspector }: Opened, id: string, queue: string | undefined): Promise<Entry | undefined> {
  if (!broker.capabilities.peek) {
    throw new GreenroomError('BROKER_UNSUPPORTED', `${broker.name} cannot look a message up by its id`, {
      help: 'greenroom dead list shows its dead letters',
    })
  }
  return inspector.find(checkId(id), queue === undefined ? undefined : checkName(queue, 'queue'))
}

/** Why there is nothing to do it to. */
export interface Why {
  readonly why: string
}

const findExact = async (opened: Opened, id: string, queue: string | undefined): Promise<Entry | Why> =>
  (await lookUp(opened, id, queue)) ?? { why: notThere(opened, queue) }

/** Does `act` to each message; those that it cannot be done to are named, and make the exit code that of "not there". */
export async function each(
  opened: Opened,
  ids: readonly string[],
  queue: string | undefined,
  io: Io,
  act: (entry: Entry) => Promise<{ readonly did: string } | Why>,
  find: (opened: Opened, id: string, queue: string | undefined) => Promise<Entry | Why> = findExact,
): Promise<number> {
  let code: number = EXIT.ok
  for (const id of ids) {
    const found = await find(opened, id, queue)
    const answer = 'why' in found ? found : await act(found)
    if ('did' in answer) io.print(safe(`${answer.did} ${'envelope' in found ? found.envelope.id : id}`))
    else {
      io.error(safe(`greenroom: ${id}: ${answer.why}`))
      code = EXIT.usage
    }
  }
  return code
}

export const notThere = ({ broker, internals: { namespace } }: Opened, queue: string | undefined): string =>
  `not in ${queue === undefined ? 'any queue' : `the queue ${queue}`} of ${broker.name} (namespace ${namespace}). It may be done; done messages are not kept, but an id that was sent with \`once\` stays taken for so long`
