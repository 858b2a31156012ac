/** The message that tells another actor of this one: its id is derived, so that a rerun makes the same. */
import type { Target } from '../lib/definition.ts'
import { derivedId } from '../lib/ids.ts'
import type { Message } from '../lib/message.ts'
import type { AnyContext } from '../lib/middleware.ts'

/** @param role which option names the other actor; @param args what it takes */
export function callbackMessage(
  { message, clock }: AnyContext,
  role: string,
  { actor, queue }: Target,
  args: readonly unknown[],
): Message {
  return { id: derivedId(message.id, role), queue, actor, args, options: {}, timestamp: clock.now() }
}
